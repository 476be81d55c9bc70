/**
 * Images between all places: from each transport and the store to each other one, read from what skopeo wrote and
 * checked with skopeo where it can look. Whatever the way, the config keeps its bytes; where the places at both ends keep
 * manifests, the manifest keeps its digest.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { OciLayout } from '../../src/image/transport/oci-layout.ts';
import { copyImage } from '../../src/index.ts';
import { digestOf } from '../../src/spec/digest.ts';
import { MEDIA } from '../../src/spec/media-type.ts';
import { type Account, accounts, rootAccount } from '../support/account.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { FakeDockerDaemon } from '../support/fake-docker-daemon.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';
import { bytesOf, descriptorOf, type SampleImage, sampleImage, storeImage, tinyTar } from '../support/sample-image.ts';

const PLACES = [
  'docker',
  'oci',
  'oci-archive',
  'docker-archive',
  'dir',
  'docker-daemon',
  'containers-storage',
  'store',
] as const;
type PlaceKind = (typeof PLACES)[number];

/** Places that keep a manifest as it is; containers-storage does too, but gives layers in another form. */
const KEEPS_MANIFEST: readonly PlaceKind[] = ['docker', 'oci', 'oci-archive', 'dir', 'store'];
const AT_ONCE = 3;

/** A builder with places of every kind around it. */
class Surroundings implements AsyncDisposable {
  readonly rig: Rig;
  readonly registry: RegistryServer;
  readonly daemon: FakeDockerDaemon;
  #count = 0;

  private constructor(rig: Rig, registry: RegistryServer, daemon: FakeDockerDaemon) {
    this.rig = rig;
    this.registry = registry;
    this.daemon = daemon;
  }

