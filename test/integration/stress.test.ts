/**
 * Sixteen at work on one store: builds, pulls, pushes, commits, removals, prunes, all at once and in a random order. Nobody waits
 * for ever, no image that has a name is lost, and at the end the store is whole and nothing is left over.
 * SLIPWAY_STRESS_SECONDS makes it longer, SLIPWAY_TEST_SEED repeats one.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { StoreCheckReport } from '../../src/index.ts';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, findProgram, firstReason } from '../support/command.ts';
import { mountsWith, processesWith, waitUntilNone } from '../support/processes.ts';
import { randomNumbers, seed } from '../support/random.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

const WORKERS = 16;
const SECONDS = Number(process.env['SLIPWAY_STRESS_SECONDS'] ?? 10);
/** Nothing takes this long unless somebody waits for a lock that is never given back. */
const STUCK_MS = 180_000;

describe('many at work on one store', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-stress-'));
  const context = join(scratch, 'context');
  const base = `oci:${join(scratch, 'busybox')}:latest`;
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    const text = 'FROM localhost/latest\nARG N\nRUN echo shared > /shared\nRUN echo $N > /n\nCOPY Dockerfile /\n';
    writeFileSync(join(context, 'Dockerfile'), text);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    it(`nobody hangs and nothing is lost, ${name}`, { skip: typeof account === 'string' && account }, async (t) => {
      if (typeof account === 'string') return;
      t.diagnostic(`SLIPWAY_TEST_SEED=${seed}`);
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', base);
      await using registry = findProgram('docker-registry') === undefined ? undefined : await RegistryServer.start();
      const place = registry?.host;
      if (place !== undefined) rig.run('push', '-q', '--tls-verify=false', 'localhost/latest', `${place}/base`);
      const random = randomNumbers(seed);
      const until = Date.now() + SECONDS * 1000;
      const running = new Set<ChildProcess>();
      const failures: string[] = [];
      /** Gives the exit code. */
      const act = async (...words: string[]): Promise<number | null> => {
        const child = rig.start(words);
        running.add(child);
        const stuck = setTimeout(() => {
          failures.push(`stuck: ${words.join(' ')}`);
          process.kill(-child.pid!, 'SIGKILL');
        }, STUCK_MS);
        const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
        clearTimeout(stuck);
        running.delete(child);
        return code;
      };
      const must = async (...words: string[]): Promise<void> => {
        const code = await act(...words);
        if (code !== 0) failures.push(`exit code ${code}: ${words.join(' ')}`);
      };
      const build = (n: string, tag: string) =>
        must('build', '-q', '--layers', '--build-arg', `N=${n}`, '-t', tag, context);
      const kept = new Map<string, string>();
      const work = async (worker: number): Promise<void> => {
        for (let round = 0; Date.now() < until; round++) {
          const tag = `worker-${worker}:${round}`;
          const choice = Math.floor(random() * 6);
          if (choice === 0) {
            await must('pull', '-q', base);
            if (place !== undefined)
              await must('pull', '-q', '--policy', 'always', '--tls-verify=false', `${place}/base`);
          } else if (choice === 1) await must('system', 'prune', '--force');
          else if (choice === 2) {
            await must('from', '--name', `c-${worker}-${round}`, '--pull-never', 'localhost/latest');
            await must('copy', `c-${worker}-${round}`, join(context, 'Dockerfile'), '/n');
            await must('commit', '-q', '--rm', `c-${worker}-${round}`, tag);
            if (place !== undefined) {
              const name = `${place}/${tag}`;
              await must('push', '-q', '--tls-verify=false', tag, name);
              await must('rmi', tag);
              await must('pull', '-q', '--tls-verify=false', name);
              await must('rmi', name);
            } else await must('rmi', tag);
          } else {
            await build(tag, tag);
            if (choice === 3) await must('rmi', tag);
            else kept.set(tag, tag);
          }
        }
      };
      try {
        await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
      } finally {
        for (const child of running) process.kill(-child.pid!, 'SIGKILL');
      }
      assert.deepEqual(failures, []);
      const images = rig.run('images', '--format', '{{.Name}}:{{.Tag}}').split('\n');
      assert.deepEqual(
        [...kept.keys()].filter((tag) => !images.includes(`localhost/${tag}`)),
        [],
      );
      assert.deepEqual(await waitUntilNone(() => processesWith(rig.folder), 2000), []);
      assert.deepEqual(mountsWith(rig.folder), []);
      assert.equal(rig.run('containers', '-q'), '');
      rig.run('system', 'prune', '--force');
      const report = JSON.parse(rig.run('system', 'check', '--json', '--read-data')) as StoreCheckReport;
      assert.deepEqual([report.damages, report.unreferenced], [[], []]);
      const [tag] = [...kept.keys()].slice(-1);
      if (tag === undefined) return;
      const container = rig.run('from', '--pull-never', tag);
      assert.equal(rig.run('run', container, 'cat', '/n', '/shared'), `${tag}\nshared`);
    });
  }
});
