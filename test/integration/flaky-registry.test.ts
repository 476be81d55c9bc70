/**
 * `pull` and `push` of an image of forty blobs with a registry that fails at one request in twenty. What passes is tried
 * again and comes out right; what lies about lengths may end the command with a clear error. Either way nothing is half
 * written, here or there. A failed run prints its seed; `SLIPWAY_TEST_SEED` repeats it.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestOf, hexOf } from '../../src/spec/digest.ts';
import { accounts } from '../support/account.ts';
import type { CommandResult } from '../support/command.ts';
import { missingPrograms } from '../support/command.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { type Fault, makeFlaky, PASSING_FAULTS } from '../support/flaky-registry.ts';
import { file, tarOf } from '../support/layer-tar.ts';
import { measuredCommand } from '../support/measured-command.ts';
import { randomNumbers, seed } from '../support/random.ts';
import { Rig } from '../support/rig.ts';
import { sampleImage } from '../support/sample-image.ts';

const LAYERS = 39;
/** Small blobs are sent from memory, this one is streamed. */
const LARGE_BYTES = 5_000_000;
const ROUNDS = 3;

const account = accounts().find((known) => typeof known.account !== 'string')?.account;
const skip = typeof account !== 'object' ? 'no account to run as' : missingPrograms('time', 'setpriv');

const noise = randomNumbers(1);
const large = Buffer.from(Array.from({ length: LARGE_BYTES }, () => noise() * 256));
const image = sampleImage({
  tars: Array.from({ length: LAYERS }, (_, i) =>
    tarOf(file(`f${i}`, i === 7 ? large : `content ${i} `.repeat(i * 10))),
  ),
});

describe('a registry that fails at one request in twenty', { skip }, () => {
  let rig: Rig;
  let stores = 0;
  before(async () => {
    if (typeof account === 'object') rig = await Rig.open({ account });
  });
  after(() => rig?.[Symbol.asyncDispose]());

  const newStore = (): string => join(rig.folder, 'work', `store-${++stores}`);
  /** The registry is in this process, which must not stand still meanwhile. */
  const slipway = (root: string, words: readonly string[]): Promise<CommandResult> => {
    const store = ['--root', root, '--runroot', join(rig.folder, 'runroot'), '--storage-driver', 'vfs'];
    const { uid, gid } = rig.account;
    const o = { env: rig.env, uid, gid, cwd: join(rig.folder, 'work') };
    return measuredCommand(rig.program, [...store, ...words], o);
  };
  const pull = (root: string, registry: FakeRegistry): Promise<CommandResult> =>
    slipway(root, ['pull', '-q', ...PATIENT, `docker://${registry.host}/team/app:x`]);
  const push = (root: string, id: string, registry: FakeRegistry): Promise<CommandResult> =>
    slipway(root, ['push', '-q', ...PATIENT, id, `docker://${registry.host}/team/app:x`]);

  const id = hexOf(image.manifest.config.digest);
  for (let round = 0; round < ROUNDS; round++) {
    const roundSeed = (seed + round) >>> 0;

    it(`F22 a pull comes out right, round ${round}`, async (t) => {
      await using registry = await withImage();
      const told = makeFlaky(registry, { seed: roundSeed, oneIn: 20, faults: PASSING_FAULTS, inARow: 3 });
      const root = newStore();
      const { status, stdout, stderr } = await pull(root, registry);
      t.diagnostic(`seed ${seed}; ${told.length} failures`);
      assert.equal(status, 0, `seed ${seed}\n${told.join('\n')}\n${stderr}`);
      assert.equal(stdout.trim(), id);
      assert.deepEqual(damage(root, 1), []);
      assert.deepEqual(missing(root), []);
    });

    it(`F22 a push comes out right, round ${round}`, async (t) => {
      const root = newStore();
      await using origin = await withImage();
      assert.equal((await pull(root, origin)).status, 0);
      await using registry = await FakeRegistry.start();
      const told = makeFlaky(registry, { seed: roundSeed, oneIn: 20, faults: PASSING_FAULTS, inARow: 3 });
      const { status, stderr } = await push(root, id, registry);
      t.diagnostic(`seed ${seed}; ${told.length} failures`);
      assert.equal(status, 0, `seed ${seed}\n${told.join('\n')}\n${stderr}`);
      assert.deepEqual(registry.manifests.get('team/app:x')?.content, image.raw);
      assert.deepEqual(half(registry), []);
      assert.deepEqual(damage(root, 1), []);
    });

    it(`F22 answers of the wrong length leave nothing half-done, round ${round}`, async (t) => {
      const faults: readonly Fault[] = ['too long', 'too short'];
      await using registry = await withImage();
      const told = makeFlaky(registry, { seed: roundSeed, oneIn: 20, faults });
      const root = newStore();
      const pulled = await pull(root, registry);
      t.diagnostic(`seed ${seed}; ${told.length} answers; pull ${pulled.status}`);
      told.length === 0 ? assert.equal(pulled.status, 0, pulled.stderr) : isRightOrClear(pulled, registry.host);
      assert.deepEqual(damage(root, pulled.status === 0 ? 1 : 0), []);
      registry.intercept = undefined;
      assert.equal((await pull(root, registry)).status, 0);
      assert.deepEqual(missing(root), []);

      await using target = await FakeRegistry.start();
      makeFlaky(target, { seed: roundSeed, oneIn: 20, faults });
      isRightOrClear(await push(root, id, target), target.host);
      assert.deepEqual(half(target), []);
      target.intercept = undefined;
      const again = await push(root, id, target);
      assert.equal(again.status, 0, again.stderr);
      assert.deepEqual(target.manifests.get('team/app:x')?.content, image.raw);
    });
  }
});

