import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectSyntax } from '../../../src/dockerfile/directives.ts';
import { spanOf } from '../../../src/dockerfile/fragment.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { sourceRanges } from '../../../src/dockerfile/source-ranges.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { positionOf, type Span } from '../../../src/report/source-file.ts';

const parse = (text: string) => parseDockerfile({ name: 'Dockerfile', text });
const written = ({ file, start, end }: Span) => file.text.slice(start, end);

test('words keep their place through joined lines, comments and the byte order mark', () => {
  const text = '\ufeffFROM a\nCOPY --ch\\\nown="a b" \\\n# note\n  src\\\n1  \\\n dst\n';
  const copy = parse(text).instructions[1]!;
  assert.deepEqual(
    copy.args.map(({ text: word }) => word),
    ['src1', 'dst'],
  );
  assert.deepEqual(
    copy.args.map((arg) => written(spanOf(arg))),
    ['src\\\n1', 'dst'],
  );
  assert.deepEqual(positionOf(copy.text.file, spanOf(copy.args[1]!).start), { line: 7, column: 2 });
  const [flag] = copy.flags;
  assert.deepEqual([flag!.text.text, flag!.value!.text, written(spanOf(flag!.value!))], ['--chown=a b', 'a b', 'a b']);
  assert.equal(written(spanOf(flag!.text)), '--ch\\\nown="a b');
});

test('JSON strings keep their place, each escape as one character', () => {
  const run = parse('FROM a\nRUN [ "a\\tb", "\\u0041 c" ]').instructions[1]!;
  assert.deepEqual(
    run.args.map(({ text }) => text),
    ['a\tb', 'A c'],
  );
  assert.equal(written(spanOf(run.args[0]!, 2, 3)), 'b');
  assert.equal(written(spanOf(run.args[1]!, 1, 3)), ' c');
});

test('carriage returns end no line early and stay in heredoc bodies', () => {
  const run = parse('FROM a\r\nRUN <<E\r\nx\r\nE\r\n').instructions[1]!;
  assert.equal(run.heredocs[0]!.content, 'x\r\n');
  assert.equal(written(run.heredocs[0]!.span), 'x\r\n');
});

test('comments above are kept until an empty one', () => {
  const { instructions } = parse('# syntax=x\n# one\n#\n# two\n\n# three\nFROM a\n# inside\nRUN x');
  assert.deepEqual(
    instructions.map(({ comments }) => comments.map(({ text }) => text)),
    [['two', 'three'], ['inside']],
  );
});

const ERRORS: readonly (readonly [text: string, at: string])[] = [
  ['# escape=x\nFROM a', 'x'],
  ['# escape=`\n# ESCAPE=`\nFROM a', '# ESCAPE=`'],
  ['FROM a\nENV a=b \\\n  c', 'c'],
  ['FROM a\nENV onlyone', 'onlyone'],
  ['FROM a\nCMD ["a", 1]', '["a", 1]'],
  ['FROM a\nRUN cat <<EOF\nx', '<<EOF'],
];

for (const [text, at] of ERRORS) {
  test(`a parse error points at ${JSON.stringify(at)}`, () => {
    assert.throws(
      () => parse(text),
      (error) => isBuilderError(error) && written(error.span!) === at,
    );
  });
}

test('the syntax request is found in three notations and below a shebang', () => {
  const image = (text: string) => detectSyntax({ name: 'x', text })?.image;
  assert.equal(image('# syntax=docker/dockerfile:1 --opt\nFROM a'), 'docker/dockerfile:1');
  assert.equal(image('#!/usr/bin/env x\n# escape=`\n#  SYNTAX = a/b\n'), 'a/b');
  assert.equal(image('// syntax=a/c\n{}'), 'a/c');
  assert.equal(image('{"syntax": "a/d"}'), 'a/d');
  assert.equal(image('\n# syntax=a/b\n'), undefined);
});

