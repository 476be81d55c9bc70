import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeReporter } from '../../../src/cli/output/choose-reporter.ts';
import { ControlFilter } from '../../../src/cli/output/control-filter.ts';
import { TextOutput } from '../../../src/cli/output/output.ts';
import type { ReporterOptions } from '../../../src/cli/output/reporter.ts';
import { hasColor, styleFor } from '../../../src/cli/output/style.ts';
import { displayWidth } from '../../../src/cli/output/text-width.ts';
import type { BuildEvent } from '../../../src/report/event.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

const BUILD: readonly BuildEvent[] = [
  { type: 'step-line', step: '1', text: 'STEP 1/2: FROM bb' },
  { type: 'step-started', step: '2', name: '[2/2] RUN echo out', at: 0 },
  { type: 'step-line', step: '2', text: 'STEP 2/2: RUN echo out' },
  { type: 'step-output', step: '2', stream: 'stdout', data: bytes('out\x1b[2J\n') },
  { type: 'step-output', step: '2', stream: 'stderr', data: bytes('err\n') },
  { type: 'step-finished', step: '2', outcome: 'ran', at: 1500 },
  { type: 'step-line', step: '2', text: 'COMMIT x' },
  { type: 'transfer', id: 'b', label: 'Copying blob sha256:aa', state: 'started', total: 10 },
  { type: 'transfer', id: 'b', label: 'Copying blob sha256:aa', state: 'progress', current: 5 },
  { type: 'transfer', id: 'b', label: 'Copying blob sha256:aa', state: 'done' },
  { type: 'transfer', id: 'c', label: 'Copying config sha256:cc', state: 'done' },
  { type: 'transfer', id: 'm', label: 'Writing manifest to image destination', state: 'done' },
  { type: 'step-line', step: '2', text: '--> 407f87af2cb2' },
  { type: 'step-line', step: '2', text: 'Successfully tagged localhost/x:latest' },
];

function play(
  events: readonly BuildEvent[],
  mode: string,
  o: Partial<ReporterOptions> & { tty?: boolean; columns?: number; color?: string } = {},
): { stdout: string; stderr: string } {
  const size = { isTty: o.tty ?? false, columns: o.columns ?? 80 };
  const [stdout, stderr] = [new TextOutput(size), new TextOutput(size)];
  const env = { LANG: 'C.UTF-8' };
  const reporter = makeReporter(mode, {
    stdout,
    stderr,
    env,
    style: styleFor(stderr, env, o.color ?? 'never'),
    now: () => 2500,
    logLevel: 'warn',
    hidesIds: false,
    quiet: false,
    ...o,
  });
  for (const event of events) reporter.emit(event);
  reporter.finish();
  return { stdout: stdout.text, stderr: stderr.text };
}

