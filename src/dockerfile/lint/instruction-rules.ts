/** Rules about single instructions and their repetition. */
import { lookupIn } from '../build-args.ts';
import type { EvaluatedStage } from '../evaluate-plan.ts';
import { expandFragment } from '../expand.ts';
import { type Fragment, spanOf } from '../fragment.ts';
import type { StageInstruction } from '../instructions.ts';
import { type PortSpecification, parsePort } from '../ports.ts';
import type { StageState } from '../stage-state.ts';
import type { StagePlan } from '../stages.ts';
import { extraRule, type Finding, rule } from './rule.ts';
import { imageStages } from './run-scripts.ts';

function ownInstructions(plan: StagePlan): readonly StageInstruction[] {
  return plan.stages.flatMap(({ instructions }) => instructions);
}

export const maintainerDeprecated = rule(
  'MaintainerDeprecated',
  'MAINTAINER is deprecated',
  function* ({ plan }) {
    for (const { kind, raw } of ownInstructions(plan)) {
      if (kind !== 'maintainer') continue;
      const help = 'use LABEL org.opencontainers.image.authors=…';
      yield { message: 'MAINTAINER is deprecated in favor of a label', span: spanOf(raw.keyword), about: raw, help };
    }
  },
  ['DL4000'],
);

export const legacyKeyValueFormat = rule(
  'LegacyKeyValueFormat',
  'ENV and LABEL should be written with =',
  function* ({ plan }) {
    for (const instruction of ownInstructions(plan)) {
      if ((instruction.kind !== 'env' && instruction.kind !== 'label') || !instruction.legacy) continue;
      const { raw } = instruction;
      const message = `'${raw.name} key=value' should be used instead of the legacy '${raw.name} key value'`;
      yield { message, span: raw.span, about: raw };
    }
  },
);

const SECRET_WORD = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS_WORD = /(?:_|^)(?:public|file|version)(?:_|$)/i;

export const secretsUsedInArgOrEnv = rule(
  'SecretsUsedInArgOrEnv',
  'Secrets do not belong into ARG or ENV, where the image keeps them',
  function* ({ plan }) {
    for (const instruction of ownInstructions(plan)) {
      for (const name of definedNames(instruction)) {
        if (!SECRET_WORD.test(name.text) || HARMLESS_WORD.test(name.text)) continue;
        const message = `do not use ${instruction.raw.name} for secrets ('${name.text}')`;
        yield { message, span: spanOf(name), about: instruction.raw, help: 'use RUN --mount=type=secret' };
      }
    }
  },
  ['DL3064'],
);

function definedNames(instruction: StageInstruction): readonly Fragment[] {
  if (instruction.kind === 'env') return instruction.pairs.map(({ key }) => key);
  return instruction.kind === 'arg' ? instruction.declarations.map(({ name }) => name) : [];
}

/** By kind, with hadolint's number. */
const ONCE: ReadonlyMap<string, string> = new Map([
  ['cmd', 'DL4003'],
  ['entrypoint', 'DL4004'],
  ['healthcheck', 'DL3012'],
]);

export const multipleInstructionsDisallowed = rule(
  'MultipleInstructionsDisallowed',
  'Of some instructions only the last in a stage counts',
  function* ({ plan }) {
    for (const { instructions } of plan.stages) {
      const last = new Map<string, StageInstruction>();
      for (const instruction of instructions) {
        const number = ONCE.get(instruction.kind);
        if (number === undefined) continue;
        const earlier = last.get(instruction.kind);
        last.set(instruction.kind, instruction);
        if (earlier === undefined) continue;
        const message = `this ${earlier.raw.name} has no effect: line ${instruction.raw.lines.first} has another one`;
        yield { message, span: earlier.span, about: earlier.raw, number };
      }
    }
  },
  ['DL4003', 'DL4004', 'DL3012'],
);

interface Place {
  readonly instruction: StageInstruction;
  readonly before: StageState;
}

/** The file's own instructions with the state before each; triggers are somebody else's. */
function evaluatedInstructions(stages: readonly EvaluatedStage[]): readonly Place[] {
  return stages.flatMap(({ steps }) =>
    steps.filter(({ step }) => !step.isTrigger).map(({ step, before }) => ({ instruction: step.instruction, before })),
  );
}

