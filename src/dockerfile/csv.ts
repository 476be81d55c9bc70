/** One record of comma-separated values, with Go's number and truth spellings: the syntax of `--mount` and `--device`. */
import { BuilderError } from '../report/builder-error.ts';
import { type Fragment, FragmentBuilder, offsetAt, spanOf } from './fragment.ts';

/**
 * The fields of a record. A field that starts with a double quote runs to the closing one, `""` inside stands for `"`.
 * @throws BuilderError `dockerfile.syntax` for an empty record or a stray quote
 */
export function splitCsv(record: Fragment): Fragment[] {
  if (record.text === '') throw csvError(record, 0, 'the list of options is empty');
  const fields: Fragment[] = [];
  for (let at = 0; at <= record.text.length; ) {
    const field = record.text[at] === '"' ? quotedField(record, at) : plainField(record, at);
    fields.push(field.value);
    at = field.end + 1;
  }
  return fields;
}

function plainField(record: Fragment, start: number): { value: Fragment; end: number } {
  const comma = record.text.indexOf(',', start);
  const end = comma === -1 ? record.text.length : comma;
  const builder = new FragmentBuilder(record.file);
  for (let i = start; i < end; i++) {
    if (record.text[i] === '"') throw csvError(record, i, 'a quote in the middle of a field');
    builder.append(record.text[i]!, offsetAt(record, i));
  }
  return { value: builder.build(offsetAt(record, start)), end };
}

function quotedField(record: Fragment, start: number): { value: Fragment; end: number } {
  const { text } = record;
  const builder = new FragmentBuilder(record.file);
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '"') {
      if (text[i + 1] !== '"') {
        if (i + 1 < text.length && text[i + 1] !== ',') throw csvError(record, i, 'text behind a closing quote');
        return { value: builder.build(offsetAt(record, start)), end: i + 1 };
      }
      i += 1;
    }
    builder.append(text[i]!, offsetAt(record, i));
  }
  throw csvError(record, start, 'a quote is not closed');
}

function csvError(record: Fragment, at: number, reason: string): BuilderError {
  const end = Math.min(at + 1, record.text.length);
  return new BuilderError('dockerfile.syntax', `cannot read ${JSON.stringify(record.text)}: ${reason}`, {
    span: spanOf(record, at, end),
  });
}

/** Truth as Go's `strconv.ParseBool` spells it; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** A whole number up to 2³²−1 in the given base; undefined for anything else. */
export function parseUnsigned(text: string, base: 8 | 10): number | undefined {
  if (!(base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text)) return undefined;
  const value = Number.parseInt(text, base);
  return value <= 0xffff_ffff ? value : undefined;
}

/** Bytes of `512`, `64m`, `1.5GiB`, … in powers of 1024; undefined for anything else. */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  if (match === null) return undefined;
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf(match[2]!.toLowerCase());
  return Math.trunc(Number(match[1]) * 1024 ** power);
}
