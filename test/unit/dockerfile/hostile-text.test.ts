/**
 * Text made to hurt: it is read or refused with a coded error that has a place in the file, and in time that grows with
 * its length. The texts are so long that work of the square of it would take minutes.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expandText } from '../../../src/dockerfile/expand.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { planStages } from '../../../src/dockerfile/stages.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const BLANKS = ' '.repeat(60_000);

function read(text: string) {
  const parsed = parseDockerfile({ name: 'Dockerfile', text });
  const platform = { os: 'linux', architecture: 'amd64' } as const;
  planStages(buildInstructions(parsed), {
    platforms: { build: platform, target: platform },
    buildArgs: new Map(),
    contexts: new Set(),
  });
  return parsed;
}

/** The code of the error and whether it has a place in the file; undefined when the text is read. */
function refusal(text: string): string | undefined {
  try {
    read(text);
    return undefined;
  } catch (error) {
    if (!isBuilderError(error)) return `not coded: ${(error as Error).stack}`;
    const { span } = error;
    const isPlaced = span !== undefined && span.start >= 0 && span.start <= span.end && span.end <= text.length;
    return isPlaced ? error.code : `${error.code} without a place: ${error.message}`;
  }
}

describe('a run of 60000 blanks', () => {
  for (const [where, text] of [
    ['inside a command', `FROM x\nRUN a${BLANKS}b\n`],
    ['in every line of a command', `FROM x\nRUN a${`\\\n${BLANKS}b`.repeat(20)}\n`],
    ['inside a comment', `FROM x\n# ${BLANKS}b\nRUN a\n`],
    ['inside a directive', `# escape = ${BLANKS}b\nFROM x\n`],
    ['behind an unknown directive', `# a = ${BLANKS}b\nFROM x\n`],
    ['between words', `FROM x\nENV a=1${BLANKS}b=2\n`],
  ] as const) {
    it(where, { timeout: 20_000 }, () => {
      assert.ok([undefined, 'dockerfile.syntax'].includes(refusal(text)));
    });
  }

  it('of carriage returns', { timeout: 20_000 }, () => {
    assert.equal(refusal(`FROM x\nRUN a${'\r'.repeat(60_000)}b\n`), undefined);
  });
});

describe('a pattern of many stars', () => {
  const value = 'a'.repeat(20_000);
  const expand = (text: string) => expandText(text, () => value, { escape: '\\' }).text;

  it('that matches nothing', { timeout: 20_000 }, () => {
    assert.equal(expand(`\${x//${'*a'.repeat(50)}b/-}`), value);
    assert.equal(expand(`\${x##${'*'.repeat(200)}b}`), value);
    assert.equal(expand(`\${x%b${'*'.repeat(200)}}`), value);
  });

  it('that matches everything', { timeout: 20_000 }, () => {
    assert.equal(expand(`\${x/${'*'.repeat(200)}/-}`), '-');
    assert.equal(expand(`\${x##${'*'.repeat(200)}}`), '');
    assert.equal(expand(`\${x#${'*'.repeat(200)}}`), value);
  });
});

describe('words thrown together', () => {
  const PIECES = [
    ...'FROM base AS one RUN COPY ADD ENV LABEL ARG CMD ENTRYPOINT HEALTHCHECK NONE ONBUILD EXPOSE USER VOLUME'.split(
      ' ',
    ),
    ...'WORKDIR STOPSIGNAL SHELL MAINTAINER \\ ` " \' $ ${ } { [ ] , ["a" "] << <<- EOF <<EOF = a=b -- --from='.split(
      ' ',
    ),
    ...'--mount= type=bind, target=/x --link --chmod= --exclude= # :- :+ :? ## %% // / * ? 1 é 😀 ~ @ 80/tcp'.split(
      ' ',
    ),
    ...['--interval=1s', '# escape=`\n', '# check=skip=all\n', '\nEOF\n', '\\\n', '`\n', '\r\n', '\v', '\f', '\0'],
    ...[' ', ' ', ' ', '\t', '\n', '\n', '\n', '\u00a0', '\ufeff', '\ud83d', '\u2028', '__proto__', 'constructor'],
  ];

  /** A line of numbers that is the same in every run. */
  function numbers(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  }

  const texts = Array.from({ length: 4000 }, (_, seed) => {
    const next = numbers(seed + 1);
    const pieces = Array.from({ length: next(40) }, () => PIECES[next(PIECES.length)]);
    return `${next(3) > 0 ? 'FROM base\n' : ''}${pieces.join('')}`;
  });

  it('are read or refused with a place', () => {
    const wrong = texts.filter((text) => !/^(dockerfile\.[a-z-]+)?$/.test(refusal(text) ?? ''));
    assert.deepEqual(
      wrong.slice(0, 3).map((text) => [text, refusal(text)]),
      [],
    );
  });

  it('have instructions in order, each inside the file', () => {
    for (const text of texts) {
      if (refusal(text) !== undefined) continue;
      let line = 0;
      for (const { lines, span } of read(text).instructions) {
        assert.ok(lines.first > line && lines.last >= lines.first, text);
        assert.ok(span.start >= 0 && span.start < span.end && span.end <= text.length, text);
        line = lines.last;
      }
    }
  });

  it('mean the same with a comment above each line and with other line ends', () => {
    for (const text of texts) {
      if (/<<|^\ufeff?#|\r|\n\s*#/.test(text) || refusal(text) !== undefined) continue;
      const words = (from: string) =>
        read(from).instructions.map(({ name, args, flags, json }) => ({
          name,
          json,
          args: args.map((arg) => arg.text),
          flags: flags.length,
        }));
      const expected = words(text);
      assert.deepEqual(words(`# note\n${text.replaceAll('\n', '\n# note\n')}`), expected, text);
      assert.deepEqual(words(text.replaceAll('\n', '\r\n')), expected, text);
    }
  });
});