test('editor ranges name variables by our own reading', () => {
  const ranges = sourceRanges(parse('FROM a:${V:-x}\nENV b="$c ${d-e}" f=\'$g\'\nRUN echo $h'));
  const shown = ranges.map(({ variables }) =>
    variables.map(({ span, nameSpan }) => [written(span), written(nameSpan)]),
  );
  assert.deepEqual(shown, [
    [['${V:-x}', 'V']],
    [
      ['$c', 'c'],
      ['${d-e}', 'd'],
    ],
    [],
  ]);
  assert.deepEqual(
    ranges[1]!.arguments.map(written).filter((word) => word !== '='),
    ['b', '"$c ${d-e}"', 'f', "'$g'"],
  );
});

test('no text makes the parser fail in another way than with a placed error', () => {
  const pieces = [
    'FROM a\n',
    'RUN ',
    '<<E',
    '<<-"E"',
    '\n',
    '\\',
    '\\\n',
    '"',
    "'",
    '$',
    '${',
    '}',
    '[',
    ']',
    'ENV a',
    '=',
    ' ',
    '#',
    '\t',
    '`',
    'ONBUILD ',
    'COPY --x',
    'E\n',
    '\u2003',
    '😀',
  ];
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * n);
  };
  for (let round = 0; round < 3000; round++) {
    const text = `FROM a\n${Array.from({ length: random(14) }, () => pieces[random(pieces.length)]).join('')}`;
    try {
      for (const { args, text: whole } of parse(text).instructions) {
        for (const arg of [...args, whole]) {
          const span = spanOf(arg);
          assert.ok(span.start <= span.end && span.end <= text.length, JSON.stringify(text));
        }
      }
    } catch (error) {
      assert.ok(isBuilderError(error) && error.span !== undefined, `${JSON.stringify(text)}: ${error}`);
    }
  }
});

/** Texts that dockerfile-ast misreads; what is told of them is our own reading. */
const MISREAD: readonly (readonly [text: string, expected: readonly (readonly string[])[]])[] = [
  ['RUN ["sh", "-c", "echo a  b"]', [['RUN', 'sh', '-c', 'echo a  b']]],
  ['CMD ["a"] # c', [['CMD', '["a"] # c']]],
  ['ENV a=${d-e} b=${x#p}', [['ENV', 'a', '${d-e}', '=', 'b', '${x#p}', '=', '$d', '$x']]],
  ['ENV a=${a:-${b:-c}}', [['ENV', 'a', '${a:-${b:-c}}', '=', '$a', '$b']]],
  [
    'RUN x \\\\\nENV b=2',
    [
      ['RUN', 'x \\\\'],
      ['ENV', 'b', '2', '='],
    ],
  ],
  [
    'RUN cat <<A <<B\nx\nA\ny\nB\nRUN z',
    [
      ['RUN', 'cat <<A <<B'],
      ['RUN', 'z'],
    ],
  ],
  ['COPY <<EOF /data\nENV x=$y\nEOF', [['COPY', '<<EOF', '/data']]],
  ['COPY --chown="${U}" -- --a /b', [['COPY', '--chown="${U}"', '--a', '/b', '$U']]],
  ['ARG abc="123 456" def', [['ARG', 'abc="123 456"', 'def']]],
  ['# foo=bar\n# escape=`\nENV a=\\$b', [['ENV', 'a', '\\$b', '=']]],
];

for (const [text, expected] of MISREAD) {
  test(`ranges of ${JSON.stringify(text)}`, () => {
    const at = ({ start, end }: { start: number; end: number }): string => text.slice(start, end);
    const shown = sourceRanges(parse(text)).map(({ keyword, flags, arguments: args, variables }) => [
      at(keyword),
      ...flags.map(({ span }) => at(span)),
      ...args.map(at),
      ...variables.map(({ nameSpan }) => `$${at(nameSpan)}`),
    ]);
    assert.deepEqual(shown, expected);
  });
}
