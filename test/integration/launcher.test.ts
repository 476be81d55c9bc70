/** `bin/slipway` decides on namespaces once. A script that reports where it runs stands in for the program. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Account, accounts } from '../support/account.ts';

const LAUNCHER = fileURLToPath(new URL('../../../bin/slipway', import.meta.url));
const REPORT = `
const fs = require('node:fs');
const cap = /CapEff:\\s*(\\w+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];
console.log(JSON.stringify({
  args: process.argv.slice(2), mode: process.env.SLIPWAY_LAUNCHED, uid: process.getuid(),
  rootless: process.env.SLIPWAY_ROOTLESS_UID ?? null, mounts: fs.readlinkSync('/proc/self/ns/mnt'),
  user: fs.readlinkSync('/proc/self/ns/user'), mayMount: ((BigInt('0x' + cap) >> 21n) & 1n) === 1n,
  ids: fs.readFileSync('/proc/self/uid_map', 'utf8').trim().split('\\n').reduce((n, l) => n + Number(l.trim().split(/\\s+/)[2]), 0),
  options: process.env.NODE_OPTIONS ?? null, left: process.env.SLIPWAY_SCRIPT ?? null,
}));`;

interface Report {
  readonly args: readonly string[];
  readonly mode: string;
  readonly uid: number;
  readonly rootless: string | null;
  readonly mounts: string;
  readonly user: string;
  readonly mayMount: boolean;
  readonly ids: number;
  readonly options: string | null;
  readonly left: string | null;
}

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-launcher-'));
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'report.cjs'), REPORT);
  symlinkSync(LAUNCHER, join(directory, 'slipway'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** Starts the launcher by the link npm would make, as that account. */
function launch(
  account: Account,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
  through: readonly string[] = [],
) {
  const [command = '', ...rest] = [...through, join(directory, 'slipway'), ...args];
  const done = spawnSync(command, rest, {
    uid: account.uid,
    gid: account.gid,
    cwd: '/',
    encoding: 'utf8',
    env: {
      PATH: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: account.home,
      SLIPWAY_SCRIPT: join(directory, 'report.cjs'),
      NODE_OPTIONS: '--no-such-option',
      ...more,
    },
  });
  return { done, report: done.status === 0 ? (JSON.parse(done.stdout) as Report) : undefined };
}

for (const { name, account } of accounts()) {
  describe(`launcher as ${name}`, { skip: typeof account === 'string' ? account : false }, () => {
    if (typeof account === 'string') return;
    const rootless = account.kind === 'ordinary';

    test('enters what a build needs, and forgets what must not reach node', () => {
      const { done, report } = launch(account, ['build', '-t', 'a b', '.']);
      assert.ok(report !== undefined, done.stderr);
      assert.deepEqual(
        {
          args: report.args,
          mode: report.mode,
          uid: report.uid,
          mayMount: report.mayMount,
          options: report.options,
          left: report.left,
        },
        {
          args: ['build', '-t', 'a b', '.'],
          mode: rootless ? 'rootless' : 'root',
          uid: 0,
          mayMount: true,
          options: null,
          left: null,
        },
      );
      assert.ok(report.ids >= 65536);
      assert.equal(report.rootless, rootless ? String(account.uid) : null);
    });

    for (const args of [
      ['mount', 'x'],
      ['--root', '/x', 'umount', 'x'],
      ['--log-level=debug', 'unmount', '-a'],
    ]) {
      test(`${args.join(' ')} runs where its mounts are`, () => {
        const { report } = launch(account, args);
        const own = spawnSync('readlink', ['/proc/self/ns/mnt'], { encoding: 'utf8' }).stdout.trim();
        // An ordinary user's mounts live in a user namespace: unmounting needs one, and mounting outside is refused.
        const isDirect = !rootless || args.includes('mount');
        assert.equal(report?.mode, isDirect ? 'direct' : 'rootless');
        assert.equal(report?.mounts === own, isDirect);
      });
    }

    test('a value that looks like a command is not one', () => {
      assert.notEqual(launch(account, ['--root', 'mount', 'build', '.']).report?.mode, 'direct');
    });

    test('makes no second user namespace inside one', () => {
      if (!rootless) return;
      const through = ['unshare', '--user', '--map-root-user', '--map-auto', '--mount'];
      const { done, report } = launch(account, ['build'], {}, through);
      assert.ok(report !== undefined, done.stderr);
      assert.deepEqual(
        { mode: report.mode, uid: report.uid, rootless: report.rootless },
        { mode: 'root', uid: 0, rootless: String(account.uid) },
      );
    });

    test('F25 without node says what is needed', () => {
      const { done } = launch(account, ['build'], { SLIPWAY_NODE: 'no-such-node' });
      assert.deepEqual(
        [done.status, done.stderr],
        [125, 'Error: slipway needs node 20.19 or newer, and there is no node in $PATH\n'],
      );
    });

    test('an older util-linux: maps written by hand', () => {
      if (!rootless) return;
      const old = join(directory, 'old');
      spawnSync('mkdir', ['-p', old]);
      writeFileSync(
        join(old, 'unshare'),
        '#!/bin/sh\n[ "$1" = --version ] && { echo "unshare from util-linux 2.36.1"; exit; }\nexec /usr/bin/unshare "$@"\n',
      );
      chmodSync(join(old, 'unshare'), 0o755);
      const { done, report } = launch(account, ['build'], {
        PATH: `${old}:${dirname(process.execPath)}:/usr/bin:/bin`,
      });
      assert.ok(report !== undefined, done.stderr);
      assert.deepEqual(
        { uid: report.uid, mayMount: report.mayMount, mode: report.mode },
        { uid: 0, mayMount: true, mode: 'rootless' },
      );
      assert.ok(report.ids >= 65536);
    });

    test('F25 without newuidmap one id is mapped, with one warning, none when quiet', () => {
      if (!rootless) return;
      const bare = join(directory, 'bare');
      spawnSync('mkdir', ['-p', bare]);
      for (const tool of ['unshare', 'id', 'readlink']) spawnSync('ln', ['-sf', `/usr/bin/${tool}`, join(bare, tool)]);
      spawnSync('ln', ['-sf', process.execPath, join(bare, 'node')]);
      const { done, report } = launch(account, ['build', '.'], { PATH: bare });
      assert.deepEqual({ mode: report?.mode, ids: report?.ids }, { mode: 'single-id', ids: 1 });
      assert.match(done.stderr, /^Warning: no subordinate ids [^\n]*\n$/);
      assert.equal(launch(account, ['build', '-q', '.'], { PATH: bare }).done.stderr, '');
    });
  });
}
