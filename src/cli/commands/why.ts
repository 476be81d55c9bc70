/** `why`: what the last build of a context took from the cache, and why not the rest. */
import type { BuildExplanation, StepExplanation } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { explanationText, stepLines } from '../output/explanation-text.ts';
import { redactAll } from '../output/redact.ts';
import { styleFor } from '../output/style.ts';
import { UsageError } from '../usage-error.ts';

export async function why(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const format = flags.string('format') ?? 'text';
  if (format !== 'text' && format !== 'json') {
    throw new UsageError(`unknown format "${format}"`, {
      near: { word: format, candidates: ['text', 'json'], prefix: '' },
    });
  }
  const [context, file] = [flags.string('context'), flags.string('file')];
  await using builder = await c.open();
  const explanation = await builder.why({
    ...(context === undefined ? {} : { context }),
    ...(file === undefined ? {} : { file }),
  });
  const [wanted] = args;
  const steps = wanted === undefined ? undefined : findSteps(explanation, wanted);
  if (format === 'json') {
    const shown = steps === undefined ? explanation : { ...explanation, stages: withSteps(explanation, steps) };
    c.stdout.write(`${JSON.stringify(redactAll(shown), null, c.stdout.isTty ? 2 : undefined)}\n`);
    return 0;
  }
  const style = styleFor(c.stdout, c.env, flags.string('color'));
  if (steps === undefined) c.stdout.write(explanationText(explanation, { style, width: undefined }));
  else c.stdout.write(`${steps.flatMap((step) => stepLines(step, style)).join('\n')}\n`);
  return 0;
}

/** By number in the last stage that has it, by stage and number, or by part of the line. @throws UsageError */
export function findSteps({ stages }: BuildExplanation, wanted: string): StepExplanation[] {
  const all = stages.flatMap(({ steps }) => steps);
  if (/^\d+$/.test(wanted)) {
    const step = all.findLast(({ step: id }) => id.endsWith(`.${wanted}`));
    if (step !== undefined) return [step];
  }
  const dot = wanted.lastIndexOf('.');
  const [stageWord, number] = [wanted.slice(0, dot), wanted.slice(dot + 1)];
  const stage =
    dot === -1 ? undefined : stages.find(({ index, name }) => `${index}` === stageWord || name === stageWord);
  const numbered = stage?.steps.find(({ step }) => step.endsWith(`.${number}`));
  if (numbered !== undefined) return [numbered];
  const found = all.filter(({ text }) => text.toLowerCase().includes(wanted.toLowerCase()));
  if (found.length > 0) return found;
  throw new UsageError(`the build has no step "${wanted}": give its number, STAGE.NUMBER, or words of its line`);
}

function withSteps(explanation: BuildExplanation, steps: readonly StepExplanation[]): BuildExplanation['stages'] {
  return explanation.stages
    .map((stage) => ({ ...stage, steps: stage.steps.filter((step) => steps.includes(step)) }))
    .filter((stage) => stage.steps.length > 0);
}
