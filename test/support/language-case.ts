/**
 * One case of the language corpus: a text file with a sentence of what it shows, then sections, each behind a line
 * `-- kind words --`. test/corpus/language/README.md describes the format.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The variable that the image `base` sets; `{PATH}` in an expected config. */
export const BASE_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CaseEntry {
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Relative to the context; `../` is the work folder beside it. */
  readonly path: string;
  readonly content: string;
  readonly target: string;
  /** Octal. */
  readonly mode: string | undefined;
  /** `uid:gid` */
  readonly owner: string | undefined;
  /** Seconds. */
  readonly mtime: number | undefined;
}

export interface ExpectedFailure {
  readonly code: string;
  /** `line:column`, or undefined for an error without a place. */
  readonly place: string | undefined;
  /** Each is part of the message. */
  readonly messages: readonly string[];
}

export interface LanguageCase {
  /** `area/name` */
  readonly name: string;
  readonly about: string;
  readonly entries: readonly CaseEntry[];
  /** Text of a Dockerfile outside the context; undefined when the context holds it. */
  readonly dockerfile: string | undefined;
  /** Dockerfiles built before, as `localhost/NAME`. */
  readonly images: readonly { readonly name: string; readonly text: string }[];
  /** Shell scripts run in the context. */
  readonly prepare: readonly string[];
  /** Words of the command line; `{dir}` is the work folder, `{http}` its address on a loopback server. */
  readonly flags: readonly string[];
  /** The `config` object the image must have; with `isWhole` false, changes to the base's. */
  readonly config: { readonly isWhole: boolean; readonly value: Readonly<Record<string, unknown>> };
  readonly author: string | undefined;
  /** Own lines after the base's; `+ text` has a layer when steps are committed one by one, `- text` has none. */
  readonly history: readonly string[] | undefined;
  /** Lines of `tree-lines.ts`. */
  readonly tree: { readonly isWhole: boolean; readonly lines: readonly string[] };
  /** `Rule line` */
  readonly warnings: readonly string[] | undefined;
  readonly failure: ExpectedFailure | undefined;
  /** Reason why an ordinary user cannot have this result. */
  readonly onlyRoot: string | undefined;
}

/** Every case of a corpus folder, sorted by name. */
export function readLanguageCases(folder: string): LanguageCase[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.case'))
    .sort()
    .map((path) => parseLanguageCase(path.slice(0, -'.case'.length), readFileSync(join(folder, path), 'utf8')));
}

interface Section {
  readonly kind: string;
  readonly words: readonly string[];
  readonly text: string;
}

export function parseLanguageCase(name: string, text: string): LanguageCase {
  const [about = '', ...sections] = splitSections(name, text);
  const all = (kind: string) => sections.filter((section): section is Section => (section as Section).kind === kind);
  const one = (kind: string) => all(kind)[0];
  const lines = (kind: string) =>
    one(kind)
      ?.text.split('\n')
      .filter((line) => line !== '');
  const config = one('config');
  const tree = one('tree');
  const found = {
    name,
    about: about as string,
    entries: [...all('file').map(fileEntry), ...all('dir').map(directoryEntry), ...all('link').map(linkEntry)],
    dockerfile: one('Dockerfile') === undefined ? undefined : decoded(one('Dockerfile')!),
    images: all('image').map((section) => ({ name: section.words[0] ?? '', text: decoded(section) })),
    prepare: all('prepare').map((section) => section.text),
    flags: lines('flags') ?? [],
    config: {
      isWhole: config?.words.includes('whole') === true,
      value: JSON.parse((config?.text || '{}').replaceAll('{PATH}', BASE_PATH)) as object,
    },
    author: one('author')?.text.trimEnd(),
    history: lines('history'),
    tree: { isWhole: tree?.words.includes('whole') === true, lines: lines('tree') ?? [] },
    warnings: one('warnings') === undefined ? undefined : lines('warnings'),
    failure: failureOf(lines('error')),
    onlyRoot: one('only-root')?.text.trim(),
  };
  return found as LanguageCase;
}

const KINDS = 'Dockerfile author config dir error file flags history image link only-root prepare tree warnings'.split(
  ' ',
);

function splitSections(name: string, text: string): (string | Section)[] {
  const parts = text.split(/^-- (.+) --\n/m);
  const sections: (string | Section)[] = [(parts[0] ?? '').trim()];
  if (sections[0] === '') throw new Error(`${name}: does not say what it shows`);
  for (let i = 1; i < parts.length; i += 2) {
    const [kind = '', ...words] = splitWords(parts[i]!);
    if (!KINDS.includes(kind)) throw new Error(`${name}: unknown section ${JSON.stringify(parts[i])}`);
    sections.push({ kind, words, text: parts[i + 1] ?? '' });
  }
  return sections;
}

/** Blank-separated words; one in double quotes is a JSON string. */
function splitWords(line: string): string[] {
  return (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) =>
    word.startsWith('"') ? (JSON.parse(word) as string) : word,
  );
}

/** `percent`: `%0D` is a byte. `crlf`: lines end so. `no-eol`: the last line has no end. */
function decoded({ text, words }: Section): string {
  let result = text;
  if (words.includes('no-eol')) result = result.replace(/\n$/, '');
  if (words.includes('crlf')) result = result.replaceAll('\n', '\r\n');
  return words.includes('percent') ? decodeURIComponent(result.replaceAll(/%(?![0-9A-F]{2})/g, '%25')) : result;
}

function attributes(words: readonly string[]) {
  const value = (key: string) => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const mtime = value('mtime');
  return { mode: value('mode'), owner: value('owner'), mtime: mtime === undefined ? undefined : Number(mtime) };
}

function fileEntry(section: Section): CaseEntry {
  return {
    kind: 'file',
    path: section.words[0] ?? '',
    content: decoded(section),
    target: '',
    ...attributes(section.words),
  };
}

function directoryEntry({ words }: Section): CaseEntry {
  return { kind: 'directory', path: words[0] ?? '', content: '', target: '', ...attributes(words) };
}

/** `-- link PATH -> TARGET --` */
function linkEntry({ words }: Section): CaseEntry {
  return { kind: 'symlink', path: words[0] ?? '', content: '', target: words[2] ?? '', ...attributes(words.slice(3)) };
}

function failureOf(lines: readonly string[] | undefined): ExpectedFailure | undefined {
  if (lines === undefined) return undefined;
  const [code = '', place] = (lines[0] ?? '').split(' ');
  return { code, place, messages: lines.slice(1) };
}
