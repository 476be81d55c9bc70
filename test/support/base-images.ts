/**
 * Base images made on this machine: one of a single static busybox, one of a Debian (or Ubuntu) by debootstrap from
 * the package mirror the machine itself uses. Both are OCI layouts that skopeo can push anywhere.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { isRoot } from './account.ts';
import { command, findProgram, tryCommand } from './command.ts';

/** The commands of the busybox base, beside busybox itself. */
const APPLETS =
  'sh ls cat cp mv rm mkdir rmdir ln chmod chown touch echo printf test true false id env pwd sleep tee stat tar head tail wc sort grep sed find sha256sum date dd mknod mkfifo sync kill ps hostname seq'; // prettier-ignore

/** A static busybox, when the machine has one. */
export function staticBusybox(): string | undefined {
  const path = findProgram('busybox');
  return path !== undefined && tryCommand('ldd', [path]).status !== 0 ? path : undefined;
}

/** Writes the busybox base as OCI layout `folder`:latest. Its bytes depend only on the busybox and the config. */
export function makeBusyboxBase(folder: string, config: object = { Cmd: ['/bin/sh'] }): void {
  const busybox = staticBusybox();
  if (busybox === undefined) throw new Error('no static busybox');
  const tree = mkdtempSync(join(tmpdir(), 'slipway-base-'));
  try {
    for (const name of ['bin', 'etc', 'root', 'tmp', 'var', 'usr', 'usr/share', 'home']) mkdirSync(join(tree, name));
    copyFileSync(busybox, join(tree, 'bin/busybox'));
    for (const name of APPLETS.split(' ')) symlinkSync('busybox', join(tree, 'bin', name));
    writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\n');
    writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nada:x:1000:\nstaff:x:50:ada\n');
    command('chmod', ['-R', 'go-w', tree]);
    command('chmod', ['1777', join(tree, 'tmp')]);
    command('chmod', ['0755', tree, join(tree, 'bin/busybox')]);
    const tar = join(folder, '.layer.tar');
    mkdirSync(folder, { recursive: true });
    const owner = ['--owner=0', '--group=0', '--numeric-owner'];
    command('tar', ['-C', tree, '--sort=name', '--mtime=@1600000000', ...owner, '--format=gnu', '-cf', tar, '.']);
    writeLayout(folder, tar, config);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** Why a Debian base cannot be made here, or false. */
export function noDebianBase(): string | false {
  if (!isRoot) return 'debootstrap needs root';
  if (findProgram('debootstrap') === undefined) return 'not installed: debootstrap';
  return packageMirror() === undefined ? 'the machine names no Debian or Ubuntu package mirror' : false;
}

/**
 * The OCI layout of a Debian base of this machine's own release (more than 70 MB uncompressed). It is kept between
 * test runs in the system's temporary folder.
 */
export function debianBase(): string {
  const mirror = packageMirror();
  if (mirror === undefined) throw new Error('no package mirror');
  const kept = join(tmpdir(), `slipway-test-cache-${process.getuid?.()}`, `debian-${mirror.suite}`);
  if (existsSync(join(kept, 'index.json'))) return kept;
  const work = mkdtempSync(join(tmpdir(), 'slipway-debootstrap-'));
  try {
    command('debootstrap', ['--variant=minbase', mirror.suite, join(work, 'tree'), mirror.url], {
      timeoutMs: 900_000,
    });
    rmSync(join(work, 'tree/var/cache/apt/archives'), { recursive: true, force: true });
    mkdirSync(join(work, 'tree/var/cache/apt/archives/partial'), { recursive: true });
    mkdirSync(join(work, 'layout'));
    const tar = join(work, 'layout/.layer.tar');
    const flags = ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--sort=name', '--format=pax'];
    command('tar', ['-C', join(work, 'tree'), ...flags, '-cf', tar, '.']);
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    writeLayout(join(work, 'layout'), tar, { Cmd: ['bash'], Env: [`PATH=${path}`] });
    mkdirSync(join(kept, '..'), { recursive: true });
    if (!existsSync(kept)) renameSync(join(work, 'layout'), kept);
  } finally {
    tryCommand('rm', ['-rf', '--one-file-system', work]);
  }
  return kept;
}

/** Pushes an OCI layout's `latest` to a registry with skopeo. */
export function pushLayout(folder: string, destination: string, flags: readonly string[] = []): void {
  const insecure = flags.length === 0 ? ['--dest-tls-verify=false'] : flags;
  command('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    ...insecure,
    `oci:${folder}:latest`,
    `docker://${destination}`,
  ]);
}

/** Puts a tar as the only layer of an image into an OCI layout and removes the tar. */
function writeLayout(folder: string, tar: string, config: object): void {
  const uncompressed = readFileSync(tar);
  const layer = gzipSync(uncompressed, { level: 1 });
  rmSync(tar);
  const image = Buffer.from(
    JSON.stringify({
      created: '2020-09-13T12:26:40Z',
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [digest(uncompressed)] },
      history: [{ created: '2020-09-13T12:26:40Z', created_by: 'base' }],
    }),
  );
  const type = (name: string) => `application/vnd.oci.image.${name}`;
  const put = (mediaType: string, content: Buffer) => {
    const path = join(folder, 'blobs/sha256', digest(content).slice('sha256:'.length));
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
    writeFileSync(path, content);
    return { mediaType, digest: digest(content), size: content.length };
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: type('manifest.v1+json'),
    config: put(type('config.v1+json'), image),
    layers: [put(type('layer.v1.tar+gzip'), layer)],
  };
  const entry = put(type('manifest.v1+json'), Buffer.from(JSON.stringify(manifest)));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...entry, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
}

function digest(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** The mirror and suite this machine's apt is set up for. */
function packageMirror(): { readonly url: string; readonly suite: string } | undefined {
  const suite = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (suite === undefined) return undefined;
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ];
  for (const file of files.filter((path) => existsSync(path))) {
    const url = mirrorIn(readFileSync(file, 'utf8'), suite);
    if (url !== undefined) return { url, suite };
  }
  return undefined;
}

function mirrorIn(text: string, suite: string): string | undefined {
  const line = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${suite}\\s+(?:.*\\s)?main\\b`, 'm').exec(text)?.[1];
  if (line !== undefined) return line;
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name: string) => new RegExp(`^${name}:\\s*(.+)$`, 'm').exec(stanza)?.[1]?.split(/\s+/) ?? [];
    if (field('Suites').includes(suite) && field('Components').includes('main')) return field('URIs')[0];
  }
  return undefined;
}
