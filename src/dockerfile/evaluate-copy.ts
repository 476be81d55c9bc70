/** COPY and ADD into concrete steps. */

import { addSourceKind } from './add-source.ts';
import { joinWorkdir } from './config-edit.ts';
import { noOperation } from './created-by.ts';
import type { Scope } from './evaluation-scope.ts';
import { type Fragment, spanOf } from './fragment.ts';
import { syntaxError } from './instructions/base.ts';
import type { AddInstruction, CopyInstruction, InlineFile } from './instructions/copy.ts';
import { requireEarlierStages, resolveSource, type Source } from './stages.ts';
import type { AddSource, AddStep, CopyStep, StepInlineFile, StepSource } from './step.ts';

const SYMBOLIC_MODE = /^[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*$/;

export function evaluateCopy(instruction: CopyInstruction, scope: Scope): CopyStep {
  const shared = evaluateShared(instruction, scope);
  const sources = instruction.sources.map(
    (source): StepSource => ({ text: scope.expand(source), span: spanOf(source) }),
  );
  for (const { text, span } of sources) {
    if (addSourceKind(text) !== 'local') {
      throw syntaxError(span, `COPY cannot take ${JSON.stringify(text)}: it is not a path`, 'use ADD');
    }
  }
  return {
    ...scope.base(),
    ...shared,
    kind: 'copy',
    from: sourceOf(instruction.from, scope),
    sources,
    parents: instruction.parents,
  };
}

export function evaluateAdd(instruction: AddInstruction, scope: Scope): AddStep {
  const shared = evaluateShared(instruction, scope);
  const sources = instruction.sources.map((source): AddSource => {
    const text = scope.expand(source);
    return { text, span: spanOf(source), kind: addSourceKind(text) };
  });
  return {
    ...scope.base(),
    ...shared,
    kind: 'add',
    sources,
    checksum: checksumOf(instruction, sources, scope),
    keepGitDir: instruction.keepGitDir,
    unpack: instruction.unpack,
  };
}

function sourceOf(from: Fragment | undefined, scope: Scope): Source | undefined {
  if (from === undefined) return undefined;
  const { plan, stage } = scope.state;
  const source = resolveSource(from, stage.index, plan, 'indexes');
  if (source.kind === 'stage') {
    requireEarlierStages(plan.stages, stage.index, [{ index: source.index, reason: 'copy', span: spanOf(from) }]);
  }
  return source;
}

function evaluateShared(instruction: CopyInstruction | AddInstruction, scope: Scope) {
  const written = scope.expand(instruction.destination);
  const workdir = scope.state.config.config?.WorkingDir;
  const link = instruction.link ? ' --link' : '';
  return {
    inlineFiles: instruction.inlineFiles.map((file) => expandInline(file, scope)),
    destination: joinWorkdir(workdir, written),
    intoDirectory: written === '' || written === '.' || written.endsWith('/') || written.endsWith('/.'),
    chown: instruction.chown === undefined ? undefined : scope.expand(instruction.chown) || undefined,
    chmod: instruction.chmod === undefined ? undefined : modeOf(scope.expand(instruction.chmod), instruction.chmod),
    link: instruction.link,
    excludes: instruction.excludes.map(({ text }) => text),
    createdBy: ({ kind, hex }: { kind: string; hex: string }) =>
      noOperation(`${instruction.raw.name}${link} ${kind}:${hex} in ${written} `),
  };
}

/** Bodies of unquoted heredocs are expanded with their quotes left alone. */
function expandInline({ name, content, expand }: InlineFile, scope: Scope): StepInlineFile {
  return { name, content: expand ? scope.expandBody(content) : content.text };
}

function modeOf(mode: string, written: Fragment): string | undefined {
  if (mode === '') return undefined;
  const isOctal = /^[0-7]+$/.test(mode) && Number.parseInt(mode, 8) <= 0o7777;
  if (isOctal || SYMBOLIC_MODE.test(mode)) return mode;
  const message = `invalid --chmod ${JSON.stringify(mode)}`;
  throw syntaxError(spanOf(written), message, 'use octal digits up to 7777, or symbols like u=rwX,go=rX');
}

function checksumOf(instruction: AddInstruction, sources: readonly AddSource[], scope: Scope): string | undefined {
  if (instruction.checksum === undefined) return undefined;
  const checksum = scope.expand(instruction.checksum);
  if (checksum === '') return undefined;
  const span = spanOf(instruction.checksum);
  const [source, ...more] = sources;
  if (source === undefined || more.length > 0 || instruction.inlineFiles.length > 0) {
    throw syntaxError(span, '--checksum needs exactly one source');
  }
  if (source.kind === 'local') throw syntaxError(span, '--checksum is for downloads and git repositories only');
  const shape = source.kind === 'http' ? /^sha256:[0-9a-f]{64}$/ : /^[0-9a-f]{7,64}$/i;
  if (!shape.test(checksum)) {
    const wanted = source.kind === 'http' ? 'sha256: and 64 hex digits' : 'a commit';
    throw syntaxError(span, `invalid --checksum ${JSON.stringify(checksum)}: it must be ${wanted}`);
  }
  return checksum;
}
