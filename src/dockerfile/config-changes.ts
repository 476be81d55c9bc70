/** Instructions outside any file (`commit --change`): what they would make of a config that a file started FROM. */

import { envMap } from '../spec/edit-config.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { evaluateInstruction, type StageState } from './evaluate.ts';
import { syntaxError } from './instructions/base.ts';
import { buildInstructions, type StageInstruction } from './instructions.ts';
import { parseDockerfile } from './parser.ts';
import { planStages } from './stages.ts';

/** Instructions that need a root filesystem. */
const NOT_CONFIG: ReadonlySet<string> = new Set(['add', 'copy', 'run']);

/**
 * The config after the instructions, in order. Their texts are lines of one file; variables are those of the config's
 * environment and of ARGs with a default.
 * @param name what errors call the file
 * @throws BuilderError `dockerfile.syntax` with a place, for what is no change of a config as well; `dockerfile.expansion`,
 *   `dockerfile.unknown-instruction`, `dockerfile.unknown-flag`
 */
export function applyInstructions(config: ImageConfig, texts: readonly string[], name: string): ImageConfig {
  const parsed = buildInstructions(parseDockerfile({ name, text: `${texts.join('\n')}\n` }));
  const instructions = parsed.map((instruction) => {
    if (instruction.kind !== 'from' && !NOT_CONFIG.has(instruction.kind)) return instruction;
    throw syntaxError(
      instruction.span,
      `${instruction.raw.name} changes more than the config of an image`,
      instruction.kind === 'from' ? undefined : `use \`slipway ${instruction.kind}\` before the commit`,
    );
  });
  let state = stateOf(config);
  for (const instruction of instructions) state = evaluateInstruction(state, instruction as StageInstruction).state;
  return state.config;
}

/** A stage that has come to `config`. */
function stateOf(config: ImageConfig): StageState {
  const { os, architecture } = config;
  const from = buildInstructions(parseDockerfile({ name: '', text: 'FROM scratch\n' }));
  const plan = planStages(from, { platforms: { build: { os, architecture }, target: { os, architecture } } });
  return {
    plan,
    stage: plan.stages[0]!,
    buildArgs: new Map(),
    config,
    env: envMap(config.config?.Env ?? []),
    args: [],
    hasCmd: false,
    hasWorkdir: false,
  };
}