describe('the plain display', () => {
  it('puts step lines and output of RUN on stdout, transfers and its errors on stderr', () => {
    assert.deepEqual(play(BUILD, 'auto'), {
      stdout: `STEP 1/2: FROM bb
STEP 2/2: RUN echo out
out\x1b[2J
COMMIT x
--> 407f87af2cb2
Successfully tagged localhost/x:latest
`,
      stderr: `err
Getting image source signatures
Copying blob sha256:aa
Copying config sha256:cc
Writing manifest to image destination
`,
    });
  });
  it('keeps only errors of RUN with --quiet', () => {
    assert.deepEqual(play(BUILD, 'auto', { quiet: true }), { stdout: '', stderr: 'err\n' });
  });
  it('leaves ids out that go to a file, but not the news of a cache', () => {
    const events: BuildEvent[] = [
      { type: 'step-line', step: '1', text: '--> Using cache 9a9b' },
      { type: 'step-line', step: '1', text: '[1/2] --> 9a9b51db5c9' },
      { type: 'step-line', step: '1', text: '--> 9a9b51db5c9a' },
    ];
    assert.equal(play(events, 'plain', { hidesIds: true }).stdout, '--> Using cache 9a9b\n');
  });
  it('begins each copy anew', () => {
    const copy = (id: string): BuildEvent[] => [
      { type: 'transfer', id, label: 'Getting image source signatures', state: 'done' },
      { type: 'transfer', id: `${id}b`, label: 'Copying blob sha256:aa', state: 'skipped' },
      { type: 'transfer', id: `${id}m`, label: 'Writing manifest to image destination', state: 'done' },
    ];
    const one = `Getting image source signatures
Copying blob sha256:aa skipped: already exists
Writing manifest to image destination
`;
    assert.equal(play([...copy('1'), ...copy('1')], 'auto').stderr, one + one);
  });
  it('tells once what is copied through the store and on', () => {
    const labels = ['Copying config sha256:cc', 'Getting image source signatures', 'Copying config sha256:cc'];
    const last = 'Writing manifest to image destination';
    const events = [...labels, last, last].map(
      (label): BuildEvent => ({ type: 'transfer', id: label, label, state: 'done' }),
    );
    assert.equal(play(events, 'auto').stderr, `Getting image source signatures\nCopying config sha256:cc\n${last}\n`);
  });
  it('neutralises what commands print on a terminal', () => {
    assert.match(play(BUILD, 'plain', { tty: true }).stdout, /\nout\n/);
  });
  it('tells a lint finding in one line, and counts it', () => {
    const span = { file: { name: 'Dockerfile', text: 'FROM a\nRUN x\n' }, start: 7, end: 10 };
    const finding = { severity: 'warning', code: 'Rule', message: 'm\x1b', span, notes: [] } as const;
    const events: BuildEvent[] = [{ type: 'diagnostic', diagnostic: finding }, ...BUILD];
    const { stdout, stderr } = play(events, 'plain');
    assert.equal(stdout, play(BUILD, 'plain').stdout);
    assert.equal(stderr.split('\n')[0], 'warning: Dockerfile:2: m\uFFFD [Rule]');
    assert.match(stderr, /built in 0\.0s · 1 step · 1 warning\n$/);
    assert.doesNotMatch(play(events, 'plain', { quiet: true }).stderr, /Rule/);
    assert.doesNotMatch(play(events, 'plain', { logLevel: 'error' }).stderr, /Rule/);
  });
  it('drops notes and warnings below the log level', () => {
    const events: BuildEvent[] = [
      { type: 'note', text: 'n' },
      { type: 'warning', text: 'w\x1b[1m' },
    ];
    assert.equal(play(events, 'auto').stderr, 'n\nwarning: w\uFFFD[1m\n');
    assert.equal(play(events, 'plain', { logLevel: 'error' }).stderr, '');
  });
});

describe('the line of figures of the plain display', () => {
  it('is told where it was asked for by name or is watched, on stderr', () => {
    assert.match(play(BUILD, 'plain').stderr, /built in 0\.0s · 1 step\n$/);
    assert.match(play(BUILD, 'auto', { tty: true, env: { CI: 'true' } }).stderr, /built in 0\.0s · 1 step\n$/);
    assert.equal(play(BUILD, 'plain').stdout, play(BUILD, 'auto').stdout);
  });
  it('is not told to scripts, nor when quiet was asked for', () => {
    assert.doesNotMatch(play(BUILD, 'auto').stderr, /built/);
    assert.doesNotMatch(play(BUILD, 'plain', { quiet: true }).stderr, /built/);
    assert.doesNotMatch(play(BUILD, 'plain', { logLevel: 'error' }).stderr, /built/);
  });
});

describe('the JSON display', () => {
  it('writes one object a line', () => {
    const { stdout, stderr } = play(BUILD, 'json');
    assert.equal(stdout, '');
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(lines.length, BUILD.length);
    assert.deepEqual(lines[3], { schema: 1, type: 'step-output', step: '2', stream: 'stdout', text: 'out\x1b[2J\n' });
  });
  it('keeps bytes that are no text', () => {
    const data = Uint8Array.of(0xff, 0x00);
    const { stderr } = play([{ type: 'step-output', step: '1', stream: 'stdout', data }], 'json');
    assert.equal(JSON.parse(stderr).base64, '/wA=');
  });
  it('gives places as lines and columns', () => {
    const file = { name: 'Dockerfile', text: 'FROM a\nRUN x\n' };
    const { stderr } = play(
      [
        {
          type: 'diagnostic',
          diagnostic: { severity: 'warning', code: 'R', message: 'm', span: { file, start: 7, end: 10 }, notes: [] },
        },
      ],
      'json',
    );
    assert.deepEqual(JSON.parse(stderr).place, {
      file: 'Dockerfile',
      start: { line: 2, column: 1 },
      end: { line: 2, column: 4 },
    });
  });
});

