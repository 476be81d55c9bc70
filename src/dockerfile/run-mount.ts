/**
 * `RUN --mount=…`. Parsing happens twice: once for what the stage graph needs (`from`), and again, with variables
 * expanded, when the step is evaluated. Only then are all rules checked, so that a stage nobody needs cannot fail.
 */
import type { Span } from '../report/source-file.ts';
import { suggest } from '../report/suggestion.ts';
import { cleanPath } from '../spec/path-pattern.ts';
import { parseBoolean, parseByteSize, parseUnsigned, splitCsv } from './csv.ts';
import { cutFragment, type Fragment, spanOf } from './fragment.ts';
import { syntaxError } from './instructions/base.ts';

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';

/** A mount as written. */
export interface MountRequest {
  readonly span: Span;
  readonly fields: readonly MountField[];
  /** Stage, context or image; never holds a variable. */
  readonly from: Fragment | undefined;
}

interface MountField {
  /** In lower case. */
  readonly key: string;
  readonly value: Fragment | undefined;
  readonly text: Fragment;
}

/** Who owns a file, and its permissions; absent members leave the default. */
interface Ownership {
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** Podman's `z` (shared) and `Z` (private): an SELinux label for the content; nothing to do where SELinux is off. */
export type Relabel = 'shared' | 'private';

/** A mount with everything expanded and checked. Targets are absolute; sources are paths below the root of `from`. */
export type ResolvedMount =
  | {
      readonly type: 'bind';
      /** The build context when undefined. */
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** What is mounted below the source is not shown; absent where nothing was said. */
      readonly isAlone?: true;
      readonly relabel: Relabel | undefined;
      readonly span: Span;
    }
  | ({
      readonly type: 'cache';
      /** Names the cache; any characters. */
      readonly id: string;
      /** Seeds a new cache; an empty directory when undefined. */
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly sharing: 'shared' | 'private' | 'locked';
      readonly relabel: Relabel | undefined;
      readonly span: Span;
    } & Ownership)
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes: number | undefined;
      /** Of its root; absent where nothing was said. */
      readonly mode?: number;
      readonly span: Span;
    }
  | ({
      readonly type: 'secret';
      readonly id: string;
      /** Where the file appears; undefined when the secret is an environment variable only. */
      readonly target: string | undefined;
      /** The environment variable that holds it. */
      readonly env: string | undefined;
      readonly required: boolean;
      readonly span: Span;
    } & Ownership)
  | ({
      readonly type: 'ssh';
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
      readonly span: Span;
    } & Ownership);

const TYPES: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARING = ['shared', 'private', 'locked'] as const;
const RELABEL = ['shared', 'private'] as const;

/** Every spelling of every option, with the one it stands for. */
const KEYS: Readonly<Record<string, string>> = {
  type: 'type',
  from: 'from',
  source: 'source',
  src: 'source',
  target: 'target',
  dst: 'target',
  destination: 'target',
  readonly: 'readonly',
  ro: 'readonly',
  readwrite: 'readwrite',
  rw: 'readwrite',
  required: 'required',
  size: 'size',
  id: 'id',
  sharing: 'sharing',
  mode: 'mode',
  uid: 'uid',
  gid: 'gid',
  env: 'env',
  relabel: 'relabel',
  'tmpfs-size': 'size',
  'tmpfs-mode': 'tmpfs-mode',
  'bind-nonrecursive': 'bind-nonrecursive',
};

const BARE: ReadonlySet<string> = new Set(['readonly', 'readwrite', 'required', 'bind-nonrecursive']);

/** Which options only some types have; the others are for all. */
const ALLOWED: Readonly<Record<string, readonly MountType[]>> = {
  relabel: ['bind', 'cache'],
  required: ['secret', 'ssh'],
  size: ['tmpfs'],
  'tmpfs-mode': ['tmpfs'],
  'bind-nonrecursive': ['bind'],
  sharing: ['cache'],
  mode: ['cache', 'secret', 'ssh'],
  uid: ['cache', 'secret', 'ssh'],
  gid: ['cache', 'secret', 'ssh'],
  env: ['secret'],
  from: ['bind', 'cache'],
};

/** First look. @throws BuilderError `dockerfile.syntax` for broken CSV or a variable in `from` */
export function scanMount(value: Fragment): MountRequest {
  const fields = splitCsv(value).map((text) => {
    const [key, content] = cutFragment(text, '=');
    return { key: key.text.toLowerCase(), value: content, text };
  });
  const from = fields.filter(({ key }) => key === 'from').at(-1)?.value;
  const dollar = from?.text.indexOf('$') ?? -1;
  if (from !== undefined && dollar !== -1 && dollar !== from.text.length - 1) {
    throw syntaxError(
      spanOf(from),
      "a mount's from cannot hold a variable",
      'give the image a stage of its own (FROM … AS name) and name that',
    );
  }
  return { span: spanOf(value), fields, from: from?.text === '' ? undefined : from };
}

