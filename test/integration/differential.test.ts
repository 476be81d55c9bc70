/**
 * The same Dockerfile, context and flags given to Slipway and to the Buildah of the distribution make the same config
 * and the same tree. Each case of the corpus is a folder: `context/`, `flags` (one word a line), `prepare.sh` (run in a
 * copy of the context, for what a checkout cannot hold) and `first/` (built before, as localhost/first). Every second
 * case is built, all with `CASES=`.
 *
 * What is not compared, and why:
 * - times of creation, in config and history, and image ids: two builds are never the same moment;
 * - digests of layers: Buildah's archives carry its own order and headers; the trees are compared instead;
 * - the digest inside a history line of COPY or ADD: it is Buildah's own hash over its own archive of the sources;
 * - the label that names the builder and its version, and an empty list or map against an absent one;
 * - SHELL in an image of OCI format: Debian's Buildah drops it, Slipway writes it as BuildKit does;
 * - the history of a squashed image: Debian's Buildah keeps lines of layers that are gone, later versions do not;
 * - layers without any entry: Debian's Buildah adds one to an image of which only the config changed;
 * - mode and time of the root directory: Debian's Buildah makes the root of every new layer anew, mode 0555;
 * - mount points of RUN that Debian's Buildah leaves behind (`/dev`, `/proc`, `/sys`, `/run`, and empty files in
 *   `/etc`) and the time of `/etc`: later versions take them away again, as Slipway does;
 * - modification times from within the build, which become the word `built`. Times from before it (copied files,
 *   unpacked archives, the base) are compared to the second, because Debian's Buildah drops fractions when it
 *   commits. A directory whose time Buildah let drift into the build may keep its old time in Slipway's tree.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rootAccount } from '../support/account.ts';
import { makeBusyboxBase, pushLayout, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { checkout } from '../support/installation.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';
import { sampleCases } from '../support/sample-cases.ts';
import { type TreeEntry, treeDifferences } from '../support/tree-listing.ts';
import { valueDifferences } from '../support/value-differences.ts';

const corpus = join(checkout, 'test/corpus/differential');
const account = rootAccount();
const skip = firstReason(
  account === undefined && 'comparing owners needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('buildah', 'skopeo', 'docker-registry', 'setfattr', 'xz', 'bzip2'),
);

interface Built {
  readonly config: unknown;
  readonly annotations: unknown;
  readonly tree: TreeEntry[];
}

describe('the same Dockerfile built by Slipway and by Buildah', { skip }, () => {
  let registry: RegistryServer;
  let slipway: Rig;
  let buildah: Rig;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-differential-'));

  before(async () => {
    registry = await RegistryServer.start();
    makeBusyboxBase(join(scratch, 'busybox'));
    pushLayout(join(scratch, 'busybox'), `${registry.host}/busybox:base`);
    slipway = await Rig.open({ account: account! });
    buildah = await Rig.open({ account: account!, program: 'buildah' });
    for (const rig of [slipway, buildah]) {
      rig.run('pull', '-q', '--tls-verify=false', `${registry.host}/busybox:base`);
      rig.run('tag', `${registry.host}/busybox:base`, 'localhost/busybox:base');
      // An image of two names would let each builder choose one for the history.
      rig.run('rmi', `${registry.host}/busybox:base`);
    }
  });
  after(async () => {
    await slipway?.[Symbol.asyncDispose]();
    await buildah?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const cases = readdirSync(corpus)
    .sort()
    .map((name) => ({ name }));
  for (const { name } of sampleCases(cases, 2)) {
    it(name, () => {
      const context = prepareContext(name, scratch);
      const ours = build(slipway, registry, name, context);
      const theirs = build(buildah, registry, name, context);
      assert.deepEqual(
        [
          ...valueDifferences('config', ours.config, theirs.config),
          ...valueDifferences('annotations', ours.annotations, theirs.annotations),
          ...treeDifferences(ours.tree, allowForDrift(theirs.tree, ours.tree)),
        ],
        [],
      );
    });
  }
});

/** A copy of the case's context, completed by its script; every time in it is in the past. */
function prepareContext(name: string, scratch: string): string {
  const source = join(corpus, name);
  const context = join(scratch, name);
  cpSync(join(source, 'context'), context, { recursive: true, verbatimSymlinks: true });
  const script = join(source, 'prepare.sh');
  const env = { ...process.env, BUSYBOX: staticBusybox(), LC_ALL: 'C' };
  if (existsSync(script)) command('/bin/bash', ['-eu', script], { cwd: context, env });
  command('find', ['.', '-exec', 'touch', '-h', '-d', '@1500000000', '{}', '+'], { cwd: context });
  return context;
}

