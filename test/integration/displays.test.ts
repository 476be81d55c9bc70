/** The displays of real builds: two streams as a script has them, a stream of events, and a terminal. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { assertEventStream } from '../support/event-schema.ts';
import { quote, Rig } from '../support/rig.ts';
import { Screen } from '../support/screen.ts';

const SIDE_BY_SIDE = `FROM localhost/latest AS slow
RUN for i in 1 2 3; do echo slow $i; sleep 0.3; done; mkdir /out && echo s >/out/s
FROM localhost/latest AS quick
RUN echo quick 1; echo quick 2; mkdir /out && echo q >/out/q
FROM localhost/latest
RUN echo main
COPY --from=slow /out /out
COPY --from=quick /out /out
`;

const FAILING = `FROM localhost/latest
RUN i=1; while [ $i -le 30 ]; do echo line $i; i=$((i+1)); done; printf '\\033[2J\\033]0;title\\007'; sleep 0.3; nosuch-command
`;

describe('the displays of a build', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-displays-'));
  const context = (name: string): string => join(scratch, name);
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    for (const [name, text] of Object.entries({ 'side-by-side': SIDE_BY_SIDE, failing: FAILING })) {
      mkdirSync(context(name));
      writeFileSync(join(context(name), 'Dockerfile'), text);
    }
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const open = async (): Promise<Rig> => {
      assert.ok(typeof account !== 'string');
      const rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      return rig;
    };

    it(`tells stages side by side one after the other, ${name}`, { skip }, async () => {
      await using rig = await open();
      const { stdout, stderr } = rig.must(['build', '--jobs', '4', '-t', 'x', context('side-by-side')]);
      const lines = stdout.split('\n').filter((line) => /^(slow|quick|main|\[\d\/3\] STEP)/.test(line));
      assert.deepEqual(
        lines.map((line) => line.replace(/ STEP (\d\/\d): .*/, ' $1')),
        ['[1/3] 1/2', '[1/3] 2/2', 'slow 1', 'slow 2', 'slow 3', '[2/3] 1/2', '[2/3] 2/2', 'quick 1', 'quick 2'].concat(
          ['[3/3] 1/4', '[3/3] 2/4', 'main', '[3/3] 3/4', '[3/3] 4/4'],
        ),
      );
      assert.match(stdout, /\n[0-9a-f]{64}\n$/);
      assert.doesNotMatch(stderr, /built/);
      const again = rig.must(['build', '--jobs', '1', '-t', 'x', context('side-by-side')]);
      assert.deepEqual(
        again.stdout.split('\n').filter((line) => /STEP|slow|quick|main/.test(line)),
        stdout.split('\n').filter((line) => /STEP|slow|quick|main/.test(line)),
      );
    });

    it(`writes events that fit their schema, ${name}`, { skip }, async () => {
      await using rig = await open();
      const good = rig.must(['build', '--layers', '--progress=json', '-t', 'x', context('side-by-side')]);
      const events = assertEventStream(good.stderr);
      const begin = events.findIndex(({ type }) => type === 'build-started');
      assert.ok(begin >= 0 && begin < events.findIndex(({ type }) => String(type).startsWith('step-')));
      assert.equal(events.at(-1)!['type'], 'build-finished');
      assert.equal(`${String(events.at(-1)!['id'])}\n`, good.stdout);
      assert.equal(events.filter(({ type }) => type === 'stage-finished').length, 3);

      const bad = rig.try(['build', '--progress=json', context('failing')]);
      const last = assertEventStream(bad.stderr).at(-1)!;
      assert.deepEqual([bad.status, last['type'], last['code']], [127, 'error', 'step.failed']);
      assert.equal(last['exit'], 'exit 127: command not found');
      assert.match((last['output'] as string[]).at(-1)!, /nosuch-command/);
    });

    it(`keeps within a terminal and leaves a summary, ${name}`, { skip }, async () => {
      await using rig = await open();
      const screen = onTerminal(rig, 60, 12, ['build', '-t', 'x', context('side-by-side')]);
      assert.ok(screen.isCursorVisible);
      assert.match(screen.text, /^ ✔ built [0-9a-f]{12} in \d+\.\ds · 5 steps/m);
      assert.match(screen.text, /✔ \[quick 2\/2\] RUN echo quick 1/);
      assert.doesNotMatch(screen.text, /building|●|STEP/);
      assert.match(screen.text, /\n[0-9a-f]{60}\n?[0-9a-f]{4}$/);
    });

    it(`shows a failure on a terminal, ${name}`, { skip }, async () => {
      await using rig = await open();
      const { text, isCursorVisible } = onTerminal(rig, 80, 24, ['build', context('failing')]);
      assert.ok(isCursorVisible);
      const [, tail] = text.split(/✘ \[2\/2\] RUN [^\n]*\n/);
      assert.match(tail!, /^ {5}line 12\n[\s\S]*line 30\n[^\n]*nosuch-command: not found\n ✘ failed after/);
      assert.match(tail!, /\nError: building at STEP [\s\S]*exit status 127\n --> [^\n]*Dockerfile:2:1/);
      assert.match(tail!, /\nnote: exit 127: command not found$/);
    });

    it(`leaves the cursor when it is interrupted, ${name}`, { skip }, async () => {
      await using rig = await open();
      writeFileSync(join(rig.makeFolder('work'), 'Dockerfile'), 'FROM localhost/latest\nRUN echo begun; sleep 30\n');
      const { text, isCursorVisible } = onTerminal(rig, 80, 24, ['build', join(rig.folder, 'work')], 'INT');
      assert.ok(isCursorVisible);
      assert.match(text, /✘ stopped after/);
      assert.doesNotMatch(text, /building|●/);
    });
  }
});

/** What stands on a terminal of util-linux's `script` in the end. @param signal sent to the program after two seconds */
function onTerminal(rig: Rig, columns: number, rows: number, words: readonly string[], signal?: string): Screen {
  const program = [rig.program, ...rig.storeFlags, ...words].map(quote).join(' ');
  const run = signal === undefined ? program : `timeout -s ${signal} 2 ${program}`;
  const inside = `stty cols ${columns} rows ${rows} -onlcr; LANG=C.UTF-8 CI= TERM=xterm ${run}; true`;
  const screen = new Screen(columns, rows);
  screen.write(rig.command('script', ['-q', '-e', '-c', inside, '/dev/null']));
  return screen;
}