export interface MountScope {
  readonly expand: (value: Fragment) => string;
  /** What relative targets are joined to. */
  readonly workdir: string;
  /** How many ssh mounts of the same RUN come before this one. */
  readonly sshIndex: number;
}

/** Second look: expands and checks. @throws BuilderError `dockerfile.syntax`, `dockerfile.expansion` */
export function resolveMount(request: MountRequest, scope: MountScope): ResolvedMount {
  const options = readOptions(request, scope.expand);
  const type = mountType(options);
  refuseForeignOptions(options, type);
  return RESOLVERS[type](options, scope, request.span);
}

interface Option {
  readonly text: string;
  readonly isBare: boolean;
  readonly span: Span;
}
type Options = ReadonlyMap<string, Option>;

function readOptions(request: MountRequest, expand: MountScope['expand']): Options {
  const options = new Map<string, Option>();
  for (const field of request.fields) {
    const key = Object.hasOwn(KEYS, field.key) ? KEYS[field.key]! : undefined;
    const span = spanOf(field.text);
    if (field.text.text === 'z' || field.text.text === 'Z') {
      options.set('relabel', { text: field.text.text === 'z' ? 'shared' : 'private', isBare: true, span });
      continue;
    }
    if (field.value === undefined && (key === undefined || !BARE.has(key))) {
      throw syntaxError(span, `mount option ${JSON.stringify(field.text.text)} must be a key=value pair`);
    }
    if (key === undefined) {
      const near = suggest(field.key, Object.keys(KEYS));
      const hint = near === undefined ? undefined : `did you mean ${near}?`;
      throw syntaxError(span, `unexpected mount option ${JSON.stringify(field.key)}`, hint);
    }
    const text = field.value === undefined ? 'true' : expand(field.value);
    // The last of readonly and readwrite wins, so they share a slot.
    if (key === 'readwrite') options.set('readonly', { ...negate(text, span), isBare: field.value === undefined });
    else options.set(key, { text, span, isBare: field.value === undefined });
  }
  return options;
}

function negate(text: string, span: Span): { text: string; span: Span } {
  const value = parseBoolean(text);
  if (value === undefined) throw syntaxError(span, `invalid value for readwrite: ${JSON.stringify(text)}`);
  return { text: String(!value), span };
}

function mountType(options: Options): MountType {
  const option = options.get('type');
  if (option === undefined) return 'bind';
  const type = TYPES.find((candidate) => candidate === option.text.toLowerCase());
  if (type !== undefined) return type;
  const near = suggest(option.text, TYPES);
  const hint = near === undefined ? `use one of ${TYPES.join(', ')}` : `did you mean ${near}?`;
  throw syntaxError(option.span, `unsupported mount type ${JSON.stringify(option.text)}`, hint);
}

function refuseForeignOptions(options: Options, type: MountType): void {
  for (const [key, { span, text }] of options) {
    const allowed = ALLOWED[key];
    if (allowed === undefined || allowed.includes(type) || (key === 'from' && text === '')) continue;
    throw syntaxError(span, `${key} is not an option of ${type} mounts`, `it belongs to ${allowed.join(', ')} mounts`);
  }
}

type Resolver = (options: Options, scope: MountScope, span: Span) => ResolvedMount;

const RESOLVERS: Readonly<Record<MountType, Resolver>> = {
  bind: (options, scope, span) => ({
    type: 'bind',
    from: nonEmpty(options, 'from'),
    source: rooted(text(options, 'source')),
    target: directoryTarget(options, scope, span),
    readOnly: truth(options, 'readonly', true),
    ...(truth(options, 'bind-nonrecursive', false) ? { isAlone: true as const } : {}),
    relabel: oneOf(options, 'relabel', RELABEL),
    span,
  }),
  cache: (options, scope, span) => ({
    type: 'cache',
    id: nonEmpty(options, 'id') ?? cleanPath(text(options, 'target')),
    from: nonEmpty(options, 'from'),
    source: rooted(text(options, 'source')),
    target: directoryTarget(options, scope, span),
    readOnly: truth(options, 'readonly', false),
    sharing: oneOf(options, 'sharing', SHARING) ?? 'shared',
    relabel: oneOf(options, 'relabel', RELABEL),
    ...ownership(options),
    span,
  }),
  tmpfs: (options, scope, span) => ({
    type: 'tmpfs',
    target: directoryTarget(options, scope, span),
    sizeBytes: sizeOf(options),
    ...tmpfsMode(options),
    span,
  }),
  secret: resolveSecret,
  ssh: resolveSsh,
};

