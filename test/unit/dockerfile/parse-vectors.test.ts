import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseDockerfile, type RawInstruction } from '../../../src/dockerfile/parser.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

interface Vector {
  readonly case: string;
  readonly source: string;
  readonly escape?: string;
  readonly instructions?: readonly unknown[];
  readonly error?: string;
}

/** Nasty cases by hand, and random ones that BuildKit's parser (August 2026) was asked about. */
const vectors = ['parse-vectors', 'random-parse-vectors'].flatMap(
  (name) => JSON.parse(readFileSync(`test/corpus/dockerfile/${name}.json`, 'utf8')) as Vector[],
);

function shape(raw: RawInstruction): Record<string, unknown> {
  return {
    instruction: raw.keyword.text,
    flags: raw.flags.map((flag) => flag.text.text),
    args: raw.args.map((arg) => arg.text),
    json: raw.json,
    lines: [raw.lines.first, raw.lines.last],
    ...(raw.heredocs.length === 0
      ? {}
      : {
          heredocs: raw.heredocs.map((heredoc) => ({
            name: heredoc.name,
            fd: heredoc.fileDescriptor,
            expand: heredoc.expand,
            chompTabs: heredoc.stripTabs,
            content: heredoc.content,
          })),
        }),
    ...(raw.trigger === undefined ? {} : { trigger: shape(raw.trigger) }),
  };
}

function sourceOf(vector: Vector): string {
  return vector.source.replace('<70000 x characters>', 'x'.repeat(70_000));
}

assert.ok(vectors.length > 340);
for (const vector of vectors) {
  test(`parses as BuildKit does: ${vector.case}`, () => {
    const file = { name: 'Dockerfile', text: sourceOf(vector) };
    if (vector.error !== undefined) {
      assert.throws(
        () => parseDockerfile(file),
        (error) => isBuilderError(error, 'dockerfile.syntax') && error.span !== undefined,
      );
      return;
    }
    const parsed = parseDockerfile(file);
    assert.deepEqual(
      { escape: parsed.escape, instructions: parsed.instructions.map(shape) },
      {
        escape: vector.escape,
        instructions: vector.instructions,
      },
    );
  });
}
