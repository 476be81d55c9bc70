/** Raw instructions into typed ones: argument counts and flags are checked, nothing is expanded yet. */
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import type { EscapeCharacter } from './directives.ts';
import { spanOf } from './fragment.ts';
import { type ArgInstruction, buildArg } from './instructions/arg.ts';
import { type Build, type InstructionBase, refuseFlags, syntaxError } from './instructions/base.ts';
import {
  buildCmd,
  buildEntrypoint,
  buildRun,
  buildShell,
  type CmdInstruction,
  type EntrypointInstruction,
  type RunInstruction,
  type ShellInstruction,
} from './instructions/command.ts';
import { type AddInstruction, buildAdd, buildCopy, type CopyInstruction } from './instructions/copy.ts';
import { buildFrom, type FromInstruction } from './instructions/from.ts';
import { buildHealthcheck, type HealthcheckInstruction } from './instructions/health-check.ts';
import { buildEnv, buildLabel, type EnvInstruction, type LabelInstruction } from './instructions/key-values.ts';
import * as settings from './instructions/settings.ts';
import { KEYWORDS, type ParsedDockerfile, type RawInstruction } from './parser.ts';

export interface OnbuildInstruction extends InstructionBase {
  readonly kind: 'onbuild';
  /** What fires in a child build, heredoc bodies included; stored in the image. */
  readonly expression: string;
  /** The same, parsed. */
  readonly trigger: StageInstruction;
}

/** Everything that may stand behind FROM. */
export type StageInstruction =
  | AddInstruction
  | ArgInstruction
  | CmdInstruction
  | CopyInstruction
  | EntrypointInstruction
  | EnvInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | OnbuildInstruction
  | RunInstruction
  | ShellInstruction
  | settings.ExposeInstruction
  | settings.MaintainerInstruction
  | settings.StopsignalInstruction
  | settings.UserInstruction
  | settings.VolumeInstruction
  | settings.WorkdirInstruction;

export type Instruction = FromInstruction | StageInstruction;

const BUILDERS: Readonly<Record<string, Build<Instruction>>> = {
  ADD: buildAdd,
  ARG: buildArg,
  CMD: buildCmd,
  COPY: buildCopy,
  ENTRYPOINT: buildEntrypoint,
  ENV: buildEnv,
  EXPOSE: settings.buildExpose,
  FROM: buildFrom,
  HEALTHCHECK: buildHealthcheck,
  LABEL: buildLabel,
  MAINTAINER: settings.buildMaintainer,
  ONBUILD: buildOnbuild,
  RUN: buildRun,
  SHELL: buildShell,
  STOPSIGNAL: settings.buildStopsignal,
  USER: settings.buildUser,
  VOLUME: settings.buildVolume,
  WORKDIR: settings.buildWorkdir,
};

const NO_TRIGGERS: ReadonlySet<string> = new Set(['FROM', 'MAINTAINER', 'ONBUILD']);

/**
 * @throws BuilderError `dockerfile.unknown-instruction`, `dockerfile.unknown-flag` (both with the likely spelling), or
 *   `dockerfile.syntax`
 */
export function buildInstruction(raw: RawInstruction, escapeCharacter: EscapeCharacter): Instruction {
  const build = Object.hasOwn(BUILDERS, raw.name) ? BUILDERS[raw.name] : undefined;
  if (build === undefined) throw unknownInstruction(raw);
  return build(raw, { raw, span: raw.span, escape: escapeCharacter });
}

/** All instructions of a file, in order. */
export function buildInstructions(parsed: ParsedDockerfile): Instruction[] {
  return parsed.instructions.map((raw) => buildInstruction(raw, parsed.escape));
}

function unknownInstruction(raw: RawInstruction): BuilderError {
  const near = suggest(raw.name, KEYWORDS);
  const isSyntaxLeftover = /^(<<|EOF$)/.test(raw.name);
  const hint = near === undefined ? undefined : `did you mean ${near}?`;
  const leftover = isSyntaxLeftover ? 'heredocs work in RUN, COPY and ADD only' : undefined;
  const tip = leftover ?? hint;
  return new BuilderError('dockerfile.unknown-instruction', `unknown instruction ${JSON.stringify(raw.keyword.text)}`, {
    span: spanOf(raw.keyword),
    ...(tip === undefined ? {} : { hint: tip }),
  });
}

function buildOnbuild(raw: RawInstruction, base: InstructionBase): OnbuildInstruction {
  refuseFlags(raw);
  const { trigger } = raw;
  if (trigger === undefined) throw syntaxError(raw.span, 'ONBUILD requires an instruction');
  if (NO_TRIGGERS.has(trigger.name)) {
    throw syntaxError(spanOf(trigger.keyword), `${trigger.name} is not allowed behind ONBUILD`);
  }
  const bodies = raw.heredocs.map(({ content, name }) => `\n${content}${name}`);
  const built = buildInstruction({ ...trigger, heredocs: raw.heredocs }, base.escape);
  if (built.kind === 'from') throw syntaxError(raw.span, 'FROM is not allowed behind ONBUILD');
  return { ...base, kind: 'onbuild', expression: trigger.text.text + bodies.join(''), trigger: built };
}