export const jsonArgsRecommended = rule(
  'JSONArgsRecommended',
  'CMD and ENTRYPOINT should be JSON arrays, so that signals reach the program',
  function* ({ evaluated }) {
    for (const { instruction, before } of evaluatedInstructions(evaluated)) {
      if (instruction.kind !== 'cmd' && instruction.kind !== 'entrypoint') continue;
      // Who chose a shell wants it.
      if (instruction.command.form === 'exec' || (before.config.config?.Shell ?? []).length > 0) continue;
      const { raw } = instruction;
      const message = `${raw.name} in shell form keeps signals from the program`;
      yield { message, span: raw.span, about: raw, help: `write ${raw.name} ["program", "argument"]` };
    }
  },
  ['DL3025'],
);

export const workdirRelativePath = rule(
  'WorkdirRelativePath',
  'The first WORKDIR should be absolute, since the base image may change',
  function* ({ evaluated }) {
    for (const { instruction, before } of evaluatedInstructions(evaluated)) {
      if (instruction.kind !== 'workdir' || before.hasWorkdir) continue;
      const { text } = expandFragment(instruction.path, lookupIn(before.env), instruction);
      if (text.startsWith('/')) continue;
      const message = `the relative WORKDIR ${JSON.stringify(text)} depends on what the base image sets`;
      yield { message, span: spanOf(instruction.path), about: instruction.raw };
    }
  },
  ['DL3000'],
);

function* exposedPorts(stages: readonly EvaluatedStage[]): Generator<PortSpecification & Finding> {
  for (const { instruction, before } of evaluatedInstructions(stages)) {
    if (instruction.kind !== 'expose') continue;
    for (const written of instruction.ports) {
      for (const word of expandFragment(written, lookupIn(before.env), instruction).words) {
        const port = parsePort(word);
        if (!('error' in port)) yield { ...port, message: word, span: spanOf(written), about: instruction.raw };
      }
    }
  }
}

export const exposeProtoCasing = rule(
  'ExposeProtoCasing',
  'Protocols in EXPOSE should be lowercase',
  function* ({ evaluated }) {
    for (const { protocol, message: word, span, about } of exposedPorts(evaluated)) {
      if (protocol === protocol.toLowerCase()) continue;
      yield {
        message: `the protocol of '${word}' should be lowercase`,
        span,
        about,
        help: `write ${word.toLowerCase()}`,
      };
    }
  },
);

export const exposeInvalidFormat = rule(
  'ExposeInvalidFormat',
  'EXPOSE takes container ports, no addresses or host ports',
  function* ({ evaluated }) {
    for (const { hasHostPart, message: word, span, about } of exposedPorts(evaluated)) {
      if (!hasHostPart) continue;
      const message = `EXPOSE has no use for the address or host port of '${word}'`;
      yield { message, span, about, help: 'publish ports when the container is run' };
    }
  },
);

export const sameInstructionEnv = extraRule(
  'recommended',
  'SameInstructionEnv',
  'A variable of an ENV cannot use another one of the same ENV',
  ['DL3044'],
  function* ({ evaluated }) {
    for (const { instruction, before } of evaluatedInstructions(evaluated)) {
      if (instruction.kind !== 'env') continue;
      for (const [i, { value }] of instruction.pairs.entries()) {
        const earlier = new Set(instruction.pairs.slice(0, i).map(({ key }) => key.text));
        for (const { name, span } of expandFragment(value, lookupIn(before.env), instruction).variables) {
          if (!earlier.has(name)) continue;
          const message = `'$${name}' is what it was before this line, not what this line makes of it`;
          yield { message, span, about: instruction.raw, help: 'set it in an ENV of its own above' };
        }
      }
    }
  },
);

export const rootUserLast = extraRule(
  'strict',
  'RootUserLast',
  'The program of an image should not run as root',
  ['DL3002'],
  function* ({ evaluated }) {
    const inImage = imageStages(evaluated);
    const bases = new Set(evaluated.flatMap(({ stage }) => (stage.base.kind === 'stage' ? stage.base.index : [])));
    for (const { stage, final } of evaluated) {
      const last = stage.instructions.findLast(({ kind }) => kind === 'user');
      if (last?.kind !== 'user' || !inImage.has(stage.index) || bases.has(stage.index)) continue;
      if (!/^(root|0+)(:|$)/.test(final.config.config?.User ?? '')) continue;
      const message = 'the image ends up with root as its user';
      yield { message, span: spanOf(last.user), about: last.raw, help: 'end with the user that the program needs' };
    }
  },
);