function build(rig: Rig, registry: RegistryServer, name: string, context: string): Built {
  const startedAt = Math.floor(Date.now() / 1000);
  const flagsFile = join(corpus, name, 'flags');
  const flags = existsSync(flagsFile) ? readFileSync(flagsFile, 'utf8').split('\n').slice(0, -1) : [];
  const format = flags.includes('docker') ? ['--format', 'docker'] : [];
  const first = join(corpus, name, 'first');
  if (existsSync(first)) rig.run('bud', ...format, '-q', '-t', 'localhost/first', first);
  rig.run('bud', ...flags, '-q', '-t', 'localhost/result', context);
  const pushed = `${registry.host}/${rig.isSlipway ? 'slipway' : 'buildah'}/${name}`;
  rig.run('push', '-q', '--tls-verify=false', 'localhost/result', `docker://${pushed}`);
  const inspect = (...what: string[]) =>
    JSON.parse(command('skopeo', ['inspect', '--tls-verify=false', '--raw', ...what, `docker://${pushed}`]));
  const built = {
    config: comparableConfig(inspect('--config'), flags),
    annotations: comparableAnnotations(inspect()['annotations'] ?? {}),
    tree: comparableTree(rig.imageTree('localhost/result'), startedAt),
  };
  return built;
}

interface RawConfig {
  created?: string;
  container?: string;
  parent?: string;
  id?: string;
  config?: RawRunConfig;
  container_config?: RawRunConfig;
  rootfs: { diff_ids: string[] };
  history: { created?: string; created_by?: string; comment?: string; empty_layer?: boolean }[];
  [field: string]: unknown;
}

interface RawRunConfig {
  Labels?: Record<string, string> | null;
  Image?: string;
  Hostname?: string;
  [field: string]: unknown;
}

/** SHA-256 of two blocks of zeros: an archive without entries. */
const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

function comparableConfig(raw: RawConfig, flags: readonly string[]): unknown {
  const { created: _created, container: _container, parent: _parent, id: _id, ...rest } = raw;
  const diffIds = [...raw.rootfs.diff_ids];
  return {
    ...rest,
    config: comparableRunConfig(raw.config, flags),
    ...(raw.container_config === undefined
      ? {}
      : { container_config: comparableRunConfig(raw.container_config, flags) }),
    rootfs: { ...raw.rootfs, diff_ids: raw.rootfs.diff_ids.filter((diffId) => diffId !== EMPTY_LAYER).length },
    history: (flags.includes('--squash') ? [] : raw.history).map(({ created: _when, ...entry }) => ({
      ...entry,
      empty_layer: entry.empty_layer === true || diffIds.shift() === EMPTY_LAYER,
      created_by: withoutDigests(entry.created_by ?? ''),
      comment: withoutDigests(entry.comment ?? ''),
    })),
  };
}

function comparableRunConfig(raw: RawRunConfig | undefined, flags: readonly string[]): unknown {
  if (raw === undefined) return undefined;
  const { 'io.buildah.version': _theirs, 'io.slipway.version': _ours, ...labels } = raw.Labels ?? {};
  // Docker's format names the container that was committed: its id, and a host name made of it.
  const { Image: _image, Hostname: _hostname, Shell: shell, ...rest } = raw;
  return { ...rest, Labels: labels, Shell: flags.includes('docker') ? shell : undefined };
}

function withoutDigests(text: string): string {
  return text.replaceAll(/\b(file|dir|multi):[0-9a-f]{64}\b/g, '$1:DIGEST').replaceAll(/\b[0-9a-f]{12,64}\b/g, 'ID');
}

function comparableAnnotations(annotations: Record<string, string>): unknown {
  const { 'org.opencontainers.image.created': _created, ...rest } = annotations;
  return Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, value.replace(/^sha256:[0-9a-f]{64}$/, 'DIGEST')]),
  );
}

function comparableTree(tree: readonly TreeEntry[], startedAt: number): TreeEntry[] {
  return tree.map((entry) => {
    const seconds = Number(entry.mtime.split('.')[0]);
    const mtime = seconds >= startedAt ? 'built' : String(seconds);
    return entry.path === '.' ? { ...entry, mode: '', mtime: '' } : { ...entry, mtime };
  });
}

const MOUNT_POINTS = ['dev', 'proc', 'sys', 'run', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf'];

/** Buildah's tree without the traces of Buildah's own work that the head of this file names. */
function allowForDrift(theirs: readonly TreeEntry[], ours: readonly TreeEntry[]): TreeEntry[] {
  const known = new Map(ours.map((entry) => [entry.path, entry]));
  return theirs
    .filter((entry) => known.has(entry.path) || !MOUNT_POINTS.includes(entry.path) || (entry.size ?? 0) > 0)
    .map((entry) => {
      const drifted = entry.type === 'directory' && entry.mtime === 'built';
      return drifted ? { ...entry, mtime: known.get(entry.path)?.mtime ?? entry.mtime } : entry;
    });
}
