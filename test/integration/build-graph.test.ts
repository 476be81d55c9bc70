/** The graph of steps: what is independent runs side by side, what is equal runs once, one failure ends the rest. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

/** Four stages that each wait until all four are there: one after another they would wait for ever. */
const MEETING = ['a', 'b', 'c', 'd'].map(
  (name) =>
    `FROM localhost/latest AS ${name}\nRUN --mount=type=cache,id=hall,target=/hall touch /hall/${name}; ` +
    'n=0; while [ $(ls /hall | wc -l) -lt 4 ]; do n=$((n+1)); [ $n -lt 100 ] || exit 9; sleep 0.1; done; touch /met',
);

describe('the graph of a build', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-build-graph-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  const write = (text: string): void => {
    writeFileSync(join(context, 'Dockerfile'), text);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  };

  for (const { name, account } of accounts()) {
    it(`runs side by side, equal steps once, and ends together, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);

      const copies = ['a', 'b', 'c', 'd'].map((stage) => `COPY --from=${stage} /met /met-${stage}`);
      write([...MEETING, 'FROM localhost/latest', ...copies].join('\n'));
      rig.run('build', '-q', context);

      // Both stages make the same step; a cache mount shared by them counts how often it ran.
      const count =
        'RUN --mount=type=cache,id=count,target=/count echo >> /count/runs; wc -l < /count/runs > /runs; sleep 1';
      write(
        `FROM localhost/latest AS one\n${count}\nFROM localhost/latest AS two\n${count}\nFROM scratch\nCOPY --from=one /runs /1\nCOPY --from=two /runs /2`,
      );
      rig.run(
        'build',
        '-q',
        '--layers',
        '-t',
        'once',
        '-o',
        `type=local,dest=${join(rig.folder, 'work/out')}`,
        context,
      );
      assert.equal(readFileSync(join(rig.folder, 'work/out/1'), 'utf8'), '1\n');
      assert.equal(readFileSync(join(rig.folder, 'work/out/2'), 'utf8'), '1\n');

      // The failure must not wait for the stage that would sleep on.
      write(
        'FROM localhost/latest AS slow\nRUN sleep 1000\nFROM localhost/latest\nRUN sleep 0.3; exit 7\nCOPY --from=slow /bin/sh /x',
      );
      const failed = rig.try(['build', context]);
      assert.equal(failed.status, 7);
      assert.match(failed.stderr, /building at STEP "RUN sleep 0.3; exit 7": while running runtime: exit status 7/);
      assert.deepEqual(readdirSync(join(rig.folder, 'root/v1/tmp')), []);
    });
  }
});
