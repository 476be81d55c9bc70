/** Every display replays recorded builds on a clock of the test; what a person sees is kept in `test/golden/display`. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { makeReporter } from '../../../src/cli/output/choose-reporter.ts';
import { errorText } from '../../../src/cli/output/error-text.ts';
import { TextOutput } from '../../../src/cli/output/output.ts';
import { styleFor } from '../../../src/cli/output/style.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import { assertGolden, visible } from '../../support/golden.ts';
import { RECORDINGS, type Recording } from '../../support/recorded-builds.ts';
import { Screen } from '../../support/screen.ts';

const WIDTHS = [60, 80, 120];
const MARKS = [250, 1200, 2600, 3350, 4350];

/** A terminal that is both streams at once, as a person has it. */
class Terminal extends TextOutput {
  readonly screen: Screen;
  readonly writes: { readonly at: number; readonly text: string }[] = [];

  constructor(columns: number, rows: number) {
    super({ isTty: true, columns, rows });
    this.screen = new Screen(columns, rows);
  }

  override write(data: string | Uint8Array): void {
    const text = Buffer.from(data as Uint8Array).toString();
    this.writes.push({ at: Date.now(), text });
    this.screen.write(text);
    assert.ok(this.screen.isCursorVisible, 'between two writes the cursor is there');
  }
}

function errorOf({ error }: Recording): BuilderError | undefined {
  if (error === undefined) return undefined;
  const file = {
    name: 'Containerfile',
    text: 'FROM node AS deps\nRUN sleep 10\nFROM alpine\nRUN make all && nosuch --token=$TOKEN\n',
  };
  const start = file.text.indexOf('RUN make');
  return new BuilderError(
    error.code,
    `building at STEP "RUN make all && nosuch --token=$TOKEN": while running runtime: exit status ${error.exitCode}`,
    { span: { file, start, end: file.text.length - 1 }, facts: { exitCode: error.exitCode } },
  );
}

/** Plays to the end and tells the error as the program does. */
function replay(
  recording: Recording,
  mode: string,
  stdout: TextOutput,
  stderr: TextOutput,
  o: { color: boolean; locale?: string; onMark?: (at: number) => void },
): void {
  const env = { LANG: o.locale ?? 'C.UTF-8' };
  const style = styleFor(stderr, env, o.color ? 'always' : 'never');
  const reporter = makeReporter(mode, {
    stdout,
    stderr,
    env,
    style,
    now: () => Date.now(),
    logLevel: 'warn',
    hidesIds: false,
    quiet: false,
  });
  let marks = MARKS;
  for (const { at, event } of recording.events) {
    while (marks.length > 0 && marks[0]! <= at) {
      mock.timers.tick(marks[0]! - Date.now());
      o.onMark?.(marks[0]!);
      marks = marks.slice(1);
    }
    mock.timers.tick(at - Date.now());
    reporter.emit(event);
  }
  const error = errorOf(recording);
  reporter.finish(error === undefined ? {} : { error });
  if (error !== undefined && mode !== 'json')
    stderr.write(errorText(error, { width: stderr.columns, style, verbose: false }));
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 }));
afterEach(() => mock.timers.reset());

function again(): void {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 });
}

for (const recording of RECORDINGS) {
  describe(`${recording.name}`, () => {
    it('on a terminal', () => {
      let text = '';
      for (const columns of WIDTHS) {
        again();
        const terminal = new Terminal(columns, 24);
        replay(recording, 'tty', terminal, terminal, {
          color: false,
          onMark: (at) => (text += `=== ${columns} columns, ${at} ms\n${terminal.screen.text}\n`),
        });
        text += `=== ${columns} columns, at the end\n${terminal.screen.text}\n`;
        again();
        const coloured = new Terminal(columns, 24);
        replay(recording, 'tty', coloured, coloured, { color: true });
        text += `=== ${columns} columns, the last writes, coloured\n`;
        text += coloured.writes
          .slice(-3)
          .map((write) => visible(write.text))
          .join('');
      }
      assertGolden(`display/${recording.name}.tty.txt`, text);
    });

    for (const mode of ['plain', 'json', 'quiet']) {
      it(`as ${mode}`, () => {
        let text = '';
        for (const columns of mode === 'json' ? [80] : WIDTHS) {
          for (const color of mode === 'json' ? [false] : [false, true]) {
            again();
            const [stdout, stderr] = [new TextOutput({ columns }), new TextOutput({ columns })];
            replay(recording, mode, stdout, stderr, { color });
            text += `=== ${columns} columns${color ? ', coloured' : ''}: stdout\n${visible(stdout.text)}`;
            text += `=== ${columns} columns${color ? ', coloured' : ''}: stderr\n${visible(stderr.text)}`;
          }
        }
        assertGolden(`display/${recording.name}.${mode}.txt`, text);
      });
    }

    it('is told in ASCII where the locale has no more', () => {
      const terminal = new Terminal(60, 24);
      replay(recording, 'tty', terminal, terminal, { color: false, locale: 'C' });
      const own = terminal.writes
        .map(({ text }) => text)
        .join('')
        .replaceAll('日本語', '');
      assert.doesNotMatch(own.replaceAll('\uFFFD', ''), /[^\0-\x7f]/);
    });

    it('stays inside of every terminal', () => {
      for (const [columns, rows] of [
        [10, 4],
        [20, 2],
        [33, 5],
        [80, 1],
        [300, 80],
      ] as const) {
        again();
        const terminal = new Terminal(columns, rows);
        const before = { at: Number.NEGATIVE_INFINITY };
        replay(recording, 'tty', terminal, terminal, { color: true });
        const frames = terminal.writes.filter(({ text }) => text.startsWith('\x1b[?25l'));
        const shells = recording.events.filter(({ event }) => event.type === 'debug-shell').map(({ at }) => at);
        for (const { at, text } of frames) {
          const lines = text.replace(/\x1b\[[?\d;]*[A-Za-z]/g, '').split('\n');
          assert.ok(lines.length > 0);
          // A drawing that takes the frame away, at the end or for a shell, may come at any time.
          const isAway = text === frames.at(-1)!.text || shells.includes(at);
          if (!isAway) assert.ok(at - before.at >= 100, `drawn after ${at - before.at} ms`);
          before.at = at;
        }
      }
    });
  });
}

it('the frame leaves no trace of itself', () => {
  const terminal = new Terminal(80, 24);
  replay(RECORDINGS[0]!, 'tty', terminal, terminal, { color: false });
  assert.doesNotMatch(terminal.screen.text, /●|building/);
  assert.equal(terminal.screen.wrapped, 0);
});

it('what the plain display writes to stdout does not depend on the terminal or on colour', () => {
  const outputs = WIDTHS.flatMap((columns) =>
    [true, false].map((color) => {
      again();
      const stdout = new TextOutput({ columns });
      replay(RECORDINGS[0]!, 'plain', stdout, new TextOutput({ columns }), { color });
      return stdout.text;
    }),
  );
  assert.equal(new Set(outputs).size, 1);
});