  static async open(account: Account): Promise<Surroundings> {
    const daemon = await FakeDockerDaemon.start();
    chmodSync(dirname(daemon.socket), 0o755);
    chmodSync(daemon.socket, 0o666);
    return new Surroundings(await Rig.open({ account }), await RegistryServer.start(), daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await this.daemon[Symbol.asyncDispose]();
  }

  fresh(name: string): string {
    return join(this.rig.folder, 'work', `${name}${this.#count++}`);
  }

  /** A name for an image that is not there yet; for the store with a root of its own, as equal images share one record. */
  newName(kind: PlaceKind): string {
    const n = this.#count++;
    switch (kind) {
      case 'docker':
        return `docker://${this.registry.host}/team/app:t${n}`;
      case 'oci':
        return `oci:${this.fresh('layout')}:x`;
      case 'oci-archive':
        return `oci-archive:${this.fresh('oci')}.tar:x`;
      case 'docker-archive':
        return `docker-archive:${this.fresh('docker')}.tar:example.com/app:1`;
      case 'dir':
        return `dir:${this.fresh('dir')}`;
      case 'docker-daemon':
        return `docker-daemon:example.com/app:t${n}`;
      case 'containers-storage': {
        const storage = join(this.rig.folder, 'storage');
        return `containers-storage:[vfs@${storage}/graph+${storage}/run]example.com/app:t${n}`;
      }
      case 'store':
        return `${join(this.rig.folder, `root${n}`)} localhost/copy:t${n}`;
    }
  }

  /** Runs a program as the account, with the daemon at hand; gives its standard output. */
  run(program: string, args: readonly string[]): Promise<string> {
    const { account, env, folder } = this.rig;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        uid: account.uid,
        gid: account.gid,
        env: { ...env, ...this.daemon.env },
        cwd: join(folder, 'work'),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const [out, err]: Buffer[][] = [[], []];
      child.stdout.on('data', (chunk: Buffer) => out!.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err!.push(chunk));
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) return resolve(Buffer.concat(out!).toString('utf8'));
        const said = Buffer.concat(err!).toString('utf8');
        reject(new Error(`${program} ${args.join(' ')}: exit code ${code}\n${said}`));
      });
    });
  }

  slipway(...words: readonly string[]): Promise<string> {
    return this.run(this.rig.program, [...this.rig.storeFlags, ...words]);
  }

  /** The same in the store of an image; `NAME` in the words is its name there. */
  inStore(place: string, ...words: readonly string[]): Promise<string> {
    const [root = '', name = ''] = place.split(' ');
    const flags = ['--root', root, '--runroot', join(this.rig.folder, 'runroot')];
    return this.run(this.rig.program, [...flags, ...words.map((word) => (word === 'NAME' ? name : word))]);
  }

  skopeo(...words: readonly string[]): Promise<string> {
    return this.run('skopeo', ['--insecure-policy', ...words]);
  }

  /** Copies with Slipway: through its store where that is one of the ends, else past it. */
  async copy(from: PlaceKind, source: string, to: PlaceKind, destination: string): Promise<void> {
    if (from === 'store' && to === 'store') {
      const between = this.newName('oci-archive');
      await this.copy(from, source, 'oci-archive', between);
      return this.copy('oci-archive', between, to, destination);
    }
    const insecure = '--tls-verify=false';
    if (from === 'store') await this.inStore(source, 'push', '-q', insecure, 'NAME', destination);
    else if (to === 'store') {
      const id = await this.inStore(destination, 'pull', '-q', insecure, source);
      await this.inStore(destination, 'tag', id.trim(), 'NAME');
    } else if (this.rig.account.kind === 'root') {
      const env = { ...this.rig.env, ...this.daemon.env };
      await copyImage(source, destination, { tlsVerify: false, env });
    } else await this.slipway('image', 'copy', '-q', insecure, source, destination);
    if (to === 'docker-daemon') this.serve(destination);
  }

  /** What was loaded into the daemon last can be read from it. */
  serve(name: string): void {
    this.daemon.images.set(name.slice('docker-daemon:'.length), this.daemon.loaded.at(-1)!);
  }

  /** Digests of manifest and config, by skopeo where it can look. */
  async digests(kind: PlaceKind, name: string): Promise<{ readonly manifest: string; readonly config: string }> {
    if (kind === 'store') {
      const template = '{{.FromImageID}} {{.FromImageDigest}}';
      const line = await this.inStore(name, 'inspect', '-t', 'image', '-f', template, 'NAME');
      const [config = '', manifest = ''] = line.split(' ');
      return { manifest, config: `sha256:${config}` };
    }
    const raw =
      kind === 'docker-daemon'
        ? await this.slipway('image', 'inspect', '--raw', name)
        : await this.skopeo('inspect', '--raw', ...(kind === 'docker' ? ['--tls-verify=false'] : []), name);
    const { config } = JSON.parse(raw) as { config: { digest: string } };
    return { manifest: digestOf(Buffer.from(raw)), config: config.digest };
  }

  /** The sample in a layout that both builders read. */
  async layout(image: SampleImage): Promise<string> {
    const path = this.fresh('seed');
    await using layout = await OciLayout.create(path, 'x');
    await storeImage(image, layout, '');
    this.rig.give(path);
    return `oci:${path}:x`;
  }

  /** The image in a place of that kind, written by skopeo where it can write. */
  async seed(kind: PlaceKind, layout: string): Promise<string> {
    const name = this.newName(kind);
    if (kind === 'docker-daemon' || kind === 'store') await this.copy('oci', layout, kind, name);
    else await this.skopeo('copy', '-q', ...(kind === 'docker' ? ['--dest-tls-verify=false'] : []), layout, name);
    return name;
  }
}

async function inTurns(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const open = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = open.shift(); task !== undefined; task = open.shift()) await task();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Every ordered pair. */
const ALL_PAIRS = PLACES.flatMap((from) => PLACES.map((to) => [from, to] as const));
/** Each kind once at either end. */
const RING = PLACES.map((from, i) => [from, PLACES[(i + 1) % PLACES.length]!] as const);

const skip = firstReason(missingPrograms('skopeo', 'docker-registry'));

