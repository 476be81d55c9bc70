/**
 * Builds that are killed. `kill -9` of the whole process group at random moments leaves nothing that matters: the next
 * command works, earlier images are intact, no process and no mount is left, and what was half made is swept. SIGINT
 * and SIGTERM end a build soon, with the exit codes a shell expects.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { mountsWith, processesWith, waitUntilNone } from '../support/processes.ts';
import { randomNumbers, seed } from '../support/random.ts';
import { Rig } from '../support/rig.ts';
import { treeDifferences } from '../support/tree-listing.ts';

/** Kills a build suffers, for each account. */
const MOMENTS = 25;

// RUN leaves a grandchild behind that has a session of its own, so that only the engine can end it.
/** A number of seconds nobody else sleeps: by it the processes of RUN are found. */
const MARK = `300.${process.pid}${seed}`;

// Three stages that run side by side, and one that gathers them.
const DOCKERFILE = `FROM localhost/latest AS one
RUN setsid sleep ${MARK} & mkdir -p /made && for i in $(seq 200); do echo $i > /made/$i; done; sleep 0.05
COPY many /many
FROM localhost/latest AS two
COPY many /many
RUN rm -r /many/1* && echo changed > /many/2 && head -c 3000000 /dev/zero > /zeros
FROM localhost/latest AS three
RUN --mount=type=cache,target=/cache setsid sleep ${MARK} & date > /cache/seen; cp /cache/seen /three; sleep 0.05
FROM one
COPY --from=two /zeros /zeros
COPY --from=three /three /three
COPY Dockerfile /etc/
RUN setsid sleep ${MARK} & rm -r /made/1*; sleep 0.05
`;

/** Three steps that sleep at the same time. */
const SLOW = `FROM localhost/latest AS a
RUN echo begun && sleep ${MARK}
FROM localhost/latest AS b
RUN echo begun && sleep ${MARK}
FROM localhost/latest
RUN echo begun && sleep ${MARK}
COPY --from=a /bin/sh /a
COPY --from=b /bin/sh /b
`;

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

