import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diagnosticText, errorText } from '../../../src/cli/output/error-text.ts';
import { sourceFrame } from '../../../src/cli/output/source-frame.ts';
import { styleFor } from '../../../src/cli/output/style.ts';
import { displayWidth } from '../../../src/cli/output/text-width.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import type { Span } from '../../../src/report/source-file.ts';

const style = styleFor({ isTty: false }, { LANG: 'C.UTF-8' }, 'never');

function spanOf(text: string, piece: string, name = 'Dockerfile'): Span {
  const start = text.indexOf(piece);
  assert.notEqual(start, -1);
  return { file: { name, text }, start, end: start + piece.length };
}

const LONG = `RUN ${Array.from({ length: 30 }, (_, i) => `word${i}`).join(' ')}`;

describe('a source frame', () => {
  it('points at a word', () => {
    const span = spanOf('FROM a\n\n\nCOYP package.json .\n', 'COYP');
    assert.equal(
      sourceFrame(span, 80, style, 'dockerfile.unknown-instruction'),
      ` --> Dockerfile:4:1 [dockerfile.unknown-instruction]
  |
4 | COYP package.json .
  | ^^^^
`,
    );
  });
  it('expands tabs and measures wide characters', () => {
    assert.equal(
      sourceFrame(spanOf('RUN\t日本 x', 'x'), 80, style),
      ` --> Dockerfile:1:8
  |
1 | RUN 日本 x
  |          ^
`,
    );
  });
  it('underlines every line of a range from its first letter', () => {
    const text = 'FROM a\nRUN one \\\n    two \\\n\n    three\nCMD x\n';
    assert.equal(
      sourceFrame(spanOf(text, 'RUN one \\\n    two \\\n\n    three'), 80, style),
      ` --> Dockerfile:2:1
  |
2 | RUN one \\
  | ^^^^^^^^^
3 |     two \\
  |     ^^^^^
4 |
5 |     three
  |     ^^^^^
`,
    );
  });
  it('shows the first lines of a long range', () => {
    const text = Array.from({ length: 12 }, (_, i) => `l${i}`).join('\n');
    const frame = sourceFrame({ file: { name: 'f', text }, start: 0, end: text.length }, 80, style);
    assert.match(frame, /6 \| l5\n {2}\| \^\^\n {2}\| …\n$/);
    assert.doesNotMatch(frame, /l6/);
  });
  it('points behind the last character', () => {
    const text = 'RUN echo "';
    assert.equal(
      sourceFrame({ file: { name: 'f', text }, start: text.length, end: text.length }, 80, style),
      ` --> f:1:11
  |
1 | RUN echo "
  |           ^
`,
    );
  });
  for (const width of [60, 80, 120]) {
    it(`keeps a long line within ${width} columns, the word in view`, () => {
      for (const word of ['word0', 'word15', 'word29']) {
        const lines = sourceFrame(spanOf(LONG, word), width, style).trimEnd().split('\n');
        const [source, marks] = lines.slice(2) as [string, string];
        for (const line of lines.slice(2)) assert.ok(displayWidth(line) <= width, `${displayWidth(line)} > ${width}`);
        assert.equal(source.slice(marks.indexOf('^'), marks.lastIndexOf('^') + 1), word);
      }
    });
  }
  it('never lets control characters of the source through', () => {
    const frame = sourceFrame(spanOf('RUN \x1b[2Jx\u202e', 'RUN'), 80, style);
    assert.doesNotMatch(frame, /[\x1b\u202e]/);
  });
});

describe('an error', () => {
  const o = { width: 80, style, verbose: false };
  it('tells what, where, why and a way out', () => {
    const span = spanOf('FROM a\nRUN exit 42\n', 'RUN exit 42', 'ctx/Dockerfile');
    const error = new BuilderError('build.failed', 'building at STEP "RUN exit 42": exit status 42', {
      span,
      hint: 'keep the container with --keep-failed',
      cause: new Error('the shell gave up'),
    });
    assert.equal(
      errorText(error, o),
      `Error: building at STEP "RUN exit 42": exit status 42
 --> ctx/Dockerfile:2:1 [build.failed]
  |
2 | RUN exit 42
  | ^^^^^^^^^^^
caused by: the shell gave up
help: keep the container with --keep-failed
`,
    );
  });
  it('does not repeat a cause that the message holds', () => {
    const cause = new Error('ENOENT: no such file');
    assert.equal(
      errorText(new BuilderError('sys.call-failed', 'cannot open x: ENOENT: no such file', { cause }), o),
      'Error: cannot open x: ENOENT: no such file\n',
    );
  });
  it('says of anything else that it is a bug', () => {
    assert.match(
      errorText(new TypeError('x is undefined'), o),
      /^Error: internal: TypeError: x is undefined\n[\s\S]*This is a bug in slipway\. Please report it with these lines\.\n$/,
    );
  });
});

it('a warning has its rule, notes with their own places, and help', () => {
  const text = 'FROM a AS b\nFROM b\n';
  assert.equal(
    diagnosticText(
      {
        severity: 'warning',
        code: 'DuplicateStageName',
        message: 'stage name b is used twice',
        span: spanOf(text, 'FROM b'),
        notes: [{ message: 'first used here', span: spanOf(text, 'b') }],
        help: 'rename one',
      },
      { width: 80, style, verbose: false },
    ),
    `warning: stage name b is used twice
 --> Dockerfile:2:1 [DuplicateStageName]
  |
2 | FROM b
  | ^^^^^^
note: first used here
 --> Dockerfile:1:11
  |
1 | FROM a AS b
  |           ^
help: rename one
`,
  );
});