describe('images between all places', { skip }, () => {
  for (const { name, account } of accounts()) {
    const reason = typeof account === 'string' ? account : false;
    it(`each to each other, ${name}`, { skip: reason }, async () => {
      if (typeof account === 'string') return;
      await using around = await Surroundings.open(account);
      const image = sampleImage({ tars: [tinyTar('a'), tinyTar('b')] });
      const layout = await around.layout(image);
      const seeds = new Map<PlaceKind, string>();
      for (const kind of PLACES) seeds.set(kind, await around.seed(kind, layout));
      const wrong: string[] = [];
      const pairs = account.kind === 'root' ? ALL_PAIRS : RING;
      await inTurns(
        pairs.map(([from, to]) => async () => {
          const destination = around.newName(to);
          await around.copy(from, seeds.get(from)!, to, destination);
          const found = await around.digests(to, destination);
          if (found.config !== image.manifest.config.digest) wrong.push(`${from} to ${to}: config ${found.config}`);
          const isKept = KEEPS_MANIFEST.includes(from) && KEEPS_MANIFEST.includes(to);
          if (isKept && found.manifest !== image.descriptor.digest) wrong.push(`${from} to ${to}: ${found.manifest}`);
        }),
      );
      assert.deepEqual(wrong, []);
    });
  }
});

describe('lists between places', { skip: skip || (rootAccount() === undefined && 'needs root') }, () => {
  it('whole and with their digest where lists can be held, else refused', async () => {
    await using around = await Surroundings.open(rootAccount()!);
    const path = around.fresh('seed');
    const index = await storeIndex(path);
    let source = `oci:${path}:x`;
    for (const kind of ['docker', 'oci-archive', 'dir', 'oci', 'docker', 'dir', 'oci-archive', 'oci', 'dir'] as const) {
      const destination = around.newName(kind);
      await around.slipway(
        ...['image', 'copy', '-q', '--all', '--preserve-digests', '--tls-verify=false', source, destination],
      );
      const raw = await around.skopeo('inspect', '--raw', ...tlsOf(kind), destination);
      assert.equal(digestOf(Buffer.from(raw)), index, `${source} to ${destination}`);
      const there = `dir:${around.fresh('read')}`;
      await around.skopeo(...['copy', '-q', '--all', '--preserve-digests', ...srcTlsOf(kind), destination, there]);
      source = destination;
    }
    // Written by skopeo, one platform chosen by Slipway.
    const theirs = around.newName('docker');
    await around.skopeo('copy', '-q', '--all', '--dest-tls-verify=false', source, theirs);
    for (const to of ['docker-archive', 'containers-storage', 'store'] as const) {
      const one = around.newName(to);
      if (to === 'store') {
        const flags = ['-q', '--tls-verify=false', '--platform', 'linux/arm64'];
        const id = await around.inStore(one, 'pull', ...flags, theirs);
        await around.inStore(one, 'tag', id.trim(), 'NAME');
      } else {
        await assert.rejects(around.slipway('image', 'copy', '-q', '--all', '--tls-verify=false', theirs, one));
        await around.slipway('image', 'copy', '-q', '--arch', 'arm64', '--tls-verify=false', theirs, one);
      }
      assert.equal((await around.digests(to, one)).config, ARM.manifest.config.digest, to);
    }
    // Another format has other digests, which is refused where they are to be kept, and the same configs.
    const docker = around.newName('docker');
    await assert.rejects(
      around.slipway(
        ...['image', 'copy', '-q', '--all', '--preserve-digests', '-f', 'v2s2', '--tls-verify=false', theirs, docker],
      ),
    );
    await around.slipway('image', 'copy', '-q', '--all', '-f', 'v2s2', '--tls-verify=false', theirs, docker);
    const list = JSON.parse(await around.skopeo('inspect', '--raw', '--tls-verify=false', docker));
    assert.equal(list.mediaType, MEDIA.dockerList);
    assert.deepEqual(
      list.manifests.map(({ mediaType }: { mediaType: string }) => mediaType),
      [MEDIA.dockerManifest, MEDIA.dockerManifest],
    );
    const back = around.newName('oci');
    await around.slipway('image', 'copy', '-q', '--all', '-f', 'oci', '--tls-verify=false', docker, back);
    await around.skopeo('copy', '-q', '--all', back, `dir:${around.fresh('read')}`);
  });
});

