/**
 * One image's whole life, as root and as an ordinary user, against a real registry: bases made by debootstrap and from
 * a static busybox, pushed by skopeo, pulled and built upon by Slipway, pushed back, read by skopeo, unpacked by
 * umoci, and run by runc and podman.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Account, accounts } from '../support/account.ts';
import { debianBase, makeBusyboxBase, noDebianBase, pushLayout, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';
import { listTree, type TreeEntry, treeDifferences } from '../support/tree-listing.ts';

const skip = firstReason(
  noDebianBase(),
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('skopeo', 'umoci', 'docker-registry', 'dpkg-deb'),
);

const DOCKERFILE = `ARG REGISTRY
FROM \${REGISTRY}/debian:base AS packaged
COPY greeter.deb /tmp/
RUN dpkg -i /tmp/greeter.deb && rm /tmp/greeter.deb
RUN useradd --uid 1500 --create-home greeter \\
 && mkdir -p /opt/made/deep && echo made > /opt/made/deep/file \\
 && ln -s deep/file /opt/made/link && ln /opt/made/deep/file /opt/made/hard \\
 && chown -R greeter /opt/made/deep && chmod 4750 /opt/made/deep/file && mkfifo -m 0600 /opt/made/pipe \\
 && touch -d @1234567890 /opt/made/deep && rm -rf /usr/share/doc /etc/motd

FROM \${REGISTRY}/busybox:base AS tools
RUN mkdir -p /out && printf '#!/bin/sh\\necho "helper says $*"\\n' > /out/helper && chmod 0755 /out/helper

FROM packaged
COPY --from=tools --chown=greeter /out/ /opt/tools/
COPY data /srv/data
ENV GREETING="hello from slipway" EMPTY=
WORKDIR /srv/work
USER greeter
LABEL org.example.purpose=test
EXPOSE 8080
ENTRYPOINT ["/usr/bin/greeter"]
CMD ["everybody"]
`;

const GREETING = 'hello from slipway, everybody: uid 1500 in /srv/work; helper says it works';

describe('a build from registry to registry', { skip }, () => {
  let registry: RegistryServer;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-end-to-end-'));

  before(async () => {
    registry = await RegistryServer.start();
    makeBusyboxBase(join(scratch, 'busybox'));
    pushLayout(join(scratch, 'busybox'), `${registry.host}/busybox:base`);
    pushLayout(debianBase(), `${registry.host}/debian:base`);
    writeContext(join(scratch, 'context'));
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      let image: string;
      const bundle = join(scratch, `bundle-${name.replaceAll(' ', '-')}`);

      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        image = `${registry.host}/${account.kind}/greeter:1`;
      });
      after(() => rig?.[Symbol.asyncDispose]());

      it('pulls, builds and pushes', () => {
        const id = rig.run('pull', '-q', '--tls-verify=false', `${registry.host}/debian:base`);
        assert.match(id, /^[0-9a-f]{64}$/);
        const context = rig.makeFolder('work/context');
        command('cp', ['-a', `${join(scratch, 'context')}/.`, context]);
        rig.give(context);
        const words = ['bud', '--tls-verify=false', '--build-arg', `REGISTRY=${registry.host}`, '-t', image, context];
        const built = rig.must(words);
        assert.match(built.stdout.trimEnd().split('\n').at(-1) ?? '', /^[0-9a-f]{64}$/);
        const digestFile = join(rig.folder, 'work/digest');
        rig.run('push', '-q', '--tls-verify=false', '--digestfile', digestFile, image);
        assert.match(readFileSync(digestFile, 'utf8'), /^sha256:[0-9a-f]{64}$/);
      });

      it('gives a manifest and a config that skopeo accepts', () => {
        const raw = JSON.parse(inspect(image, '--raw'));
        assert.equal(raw.mediaType, 'application/vnd.oci.image.manifest.v1+json');
        assert.equal(raw.config.mediaType, 'application/vnd.oci.image.config.v1+json');
        assert.ok(raw.layers.length >= 2, `${raw.layers.length} layers`);
        const config = JSON.parse(inspect(image, '--config'));
        assert.equal(config.rootfs.diff_ids.length, raw.layers.length);
        assert.deepEqual(config.config.Entrypoint, ['/usr/bin/greeter']);
        assert.deepEqual(config.config.Cmd, ['everybody']);
        assert.equal(config.config.User, 'greeter');
        assert.equal(config.config.WorkingDir, '/srv/work');
        assert.ok(config.config.Env.includes('GREETING=hello from slipway'));
        assert.equal(config.config.Labels['org.example.purpose'], 'test');
      });

      it('unpacks with umoci into the tree that mount shows', () => {
        const layout = join(scratch, `layout-${name.replaceAll(' ', '-')}`);
        command('skopeo', [
          ...['--insecure-policy', 'copy', '-q', '--src-tls-verify=false'],
          ...[`docker://${image}`, `oci:${layout}:latest`],
        ]);
        command('umoci', ['unpack', '--image', `${layout}:latest`, bundle]);
        const unpacked = comparable(listTree(join(bundle, 'rootfs')), account);
        assert.ok(unpacked.length > 3000, `only ${unpacked.length} entries`);
        assert.deepEqual(treeDifferences(comparable(rig.imageTree(image), account), unpacked), []);
      });

      it('runs with runc', { skip: missingPrograms('runc') }, () => {
        prepareBundle(bundle);
        const id = `slipway-test-${process.pid}-${typeof account === 'string' ? '' : account.kind}`;
        const said = command('runc', ['--root', join(scratch, 'runc'), 'run', '--bundle', bundle, id]);
        assert.equal(said.trim(), GREETING);
      });

      it('runs with podman', { skip: missingPrograms('podman', 'runc') }, () => {
        const store = ['--root', join(scratch, 'podman'), '--runroot', join(scratch, 'podman-run')];
        const global = [...store, '--storage-driver', 'vfs', '--runtime', 'runc', '--cgroup-manager', 'cgroupfs'];
        // Podman's default limits are above what an unprivileged container that runs the tests may set.
        const limits = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'];
        const flags = ['--rm', '--pull=always', '--tls-verify=false', '--network=none', ...limits];
        const said = command('podman', [...global, '--events-backend=none', 'run', ...flags, image]);
        assert.equal(said.trim(), GREETING);
      });
    });
  }
});

function inspect(image: string, what: string): string {
  return command('skopeo', ['inspect', '--tls-verify=false', what, `docker://${image}`]);
}

/** The context: a Debian package made here, and files of several kinds. */
function writeContext(folder: string): void {
  const tree = join(folder, '..', 'package');
  const program = '#!/bin/sh\necho "$GREETING, $1: uid $(id -u) in $(pwd); $(/opt/tools/helper it works)"\n';
  const control = [
    ...['Package: greeter', 'Version: 1.0', 'Architecture: all', 'Maintainer: Test <test@example.com>'],
    ...['Description: says hello', ''],
  ];
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  writeFileSync(join(tree, 'DEBIAN/control'), control.join('\n'));
  writeFileSync(join(tree, 'DEBIAN/postinst'), '#!/bin/sh\necho configured > /etc/greeter.conf\n', { mode: 0o755 });
  writeFileSync(join(tree, 'usr/bin/greeter'), program, { mode: 0o755 });
  command('chmod', ['-R', 'u=rwX,go=rX', tree]);
  mkdirSync(join(folder, 'data/below'), { recursive: true });
  writeFileSync(join(folder, 'data/below/one'), 'one\n');
  writeFileSync(join(folder, 'data/two'), Buffer.alloc(300_000, 'two'), { mode: 0o640 });
  writeFileSync(join(folder, 'Dockerfile'), DOCKERFILE);
  command('dpkg-deb', ['--root-owner-group', '--build', tree, join(folder, 'greeter.deb')]);
}

/**
 * Times to the second, because umoci drops fractions here and there; the engine's own tests compare those. An ordinary
 * user's tree has no device nodes: the kernel lets no user namespace make one.
 */
function comparable(tree: readonly TreeEntry[], account: Account | string): TreeEntry[] {
  const noDevices = typeof account !== 'string' && account.kind === 'ordinary';
  return tree
    .filter((entry) => !(noDevices && (entry.type === 'char' || entry.type === 'block')))
    .map((entry) => ({ ...entry, mtime: entry.mtime.split('.')[0] ?? '' }));
}

/** No terminal, no network, no control groups: what runc needs to run anywhere, a container included. */
function prepareBundle(bundle: string): void {
  const path = join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(path, 'utf8'));
  spec.process.terminal = false;
  delete spec.linux.resources;
  spec.mounts = spec.mounts.filter((mount: { type: string }) => mount.type !== 'cgroup');
  writeFileSync(path, JSON.stringify(spec));
}