describe('the live display', () => {
  it('leaves finished steps and results, and no frame', () => {
    const { stdout, stderr } = play(BUILD, 'tty', { tty: true });
    assert.equal(stdout, 'Successfully tagged localhost/x:latest\n');
    assert.equal(
      stderr,
      ` ✔ [2/2] RUN echo out                                                      1.5s
 ✔ built in 0.0s · 1 step
`,
    );
  });
  it('repeats the last lines of a failed step, made harmless', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i}\r\n`).join('');
    const { stderr } = play(
      [
        { type: 'step-started', step: '1', name: 'RUN x', at: 0 },
        { type: 'step-output', step: '1', stream: 'stderr', data: bytes(`${lines}\x1b]0;title\x07last`) },
        { type: 'step-finished', step: '1', outcome: 'failed', at: 100 },
      ],
      'tty',
      { tty: true },
    );
    assert.match(stderr, /✘ RUN x/);
    assert.doesNotMatch(stderr, /line 9\n|title/);
    assert.match(stderr, / {5}line 29\n {5}last\n/);
  });
  it('never grows wider than the terminal', () => {
    const { stderr } = play(
      [
        { type: 'step-started', step: '1', name: `RUN ${'日本'.repeat(60)}`, at: 0 },
        { type: 'step-finished', step: '1', outcome: 'ran', at: 100 },
      ],
      'tty',
      { tty: true, columns: 60 },
    );
    for (const line of stderr.split('\n')) assert.ok(displayWidth(line) <= 60);
  });
  it('is chosen only where a person watches', () => {
    assert.match(play(BUILD, 'auto').stdout, /^STEP 1/);
    assert.doesNotMatch(play(BUILD, 'auto', { tty: true }).stdout, /STEP/);
    assert.match(play(BUILD, 'auto', { tty: true, env: { CI: 'true' } }).stdout, /STEP/);
    assert.match(play(BUILD, 'auto', { tty: true, env: { TERM: 'dumb' } }).stdout, /STEP/);
  });
  it('gives way to the plain one where the cursor cannot be moved', () => {
    assert.match(play(BUILD, 'tty').stdout, /STEP/);
    assert.doesNotMatch(play(BUILD, 'tty').stderr, /\x1b\[/);
    assert.match(play(BUILD, 'tty', { tty: true, env: { TERM: 'dumb' } }).stdout, /STEP/);
  });
});

describe('the filter of control sequences', () => {
  const TABLE: readonly [string, string, string][] = [
    ['text, tabs, line ends', 'a\tb\r\nc', 'a\tb\r\nc'],
    ['colours stay', '\x1b[1;31mred\x1b[0m', '\x1b[1;31mred\x1b[0m'],
    ['movements go', 'a\x1b[2J\x1b[10;10Hb\x1b[Kc', 'abc'],
    ['private modes go', '\x1b[?25l\x1b[>4;2mx', 'x'],
    ['window titles go', 'a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c', 'abc'],
    ['device strings go', 'a\x1bPq#0\x1b\\b', 'ab'],
    ['charset switches go', 'a\x1b(0b', 'ab'],
    ['bells and backspaces go', 'a\x07\x08\x00b', 'ab'],
    ['eight-bit forms go', 'a\u009b2Jb\u009d0;t\x07c\u0085d', 'abcd'],
    ['other text stays', 'é ü 日本 \u00a0', 'é ü 日本 \u00a0'],
    ['a broken sequence does not swallow text', '\x1b[3\nx', '\nx'],
  ];
  for (const [name, input, expected] of TABLE) {
    it(name, () => {
      const whole = new ControlFilter().filter(bytes(input));
      assert.equal(Buffer.from(whole).toString(), expected);
      // The same, byte by byte: sequences may be cut anywhere.
      const filter = new ControlFilter();
      const pieces = [...bytes(input)].map((byte) => Buffer.from(filter.filter(Uint8Array.of(byte))));
      assert.equal(Buffer.concat(pieces).toString(), expected);
    });
  }
});

it('colour follows flag, NO_COLOR, FORCE_COLOR, TERM and terminal, in this order', () => {
  const [tty, pipe] = [{ isTty: true }, { isTty: false }];
  assert.equal(hasColor(pipe, { NO_COLOR: '1' }, 'always'), true);
  assert.equal(hasColor(tty, { FORCE_COLOR: '1' }, 'never'), false);
  assert.equal(hasColor(tty, { NO_COLOR: '1', FORCE_COLOR: '1' }, 'auto'), false);
  assert.equal(hasColor(tty, { NO_COLOR: '' }, undefined), true);
  assert.equal(hasColor(pipe, { CLICOLOR_FORCE: '1', TERM: 'dumb' }, undefined), true);
  assert.equal(hasColor(tty, { TERM: 'dumb' }, undefined), false);
  assert.equal(hasColor(pipe, {}, undefined), false);
});
