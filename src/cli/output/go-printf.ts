/** Go's formatted printing: `fmt.Sprintf`, and the `%v` form in which templates print. */
import { GoNamed } from './go-time.ts';
import { GoFloat, GoList, GoMap, GoNilPointer, GoStruct, type GoValue, typeName } from './go-value.ts';

interface Form {
  readonly verb: string;
  readonly flags: string;
  readonly width: number | undefined;
  readonly precision: number | undefined;
}

const PLAIN: Form = { verb: 'v', flags: '', width: undefined, precision: undefined };

/** The `%v` form. */
export function printed(value: GoValue): string {
  return formatted(value, PLAIN);
}

const DIRECTIVE = /%([-+# 0]*)(\[\w*\])?(\*|\d+)?(?:\.(\[\w*\])?(\*|\d*))?(\[\w*\])?(.)?/gsu;

/** Formats like `fmt.Sprintf`, its complaints (`%!d(string=x)`, `%!s(MISSING)`) included. */
export function goPrintf(format: string, args: readonly GoValue[]): string {
  let next = 0;
  let isReordered = false;
  let isBad = false;
  const jump = (index: string | undefined): void => {
    if (index === undefined) return;
    isReordered = true;
    const to = Number(index.slice(1, -1));
    if (Number.isInteger(to) && to >= 1 && to <= args.length) next = to - 1;
    else isBad = true;
  };
  const size = (text: string | undefined): number | undefined => {
    if (text !== '*') return text === undefined ? undefined : Number(text);
    const value = args[next++];
    return typeof value === 'number' ? value : undefined;
  };
  const out = format.replace(DIRECTIVE, (_, flags: string, i1, width, i2, precision, i3, verb?: string) => {
    isBad = false;
    jump(i1);
    const wide = size(width);
    jump(i2);
    const exact = size(precision);
    jump(i3);
    if (verb === undefined) return '%!(NOVERB)';
    if (verb === '%') return '%';
    if (isBad) return `%!${verb}(BADINDEX)`;
    if (next >= args.length) return `%!${verb}(MISSING)`;
    const isLeft = wide !== undefined && wide < 0;
    const form = { verb, flags: isLeft ? `${flags}-` : flags, width: isLeft ? -wide : wide, precision: exact };
    return formatted(args[next++], form);
  });
  if (isReordered || next >= args.length) return out;
  const extra = args.slice(next).map((value) => (value == null ? '<nil>' : `${typeName(value)}=${printed(value)}`));
  return `${out}%!(EXTRA ${extra.join(', ')})`;
}

function formatted(value: GoValue, form: Form, isNested = false): string {
  const { verb } = form;
  if (verb === 'T') return padText(typeName(value), form);
  if (value === undefined || value === null)
    return verb === 'v' || isNested ? padText('<nil>', form) : `%!${verb}(<nil>)`;
  if (verb === 'p') return wrong(value, form);
  if (typeof value === 'boolean')
    return verb === 't' || verb === 'v' ? padText(String(value), form) : wrong(value, form);
  if (typeof value === 'number') return formatInt(value, form) ?? wrong(value, form);
  if (value instanceof GoFloat) return formatFloat(value.value, form) ?? wrong(value, form);
  if (typeof value === 'string') return formatString(value, form) ?? wrong(value, form);
  if (value instanceof GoNamed) return formatNamed(value, form);
  if (value instanceof GoNilPointer) return verb === 'v' || verb === 's' ? padText('<nil>', form) : wrong(value, form);
  return formatComposite(value, form, isNested);
}

function formatNamed(value: GoNamed, form: Form): string {
  if (value.integer !== undefined && !'vsqxX'.includes(form.verb)) {
    return formatInt(value.integer, form) ?? wrong(value, form);
  }
  return formatString(value.printed, { ...form, flags: form.flags.replace('#', '') }) ?? wrong(value, form);
}

function formatComposite(value: GoList | GoMap | GoStruct, form: Form, isNested: boolean): string {
  const inner = (item: GoValue): string => formatted(item, form, true);
  if (form.verb === 'v' && form.flags.includes('#')) return goSyntax(value, inner);
  if (value instanceof GoList) return `[${value.items.map(inner).join(' ')}]`;
  if (value instanceof GoMap) {
    return `map[${[...value.entries].map(([key, item]) => `${inner(key)}:${inner(item)}`).join(' ')}]`;
  }
  const named = form.verb === 'v' && form.flags.includes('+');
  const members = [...value.fields].map(([name, item]) => (named ? `${name}:${inner(item)}` : inner(item)));
  // Go prints the address of a pointer inside another value; what it points to says more.
  return `${value.isPointer && !isNested ? '&' : ''}{${members.join(' ')}}`;
}

/** The `%#v` form. */
function goSyntax(value: GoList | GoMap | GoStruct, inner: (item: GoValue) => string): string {
  const type = typeName(value);
  if (value instanceof GoStruct) {
    const members = [...value.fields].map(([name, item]) => `${name}:${inner(item)}`);
    return `${type.replace(/^\*/, '&')}{${members.join(', ')}}`;
  }
  if (value.isNil) return `${type}(nil)`;
  if (value instanceof GoList) return `${type}{${value.items.map(inner).join(', ')}}`;
  return `${type}{${[...value.entries].map(([key, item]) => `${inner(key)}:${inner(item)}`).join(', ')}}`;
}

function formatInt(value: number, form: Form): string | undefined {
  const { verb, flags } = form;
  const [abs, isNegative] = [Math.abs(value), value < 0];
  switch (verb) {
    case 'v':
    case 'd':
      return padNumber(digits(abs.toString(), form), isNegative, form);
    case 'b':
      return padNumber((flags.includes('#') ? '0b' : '') + digits(abs.toString(2), form), isNegative, form);
    case 'o':
      return padNumber((flags.includes('#') ? '0' : '') + digits(abs.toString(8), form), isNegative, form);
    case 'O':
      return padNumber(`0o${digits(abs.toString(8), form)}`, isNegative, form);
    case 'x':
      return padNumber((flags.includes('#') ? '0x' : '') + digits(abs.toString(16), form), isNegative, form);
    case 'X':
      return padNumber(
        (flags.includes('#') ? '0X' : '') + digits(abs.toString(16), form).toUpperCase(),
        isNegative,
        form,
      );
    case 'c':
      return padText(character(value), form);
    case 'q':
      return padText(quoteCharacter(character(value), flags.includes('+')), form);
    case 'U': {
      const text = `U+${abs.toString(16).toUpperCase().padStart(4, '0')}`;
      return padText(flags.includes('#') ? `${text} '${character(value)}'` : text, form);
    }
    default:
      return undefined;
  }
}

function digits(text: string, { precision }: Form): string {
  return precision === undefined ? text : text.padStart(precision, '0');
}

function character(code: number): string {
  return code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? '\ufffd' : String.fromCodePoint(code);
}

function formatFloat(value: number, form: Form): string | undefined {
  const text = floatDigits(Math.abs(value), form);
  return text === undefined ? undefined : padNumber(text, value < 0 || Object.is(value, -0), form);
}

function floatDigits(abs: number, { verb, precision }: Form): string | undefined {
  if (!'veEfFgG'.includes(verb)) return undefined;
  if (!Number.isFinite(abs)) return Number.isNaN(abs) ? 'NaN' : '+Inf';
  switch (verb) {
    case 'e':
    case 'E':
      return cased(exponential(abs, precision ?? 6), verb);
    case 'f':
    case 'F':
      return toFixedHalfEven(abs, precision ?? 6);
    default:
      return cased(general(abs, precision), verb);
  }
}

function cased(text: string, verb: string): string {
  return verb === 'E' || verb === 'G' ? text.toUpperCase() : text;
}

/** Go writes at least two digits of an exponent. */
function exponential(abs: number, precision: number | undefined): string {
  return abs.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** `%g`: the shortest digits, or as many as the precision says; large and small numbers with an exponent. */
function general(abs: number, precision: number | undefined): string {
  const wanted = precision === 0 ? 1 : precision;
  const rounded = wanted === undefined ? abs : Number(abs.toPrecision(wanted));
  const [mantissa, power] = rounded.toExponential().split('e');
  const significant = mantissa!.replace('.', '').length;
  const exponent = Number(power);
  const limit = wanted ?? 6;
  const bound = wanted !== undefined && limit > significant && significant > exponent ? significant : limit;
  if (exponent < -4 || exponent >= bound) return exponential(rounded, undefined);
  return rounded.toFixed(Math.max(0, significant - 1 - exponent));
}

/** `toFixed` rounds the exact value as Go does; it only fails to for numbers beyond 1e21. */
function toFixedHalfEven(abs: number, precision: number): string {
  if (abs >= 1e21) return `${BigInt(abs)}${precision > 0 ? `.${'0'.repeat(precision)}` : ''}`;
  const text = abs.toFixed(Math.min(precision, 100));
  // ECMAScript rounds exact ties up, Go to even.
  const scaled = abs * 10 ** precision;
  const isTie = precision < 16 && Number.isSafeInteger(scaled * 2) && scaled % 1 === 0.5;
  return isTie && Math.floor(scaled) % 2 === 0 ? (Math.floor(scaled) / 10 ** precision).toFixed(precision) : text;
}

function formatString(value: string, form: Form): string | undefined {
  const { verb, flags, precision } = form;
  const cut = precision === undefined ? value : [...value].slice(0, precision).join('');
  switch (verb) {
    case 'v':
      return padText(flags.includes('#') ? goQuote(value) : cut, form);
    case 's':
      return padText(cut, form);
    case 'q':
      if (flags.includes('#') && !/[`\x00-\x08\x0a-\x1f\x7f]/.test(cut)) return padText(`\`${cut}\``, form);
      return padText(goQuote(cut, flags.includes('+')), form);
    case 'x':
    case 'X': {
      const bytes = Buffer.from(value).subarray(0, precision);
      const prefix = flags.includes('#') ? '0x' : '';
      const spaced = flags.includes(' ')
        ? [...bytes].map((b) => prefix + hexByte(b)).join(' ')
        : prefix + bytes.toString('hex');
      return padText(verb === 'X' ? spaced.toUpperCase() : bytes.length === 0 ? '' : spaced, form);
    }
    default:
      return undefined;
  }
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function padText(text: string, { flags, width }: Form): string {
  const missing = (width ?? 0) - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  return (flags.includes('0') ? '0' : ' ').repeat(missing) + text;
}

function padNumber(text: string, isNegative: boolean, form: Form): string {
  const { flags, width, precision, verb } = form;
  const sign = isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const missing = (width ?? 0) - sign.length - text.length;
  if (missing <= 0) return sign + text;
  if (flags.includes('-')) return sign + text + ' '.repeat(missing);
  // A precision of an integer turns the zeros off.
  const isZeroed = flags.includes('0') && (precision === undefined || 'eEfFgGv'.includes(verb));
  return isZeroed ? sign + '0'.repeat(missing) + text : ' '.repeat(missing) + sign + text;
}

function wrong(value: GoValue, { verb }: Form): string {
  return value === undefined || value === null ? `%!${verb}(<nil>)` : `%!${verb}(${typeName(value)}=${printed(value)})`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

/** A Go string literal; `isAscii` escapes everything else. */
export function goQuote(text: string, isAscii = false): string {
  return `"${[...text].map((c) => (c === '"' ? '\\"' : escaped(c, isAscii))).join('')}"`;
}

function quoteCharacter(c: string, isAscii: boolean): string {
  return `'${c === "'" ? "\\'" : escaped(c, isAscii)}'`;
}

function escaped(c: string, isAscii: boolean): string {
  const known = ESCAPES[c];
  if (known !== undefined) return known;
  const code = c.codePointAt(0)!;
  if (code < 0x20 || code === 0x7f) return `\\x${hexByte(code)}`;
  const isPrinted = code < 0x7f || (!isAscii && /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(c));
  if (isPrinted) return c;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
