/** The published schema of `--progress=json`, as a check of whole streams. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';

const schema = JSON.parse(readFileSync(new URL('../../../docs/events.schema.json', import.meta.url), 'utf8')) as {
  readonly oneOf: readonly { readonly $ref: string }[];
};
const validate = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  schema,
);

/** Types of events the schema knows. */
export const EVENT_TYPES = schema.oneOf.map(({ $ref }) => $ref.split('/').at(-1)!);

/** Checks every line; gives the events. */
export function assertEventStream(text: string): Readonly<Record<string, unknown>>[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line has an end');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const event = JSON.parse(line) as Readonly<Record<string, unknown>>;
      if (validate(event) !== true) {
        const about = validate.errors?.filter(({ schemaPath }) => schemaPath.includes(`/${String(event['type'])}/`));
        assert.fail(`${line}\n${JSON.stringify(about?.length ? about : validate.errors, undefined, 1)}`);
      }
      return event;
    });
}
