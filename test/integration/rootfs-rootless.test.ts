/** The same suites in a user namespace of an ordinary user, and the same digests as root. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { diffTrees } from '../../src/rootfs/diff-tree.ts';
import { digestOf } from '../../src/spec/digest.ts';
import { collect } from '../support/layer-tar.ts';
import { DRIVERS, place, skipDriver, snapshotter } from '../support/snapshot-place.ts';

const USER = 'tester';
const HERE = dirname(fileURLToPath(import.meta.url));

function user(): { readonly uid: number; readonly gid: number } | string {
  if (process.geteuid?.() !== 0) return 'needs root to become an ordinary user';
  if (spawnSync('id', [USER]).status !== 0 && spawnSync('useradd', ['-m', USER]).status !== 0)
    return `cannot make the user ${USER}`;
  if (!readFileSync('/etc/subuid', 'utf8').includes(`${USER}:`)) return `${USER} has no subordinate ids`;
  const id = (flag: string): number => Number(execFileSync('id', [flag, USER], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Runs a program as root of a namespace of the user's own, with a temporary directory the user may write to. */
function rootless(
  ids: { uid: number; gid: number },
  args: readonly string[],
): { status: number | null; output: string } {
  const temporary = place();
  chownSync(temporary, ids.uid, ids.gid);
  chmodSync(temporary, 0o755);
  const unshare = ['unshare', '--user', '--map-auto', '--map-root-user', '--mount', ...args];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const done = spawnSync('setpriv', [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--init-groups', ...unshare], {
    encoding: 'utf8',
    env: { ...env, HOME: temporary, SLIPWAY_TEST_TMP: temporary },
    maxBuffer: 64 * 1024 * 1024,
  });
  return { status: done.status, output: done.stdout + done.stderr };
}

const ids = user();
const skip =
  typeof ids === 'string'
    ? ids
    : rootless(ids, [process.execPath, '-e', '0']).status === 0
      ? false
      : 'user namespaces with subordinate ids do not work here';

describe('rootless', { skip }, () => {
  if (typeof ids === 'string') return;
  for (const name of ['overlay', 'vfs', 'apply-tar', 'diff-tree']) {
    it(`unit/rootfs/${name} passes in a user namespace`, () => {
      const { status, output } = rootless(ids, [
        process.execPath,
        '--test',
        join(HERE, `../unit/rootfs/${name}.test.js`),
      ]);
      assert.equal(status, 0, output);
      const count = (word: string): number =>
        Number(new RegExp(`^# ${word} (\\d+)`, 'm').exec(output)?.[1] ?? Number.NaN);
      assert.ok(count('pass') > 5, output);
    });
  }

  it('root and rootless, overlay and vfs, give one digest', { skip: skipDriver('overlay') }, async () => {
    const digests = new Set<string>();
    for (const driver of DRIVERS) {
      digests.add(await changeDigest(driver));
      const { status, output } = rootless(ids, [process.execPath, fileURLToPath(import.meta.url), 'digest', driver]);
      assert.equal(status, 0, output);
      digests.add(/sha256:[0-9a-f]{64}/.exec(output)?.[0] ?? output);
    }
    assert.equal(digests.size, 1, [...digests].join());
  });
});

async function changeDigest(driver: (typeof DRIVERS)[number]): Promise<string> {
  const snapshots = snapshotter(driver);
  const run = async (key: string, script: string): Promise<void> => {
    await using mounted = await snapshots.mount(key);
    const stamp = 'find . -print0 | sort -rz | xargs -0 touch -h -d @1700000000.123456789';
    execFileSync('sh', ['-ec', `umask 022; ${script}; ${stamp}`], { cwd: mounted.path });
  };
  await snapshots.prepare('a', undefined);
  await run('a', 'mkdir -p d e; echo a > d/a; echo b > e/b; echo t > t');
  const parent = await snapshots.seal('a');
  await snapshots.prepare('b', parent);
  const change =
    'rm -r d; mkdir d; echo n > d/n; rm e/b; chown 5:6 t; chmod 6711 t; ln t t2; ln -s x s; mkfifo p; cp t c; setcap cap_net_raw+ep c';
  await run('b', change.replace(/; setcap.*/, spawnSync('setcap', ['-h']).error === undefined ? '$&' : ''));
  await using source = await snapshots.changes({ key: 'b' });
  return digestOf(await collect(diffTrees(source)));
}

if (process.argv[2] === 'digest') console.log(await changeDigest(process.argv[3] as (typeof DRIVERS)[number]));