const PATIENT = ['--tls-verify=false', '--retry', '5', '--retry-delay', '1ms'];

async function withImage(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  for (const content of image.blobs.values()) registry.addBlob(content);
  registry.addManifest('team/app', 'x', image.raw);
  return registry;
}

function isRightOrClear({ status, stderr }: CommandResult, host: string): void {
  if (status === 0) return;
  assert.equal(status, 125, stderr);
  assert.match(stderr, /^Error: /m);
  assert.ok(stderr.includes(host), `seed ${seed}: the registry is not named: ${stderr}`);
  assert.doesNotMatch(stderr, /internal|This is a bug/);
}

/** What must not be in a store: blobs that are not what their names say, things half made, more or fewer images. */
function damage(root: string, images: number): string[] {
  const base = join(root, 'v1');
  const blobs = readdirSync(join(base, 'blobs/sha256'));
  const wrong = blobs.filter((name) => hexOf(digestOf(readFileSync(join(base, 'blobs/sha256', name)))) !== name);
  const table = join(base, 'images.json');
  const known = existsSync(table) ? (JSON.parse(readFileSync(table, 'utf8')).images as unknown[]).length : 0;
  const halves = readdirSync(join(base, 'tmp')).map((name) => `tmp/${name}`);
  return [...wrong.map((name) => `blob ${name}`), ...halves, ...(known === images ? [] : [`${known} images`])];
}

/** Blobs of the image that a store lacks. */
function missing(root: string): string[] {
  const there = new Set(readdirSync(join(root, 'v1/blobs/sha256')));
  return [...image.blobs.keys()].map(({ digest }) => hexOf(digest)).filter((hex) => !there.has(hex));
}

/** Manifests of a registry whose blobs it lacks. */
function half(registry: FakeRegistry): string[] {
  return [...registry.manifests].flatMap(([name, { content }]) => {
    const { config, layers } = JSON.parse(content.toString()) as typeof image.manifest;
    return [config, ...layers]
      .filter(({ digest }) => !registry.blobs.has(digest))
      .map(({ digest }) => `${name} ${digest}`);
  });
}