describe('a build that is killed', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-crash-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(scratch, 'context/many'), { recursive: true });
    writeFileSync(join(scratch, 'context/Dockerfile'), DOCKERFILE);
    for (let i = 0; i < 300; i++) writeFileSync(join(scratch, `context/many/${i}`), `${i}\n`.repeat(i));
    command('chmod', ['-R', 'go=rX', scratch]);
    command('chmod', ['0755', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      const context = join(scratch, 'context');
      const pullBase = () => rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        pullBase();
      });
      after(() => rig?.[Symbol.asyncDispose]());

      it(`F01 leaves a store that works and holds what it held, at ${MOMENTS} moments`, async (t) => {
        t.diagnostic(`SLIPWAY_TEST_SEED=${seed}`);
        const random = randomNumbers(seed);
        const startedAt = Date.now();
        const kept = rig.run('bud', '-q', '--no-cache', '--layers', '-t', 'localhost/kept', context);
        const durationMs = Date.now() - startedAt;
        const tree = rig.imageTree('localhost/kept');
        for (let moment = 0; moment < MOMENTS; moment++) {
          const waitMs = random() * durationMs;
          const layers = random() < 0.5 ? ['--layers'] : [];
          const child = rig.start(['bud', '-q', '--no-cache', ...layers, '-t', 'localhost/killed', context]);
          await delay(waitMs);
          await killGroup(child, 'SIGKILL');
          const when = `moment ${moment}, ${Math.round(waitMs)} ms`;
          assert.deepEqual(
            await waitUntilNone(() => [...processesWith(rig.folder), ...processesWith(MARK)], 2000),
            [],
            `processes left: ${when}`,
          );
          assert.deepEqual(mountsWith(rig.folder), [], `mounts left: ${when}`);
          const images = rig.run('images', '-q', '--no-trunc').split('\n');
          assert.ok(images.includes(`sha256:${kept}`), `image lost: ${when}`);
        }
        assert.deepEqual(treeDifferences(rig.imageTree('localhost/kept'), tree), []);
        rig.run('bud', '-q', '--no-cache', '-t', 'localhost/again', context);
        assert.equal(rig.run('containers', '-q'), '');
        rig.run('rmi', 'localhost/again');
        rig.try(['rmi', 'localhost/killed']);
        forgetYoung(rig);
        rig.run('prune', '-f');
        assert.deepEqual(leftovers(rig), []);
        // Nothing is held by what was never finished: without images, there is no content.
        rig.run('rmi', '--all', '--force');
        rig.run('prune', '--all', '--force');
        const left = storeSize(rig);
        assert.ok(left < 1_000_000, `${left} bytes are left in a store without images`);
        pullBase();
      });

      for (const { title, signal, code } of [
        { title: 'F07 ends within five seconds of SIGINT', signal: 'SIGINT', code: 130 },
        { title: 'F08 ends within five seconds of SIGTERM', signal: 'SIGTERM', code: 143 },
        { title: 'F10 ends within five seconds of SIGHUP', signal: 'SIGHUP', code: 129 },
      ] as const) {
        it(`${title}, with exit code ${code}`, async () => {
          const slow = rig.makeFolder(`work/slow-${signal}`);
          writeFileSync(join(slow, 'Dockerfile'), SLOW);
          rig.give(slow);
          const child = rig.start(['bud', '--no-cache', '-t', 'localhost/slow', slow]);
          const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
          await waitForStep(rig);
          const sentAt = Date.now();
          // To the program alone: what it started, it must end itself.
          process.kill(child.pid ?? 0, signal);
          const outcome = await Promise.race([ended, delay(8000, 'still running' as const, { ref: false })]);
          const tookMs = Date.now() - sentAt;
          await killGroup(child, 'SIGKILL');
          assert.equal(outcome, code);
          assert.ok(tookMs < 5000, `took ${tookMs} ms`);
          assert.deepEqual(await waitUntilNone(() => [...processesWith(rig.folder), ...processesWith(MARK)], 2000), []);
          assert.deepEqual(mountsWith(rig.folder), []);
          assert.equal(rig.run('containers', '-q'), '');
          forgetYoung(rig);
          rig.run('images');
          assert.deepEqual(leftovers(rig), []);
        });
      }
    });
  }
});

async function killGroup(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended =
    child.exitCode !== null || child.signalCode !== null
      ? undefined
      : new Promise((resolve) => child.once('exit', resolve));
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  await ended;
}

/** Waits until all slow RUNs have been started. */
async function waitForStep(rig: Rig): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const running = processesWith(MARK).length > 2;
    if (running) return;
    await delay(20);
  }
  throw new Error(`the build in ${rig.folder} never reached its RUN`);
}

/** What is in the folders for half-made things: the rig's TMPDIR, and every `tmp` and `active` of the store. */
function leftovers(rig: Rig): string[] {
  const found = readdirSync(join(rig.folder, 'tmp')).map((name) => `tmp/${name}`);
  const inStore = command('find', [
    join(rig.folder, 'root'),
    '-maxdepth',
    '5',
    '(',
    '-name',
    'tmp',
    '-o',
    '-name',
    'active',
    ')',
  ]);
  for (const folder of inStore.split('\n').filter((path) => path !== '' && !path.includes('/snapshots/'))) {
    found.push(...readdirSync(folder).map((name) => `${folder}/${name}`));
  }
  found.push(
    ...command('find', [join(rig.folder, 'root'), '-name', '*.new-*'])
      .split('\n')
      .slice(0, -1),
  );
  return found;
}

/** A folder made in the last minute may be somebody's who has not locked it yet: makes what a kill left look older. */
function forgetYoung(rig: Rig): void {
  command('find', [
    join(rig.folder, 'root'),
    '-mindepth',
    '3',
    '-maxdepth',
    '3',
    '-path',
    '*/tmp/*',
    '-exec',
    'touch',
    '-d',
    '@0',
    '{}',
    '+',
  ]);
}

/** Bytes the store takes on disk. */
function storeSize(rig: Rig): number {
  return Number(command('du', ['-sB1', join(rig.folder, 'root')]).split('\t')[0]);
}
