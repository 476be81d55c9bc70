/** COPY and ADD: bring files in. */
import { type Fragment, sliceFragment, spanOf } from '../fragment.ts';
import { heredocBody, parseHeredocWord } from '../heredoc.ts';
import type { RawInstruction } from '../parser.ts';
import { flagsOf, type InstructionBase, syntaxError } from './base.ts';

/** A heredoc that is copied as a file. */
export interface InlineFile {
  readonly name: string;
  readonly content: Fragment;
  /** Whether variables in the content are expanded. */
  readonly expand: boolean;
  /** Of the `<<name` word. */
  readonly word: Fragment;
}

interface CopyBase extends InstructionBase {
  readonly sources: readonly Fragment[];
  readonly inlineFiles: readonly InlineFile[];
  readonly destination: Fragment;
  readonly chown: Fragment | undefined;
  readonly chmod: Fragment | undefined;
  readonly link: boolean;
  /** Never expanded. */
  readonly excludes: readonly Fragment[];
}

export interface CopyInstruction extends CopyBase {
  readonly kind: 'copy';
  /** Stage name or index, context or image; never expanded. */
  readonly from: Fragment | undefined;
  readonly parents: boolean;
}

export interface AddInstruction extends CopyBase {
  readonly kind: 'add';
  readonly checksum: Fragment | undefined;
  /** Undefined when not said: git sources may say it in their URL. */
  readonly keepGitDir: boolean | undefined;
  /** Undefined when not said: local archives are unpacked, downloaded ones are not. */
  readonly unpack: boolean | undefined;
}

const SHARED_FLAGS = { chown: 'string', chmod: 'string', link: 'boolean', exclude: 'list' } as const;

export function buildCopy(raw: RawInstruction, base: InstructionBase): CopyInstruction {
  const flags = flagsOf(raw, { ...SHARED_FLAGS, from: 'string', parents: 'boolean' });
  const from = flags.text('from');
  if (from?.text.includes('$')) {
    throw syntaxError(
      spanOf(from),
      '--from cannot hold a variable',
      'give the image a stage of its own (FROM … AS name, with a global ARG) and name that',
    );
  }
  return {
    ...base,
    kind: 'copy',
    ...sourcesAndDestination(raw),
    ...sharedFlags(flags),
    from: from?.text === '' ? undefined : from,
    parents: flags.boolean('parents') ?? false,
  };
}

export function buildAdd(raw: RawInstruction, base: InstructionBase): AddInstruction {
  const flags = flagsOf(raw, { ...SHARED_FLAGS, checksum: 'string', 'keep-git-dir': 'boolean', unpack: 'boolean' });
  return {
    ...base,
    kind: 'add',
    ...sourcesAndDestination(raw),
    ...sharedFlags(flags),
    checksum: flags.text('checksum'),
    keepGitDir: flags.boolean('keep-git-dir'),
    unpack: flags.boolean('unpack'),
  };
}

function sharedFlags(flags: ReturnType<typeof flagsOf>) {
  return {
    chown: flags.text('chown'),
    chmod: flags.text('chmod'),
    link: flags.boolean('link') ?? false,
    excludes: flags.list('exclude'),
  };
}

function sourcesAndDestination(raw: RawInstruction): {
  sources: Fragment[];
  inlineFiles: InlineFile[];
  destination: Fragment;
} {
  const destination = raw.args.at(-1);
  if (destination === undefined || raw.args.length < 2) {
    throw syntaxError(raw.span, `${raw.name} requires at least two arguments: sources and a destination`);
  }
  if (!raw.json && parseHeredocWord(destination.text) !== undefined) {
    throw syntaxError(spanOf(destination), `${raw.name} cannot have a heredoc as its destination`);
  }
  const sources: Fragment[] = [];
  const inlineFiles: InlineFile[] = [];
  for (const word of raw.args.slice(0, -1)) {
    const file = raw.json ? undefined : inlineFile(raw, word);
    if (file === undefined) sources.push(word);
    else inlineFiles.push(file);
  }
  return { sources, inlineFiles, destination };
}

function inlineFile(raw: RawInstruction, word: Fragment): InlineFile | undefined {
  const opener = parseHeredocWord(word.text);
  if (opener === undefined) return undefined;
  const heredoc = raw.heredocs.find(({ name }) => name === opener.name);
  const content = heredoc === undefined ? sliceFragment(word, 0, 0) : heredocBody(heredoc);
  return { name: opener.name, content, expand: opener.expand, word };
}
