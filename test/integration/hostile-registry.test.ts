/**
 * `pull` from a registry that means harm. Whatever it says, the command ends with a clear error or sees through it: the
 * message names the registry and what was asked for, no login reaches another host, memory stays small, and the store
 * holds nothing that is not what its name says.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestOf, hexOf } from '../../src/spec/digest.ts';
import { accounts } from '../support/account.ts';
import { missingPrograms } from '../support/command.ts';
import { HostileRegistry, LOGIN, REGISTRY, REPOSITORY } from '../support/hostile-registry.ts';
import { type MeasuredResult, measuredCommand } from '../support/measured-command.ts';
import { LIES, type Lie } from '../support/registry-lies.ts';
import { Rig } from '../support/rig.ts';

const MAX_PEAK_KIB = 300 * 1024;
/** Two attempts, each at a socket's buffer or two; far below the GiB an endless answer is ready to send. */
const MAX_SENT_BYTES = 64 << 20;

const account = accounts().find((known) => typeof known.account !== 'string')?.account;
const skip = typeof account !== 'object' ? 'no account to run as' : missingPrograms('time', 'setpriv');

describe('a hostile registry', { skip, concurrency: 3 }, () => {
  let rig: Rig;
  let stores = 0;
  before(async () => {
    if (typeof account === 'object') rig = await Rig.open({ account });
  });
  after(() => rig?.[Symbol.asyncDispose]());

  /** A pull into a store of its own. */
  async function pull(registry: HostileRegistry): Promise<{ result: MeasuredResult; root: string }> {
    const root = join(rig.folder, 'work', `store-${++stores}`);
    const store = ['--root', root, '--runroot', join(rig.folder, 'runroot'), '--storage-driver', 'vfs'];
    const login = ['--creds', `${LOGIN.username}:${LOGIN.password}`, '--tls-verify=false'];
    const words = ['--log-level', 'debug', 'pull', '-q', ...login, '--retry', '1', '--retry-delay', '1ms'];
    const args = [...store, ...words, `docker://${REGISTRY}/${REPOSITORY}:x`];
    const { uid, gid } = rig.account;
    const env = { ...rig.env, ...registry.env };
    return { result: await measuredCommand(rig.program, args, { env, uid, gid, cwd: join(rig.folder, 'work') }), root };
  }

  function checkAnswer(lie: Lie, registry: HostileRegistry, { status, stdout, stderr }: MeasuredResult): void {
    if (lie.error === undefined) {
      assert.equal(status, 0, stderr);
      assert.equal(stdout.trim().replace(/^sha256:/, ''), hexOf(registry.image.manifest.config.digest));
      return;
    }
    assert.equal(status, 125, stderr);
    assert.equal(stdout, '');
    const message = stderr.slice(stderr.indexOf('Error: '), stderr.indexOf('\n    at '));
    assert.match(message, lie.error.says);
    assert.ok(message.includes(`[${lie.error.code}]`), message);
    const [first = ''] = message.split('\n');
    assert.ok(first.includes(REGISTRY), `the registry is not named: ${first}`);
    if (lie.object !== undefined) assert.ok(`${first} `.includes(lie.object(registry)), `not named: ${first}`);
    assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  }

  for (const lie of LIES) {
    it(lie.name, async () => {
      await using registry = await HostileRegistry.start();
      lie.tell(registry);
      const { result, root } = await pull(registry);
      checkAnswer(lie, registry, result);
      assert.deepEqual(registry.leaks, []);
      assert.ok(!(result.stderr + result.stdout).includes(LOGIN.password));
      assert.ok(result.peakKiB < MAX_PEAK_KIB, `took ${result.peakKiB} KiB`);
      assert.ok(registry.sentBytes < MAX_SENT_BYTES, `took ${registry.sentBytes} bytes`);
      assert.deepEqual(damage(root, lie.error === undefined ? 1 : 0), []);
    });
  }
});

/** What must not be in a store: blobs that are not what their names say, half-made things, more images than these. */
function damage(root: string, images: number): string[] {
  const base = join(root, 'v1');
  const blobs = readdirSync(join(base, 'blobs/sha256'));
  const wrong = blobs.filter((name) => hexOf(digestOf(readFileSync(join(base, 'blobs/sha256', name)))) !== name);
  const table = join(base, 'images.json');
  const known = existsSync(table) ? (JSON.parse(readFileSync(table, 'utf8')).images as unknown[]).length : 0;
  return [
    ...wrong.map((name) => `blob ${name}`),
    ...readdirSync(join(base, 'tmp')).map((name) => `tmp/${name}`),
    ...readdirSync(join(base, 'layers'))
      .map((name) => `layers/${name}`)
      .slice(images * 2),
    ...(known === images ? [] : [`${known} images`]),
  ];
}
