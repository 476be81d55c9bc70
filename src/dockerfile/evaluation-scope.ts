/** The surroundings in which one instruction is evaluated: its environment, and what is noticed on the way. */
import type { EditConfig } from '../spec/image-config.ts';
import { lookupIn, NON_ENVIRONMENT_ARGS, noteUndefined, type UndefinedUse } from './build-args.ts';
import { noOperation, stepText } from './created-by.ts';
import { expandFragment, HEREDOC_BODY } from './expand.ts';
import type { Fragment } from './fragment.ts';
import type { StageInstruction } from './instructions.ts';
import type { StageState } from './stage-state.ts';
import type { ConfigStep, Step, StepBase } from './step.ts';

export interface Evaluated {
  readonly step: Step;
  readonly state: StageState;
}

/** What the evaluation of one instruction works with: the environment before it, and notes on the way. */
export class Scope {
  readonly state: StageState;
  readonly #instruction: StageInstruction;
  readonly #isTrigger: boolean;
  readonly #undefinedUses: UndefinedUse[] = [];

  constructor(state: StageState, instruction: StageInstruction, isTrigger: boolean) {
    this.state = state;
    this.#instruction = instruction;
    this.#isTrigger = isTrigger;
  }

  expand(fragment: Fragment, env: ReadonlyMap<string, string> = this.state.env): string {
    const expansion = expandFragment(fragment, lookupIn(env), this.#instruction);
    return noteUndefined(expansion, env.keys(), this.#undefinedUses);
  }

  expandWords(fragment: Fragment): readonly string[] {
    const expansion = expandFragment(fragment, lookupIn(this.state.env), this.#instruction);
    noteUndefined(expansion, this.state.env.keys(), this.#undefinedUses);
    return expansion.words;
  }

  /** The body of a heredoc: quotes are ordinary characters. */
  expandBody(body: Fragment): string {
    const { env } = this.state;
    return noteUndefined(expandFragment(body, lookupIn(env), HEREDOC_BODY), env.keys(), this.#undefinedUses);
  }

  base(): StepBase {
    const declared = new Set([...this.state.args.map(({ name }) => name), ...NON_ENVIRONMENT_ARGS]);
    return {
      instruction: this.#instruction,
      span: this.#instruction.span,
      isTrigger: this.#isTrigger,
      stepText: stepText(this.#instruction.raw),
      undefinedUses: this.#undefinedUses.filter(({ name }) => !declared.has(name)),
    };
  }

  /** History of an instruction that runs nothing and copies nothing: the line as written, as Buildah has it. */
  historyLine(): string {
    return noOperation(this.#instruction.raw.text.text);
  }

  /** A step that edits the config and nothing else. */
  config(edit: EditConfig, next: Partial<StageState> = {}): Evaluated {
    const step: ConfigStep = { ...this.base(), kind: 'config', edit, createdBy: this.historyLine() };
    return { step, state: { ...this.state, ...next, config: edit(this.state.config) } };
  }
}
