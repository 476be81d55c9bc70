/** Why the steps of a build were run, for people. */
import type { BuildExplanation, StageExplanation, StepExplanation } from '../../index.ts';
import { redact } from './redact.ts';
import { printable } from './source-frame.ts';
import type { Style } from './style.ts';
import { fitWidth } from './text-width.ts';

const INDENT = '      ';

export interface ExplanationTextOptions {
  readonly style: Style;
  /** Lines are cut there; undefined leaves them whole. */
  readonly width: number | undefined;
}

/** A line for each step with hit or miss, and below it the reasons. */
export function explanationText(explanation: BuildExplanation, o: ExplanationTextOptions): string {
  const stages = explanation.stages.filter(({ steps }) => steps.length > 0);
  const parts = stages.flatMap((stage) => stageLines(stage, stages.length > 1, o.style));
  return `${[...parts, countLine(explanation, o.style)].map((line) => fitted(line, o.width)).join('\n')}\n`;
}

function stageLines(stage: StageExplanation, isNamed: boolean, style: Style): string[] {
  const head = isNamed ? [style.strong(`[${stage.name}] ${oneLine(stage.from)}`)] : [];
  return [...head, ...stage.steps.flatMap((step) => stepLines(step, style))];
}

/** One step, with its reasons. */
export function stepLines(step: StepExplanation, style: Style): string[] {
  const number = step.step.replace(/^\d+\./, '').padStart(3);
  const line = `${number} ${outcomeWord(step, style)} ${oneLine(step.text)}`;
  return [line, ...step.causes.map(({ text }) => `${INDENT}${oneLine(text)}`)];
}

const WIDTH = 7;

function outcomeWord({ outcome }: StepExplanation, style: Style): string {
  const word = outcome.padEnd(WIDTH);
  if (outcome === 'hit') return style.good(word);
  return outcome === 'failed' ? style.bad(word) : style.warning(word);
}

function countLine({ stages, isDryRun }: BuildExplanation, { signs }: Style): string {
  const steps = stages.flatMap((stage) => stage.steps);
  const count = (outcome: string): number => steps.filter((step) => step.outcome === outcome).length;
  const said = (n: number, words: string): string[] => (n === 0 ? [] : [`${n} ${words}`]);
  const total = `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}`;
  const parts = [
    total,
    ...said(count('hit'), 'from the cache'),
    ...said(count('ran'), 'run'),
    ...said(count('failed'), 'failed'),
    ...said(count('miss'), 'would be run'),
    ...said(count('unknown'), 'cannot be told before others are run'),
  ];
  return `${parts.join(signs.separator)}${isDryRun ? `${signs.separator}nothing was run` : ''}`;
}

const oneLine = (text: string): string => printable(redact(text)).replace(/\s+/g, ' ');

function fitted(line: string, width: number | undefined): string {
  // Colours have no width; lines that carry them are cut by the terminal.
  return width === undefined || line.includes('\x1b') ? line : fitWidth(line, width);
}