function resolveSecret(options: Options, scope: MountScope, span: Span): ResolvedMount {
  const source = options.get('source');
  const target = nonEmpty(options, 'target');
  if (source !== undefined && source.text !== '' && nonEmpty(options, 'id') !== undefined) {
    throw syntaxError(source.span, 'a secret mount has either id or source, which mean the same');
  }
  const id = nonEmpty(options, 'source') ?? nonEmpty(options, 'id') ?? baseName(target ?? '');
  if (id === '') throw syntaxError(span, 'a secret mount needs an id or a target');
  const env = options.get('env')?.text;
  const fileTarget = target ?? (env === undefined ? `/run/secrets/${baseName(id)}` : undefined);
  return {
    type: 'secret',
    id,
    target: fileTarget === undefined ? undefined : absolute(fileTarget, scope.workdir),
    env: env === '' ? id : env,
    required: truth(options, 'required', false),
    ...ownership(options),
    span,
  };
}

function resolveSsh(options: Options, scope: MountScope, span: Span): ResolvedMount {
  const source = options.get('source');
  if (source !== undefined && source.text !== '') {
    throw syntaxError(source.span, 'an ssh mount has no source', 'name the agent with id=');
  }
  const target = nonEmpty(options, 'target') ?? `/run/buildkit/ssh_agent.${scope.sshIndex}`;
  return {
    type: 'ssh',
    id: nonEmpty(options, 'id') ?? 'default',
    target: absolute(target, scope.workdir),
    required: truth(options, 'required', false),
    ...ownership(options),
    span,
  };
}

function text(options: Options, key: string): string {
  return options.get(key)?.text ?? '';
}

function nonEmpty(options: Options, key: string): string | undefined {
  return text(options, key) || undefined;
}

function truth(options: Options, key: string, fallback: boolean): boolean {
  const option = options.get(key);
  if (option === undefined) return fallback;
  const value = parseBoolean(option.text);
  if (value !== undefined) return value;
  throw syntaxError(option.span, `invalid value for ${key}: ${JSON.stringify(option.text)}`, 'use true or false');
}

function ownership(options: Options): Ownership {
  return {
    mode: wholeNumber(options, 'mode', 8),
    uid: wholeNumber(options, 'uid', 10),
    gid: wholeNumber(options, 'gid', 10),
  };
}

function tmpfsMode(options: Options): { readonly mode?: number } {
  const mode = wholeNumber(options, 'tmpfs-mode', 8);
  return mode === undefined ? {} : { mode };
}

function wholeNumber(options: Options, key: string, base: 8 | 10): number | undefined {
  const option = options.get(key);
  if (option === undefined) return undefined;
  const value = parseUnsigned(option.text, base);
  if (value !== undefined) return value;
  throw syntaxError(option.span, `invalid value for ${key}: ${JSON.stringify(option.text)}`);
}

function oneOf<T extends string>(options: Options, key: string, allowed: readonly T[]): T | undefined {
  const option = options.get(key);
  if (option === undefined) return undefined;
  const value = allowed.find((candidate) => candidate === option.text.toLowerCase());
  if (value !== undefined) return value;
  const message = `unsupported ${key} value ${JSON.stringify(option.text)}`;
  throw syntaxError(option.span, message, `use one of ${allowed.join(', ')}`);
}

function sizeOf(options: Options): number | undefined {
  const option = options.get('size');
  if (option === undefined) return undefined;
  const value = parseByteSize(option.text);
  if (value !== undefined) return value;
  throw syntaxError(option.span, `invalid value for size: ${JSON.stringify(option.text)}`);
}

function directoryTarget(options: Options, scope: MountScope, span: Span): string {
  const target = absolute(text(options, 'target'), scope.workdir);
  if (target !== '/') return target;
  throw syntaxError(
    options.get('target')?.span ?? span,
    'a mount cannot cover the root directory',
    'give it a target=',
  );
}

function absolute(path: string, workdir: string): string {
  return cleanPath(path.startsWith('/') ? path : `/${workdir}/${path}`);
}

function rooted(path: string): string {
  return cleanPath(`/${path}`);
}

function baseName(path: string): string {
  return (
    path
      .split('/')
      .filter((part) => part !== '')
      .at(-1) ?? ''
  );
}