const ARM = sampleImage({ tars: [tinyTar('arm')], platform: { os: 'linux', architecture: 'arm64' } });
const AMD = sampleImage({ tars: [tinyTar('amd')], platform: { os: 'linux', architecture: 'amd64' } });

/** A layout with a list of two images; gives its digest. */
async function storeIndex(path: string): Promise<string> {
  await using layout = await OciLayout.create(path, 'x');
  const manifests = [AMD, ARM].map(({ descriptor }, i) => ({
    ...descriptor,
    platform: { os: 'linux', architecture: ['amd64', 'arm64'][i]! },
  }));
  for (const { blobs, descriptor, raw } of [AMD, ARM]) {
    for (const [d, content] of blobs) await layout.push(d, bytesOf(content));
    await layout.push(descriptor, bytesOf(raw));
  }
  const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }));
  const index = descriptorOf(raw, MEDIA.ociIndex);
  await layout.push(index, bytesOf(raw));
  await layout.tag(index, '');
  return index.digest;
}

const tlsOf = (kind: PlaceKind): readonly string[] => (kind === 'docker' ? ['--tls-verify=false'] : []);
const srcTlsOf = (kind: PlaceKind): readonly string[] => (kind === 'docker' ? ['--src-tls-verify=false'] : []);

describe('archives', { skip: skip || firstReason(missingPrograms('podman')) }, () => {
  it('several images in one, and what podman saves and loads', {
    skip: rootAccount() === undefined && 'needs root',
  }, async () => {
    await using around = await Surroundings.open(rootAccount()!);
    const storage = join(around.rig.folder, 'storage');
    const flags = ['--storage-driver', 'vfs', '--root', `${storage}/graph`, '--runroot', `${storage}/run`];
    const podman = (...words: readonly string[]) => around.run('podman', [...flags, ...words]);
    const ids: string[] = [];
    const images = [AMD, sampleImage({ tars: [tinyTar('second')] })];
    for (const [i, image] of images.entries()) {
      const layout = await around.layout(image);
      const archive = `${around.fresh('own')}.tar`;
      await around.slipway('image', 'copy', '-q', layout, `docker-archive:${archive}:example.com/app:${i}`);
      await podman('load', '-q', '-i', archive);
      ids.push(image.manifest.config.digest.slice('sha256:'.length));
    }
    const names = ['example.com/app:0', 'example.com/app:1'];
    const both = `${around.fresh('both')}.tar`;
    await podman('save', '-q', '-m', '-o', both, ...names);
    assert.deepEqual(JSON.parse(await around.slipway('image', 'list-tags', `docker-archive:${both}`)).Tags, names);
    for (const [i, name] of names.entries()) {
      assert.equal((await around.slipway('pull', '-q', `docker-archive:${both}:${name}`)).trim(), ids[i]);
      assert.equal((await around.slipway('pull', '-q', `docker-archive:${both}:@${i}`)).trim(), ids[i]);
    }
    await around.slipway('rmi', '--all', '--force');
    const pulled = await around.slipway('pull', '-q', `docker-archive:${both}`);
    assert.deepEqual(pulled.trim().split('\n').sort(), [...ids].sort());
    assert.equal((await around.slipway('images', '-q')).trim().split('\n').length, 2);

    const saved = `${around.fresh('saved')}.tar`;
    await podman('save', '-q', '--format', 'oci-archive', '-o', saved, names[0]!);
    const { config } = await around.digests('oci-archive', `oci-archive:${saved}`);
    assert.equal(`sha256:${(await around.slipway('pull', '-q', `oci-archive:${saved}`)).trim()}`, config);
    const written = `${around.fresh('written')}.tar`;
    await around.slipway('push', '-q', ids[1]!, `oci-archive:${written}:example.com/again:2`);
    assert.ok(existsSync(written));
    await podman('load', '-q', '-i', written);
    assert.equal((await podman('images', '-q', '--no-trunc', 'example.com/again:2')).trim(), `sha256:${ids[1]}`);
  });
});
