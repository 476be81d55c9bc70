/** Runs that outlive, or must not outlive, the program; and the executor suites as an ordinary user. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { mayMount } from '../../src/sys/user-namespace.ts';
import { ordinaryAccount } from '../support/account.ts';
import { busyboxProblem, busyboxRoot } from '../support/executor-suite.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const LAUNCHER = join(HERE, '../../../bin/slipway');
const SOURCES = join(HERE, '../../src/run');

/** Pids of processes whose command line has that word. */
function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function eventually(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await pause(50)) if (condition()) return true;
  return condition();
}

const problem = busyboxProblem() ?? (mayMount() ? undefined : 'needs the right to mount');

describe('a run whose program is killed', { skip: problem ?? false }, () => {
  let root = '';
  before(() => {
    root = busyboxRoot();
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const scratch = mkdtempSync(join(tmpdir(), 'slipway-killed-'));
  after(() => rmSync(scratch, { recursive: true, force: true }));
  /** A throwaway layer of the isolation that has to unmount it itself; elsewhere it goes with the namespace. */
  const over = { oci: [{ type: 'overlay', source: '/etc', target: '/over' }], chroot: [] };

  for (const isolation of ['chroot', 'oci'] as const) {
    test(`${isolation}: leaves no process`, async (t) => {
      // A number nobody else sleeps for marks our processes.
      const seconds = String(100_000 + (process.pid % 10_000) * 10 + (isolation === 'oci' ? 1 : 2));
      const program = `
        const { chooseExecutor } = await import(${JSON.stringify(join(SOURCES, 'probe.js'))});
        const { processSpec } = await import(${JSON.stringify(join(HERE, '../support/executor-suite.js'))});
        const { executor } = await chooseExecutor({ env: {}, isolation: ${JSON.stringify(isolation)},
          temporary: ${JSON.stringify(scratch)} });
        await executor.run(${JSON.stringify(root)}, processSpec(['sh', '-c', 'sleep ${seconds} & sleep ${seconds}'],
            { mounts: ${JSON.stringify(over[isolation])} }),
          { stdin: 'ignore', stdout: () => {}, stderr: () => {} });`;
      const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr?.on('data', (chunk) => {
        said += chunk;
      });
      const started = await eventually(() => processesWith(seconds).length >= 2 || child.exitCode !== null, 15_000);
      if (said.includes('isolation-unavailable') || said.includes('does not work here'))
        return t.skip(`no ${isolation} here`);
      assert.ok(started && child.exitCode === null, said);
      child.kill('SIGKILL');
      assert.ok(await eventually(() => processesWith(seconds).length === 0, 5000), 'processes are left');
      const traces = (): string[] => [
        ...readdirSync(scratch),
        ...readFileSync('/proc/self/mountinfo', 'utf8')
          .split('\n')
          .filter((line) => line.includes(scratch)),
      ];
      assert.ok(await eventually(() => traces().length === 0, 5000), `left: ${traces().join(', ')}`);
    });
  }
});

const account = ordinaryAccount();

describe('as an ordinary user', { skip: typeof account === 'string' ? account : (problem ?? false) }, () => {
  if (typeof account === 'string') return;
  for (const suite of ['chroot', 'oci-runtime']) {
    test(`unit/run/${suite} passes in a user namespace`, () => {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const script = join(HERE, `../unit/run/${suite}.test.js`);
      assert.ok(existsSync(script));
      const done = spawnSync(LAUNCHER, [], {
        ...(process.getuid?.() === 0 ? { uid: account.uid, gid: account.gid } : {}),
        cwd: '/',
        encoding: 'utf8',
        maxBuffer: 1 << 26,
        env: { ...env, HOME: account.home, XDG_CACHE_HOME: join(account.home, '.cache'), SLIPWAY_SCRIPT: script },
      });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    });
  }
});
