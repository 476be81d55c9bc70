/** Rules beyond BuildKit's about files that come into the image, and their modes. */
import type { Span } from '../../report/source-file.ts';
import { lookupIn } from '../build-args.ts';
import type { EvaluatedStage } from '../evaluate-plan.ts';
import { expandFragment } from '../expand.ts';
import { spanOf } from '../fragment.ts';
import type { StageState } from '../stage-state.ts';
import type { Stage, StagePlan } from '../stages.ts';
import type { AddStep, CopyStep } from '../step.ts';
import { extraRule, type Finding, type LintContext } from './rule.ts';
import { callsOf, runScripts } from './run-scripts.ts';

interface Place {
  readonly stage: EvaluatedStage;
  readonly step: CopyStep | AddStep;
  readonly before: StageState;
}

function* copies({ evaluated }: LintContext): Generator<Place> {
  for (const stage of evaluated) {
    for (const { step, before } of stage.steps) {
      if ((step.kind === 'copy' || step.kind === 'add') && !step.isTrigger) yield { stage, step, before };
    }
  }
}

/** What ADD unpacks, or may unpack: the end of the name is open. */
const ARCHIVE = /\.(tar|tgz|tbz2?|txz|tzst|taz|tlz)(\.\w+)?$|\.tar\.|\.(gz|bz2|xz|zst|lzma|Z)$|[*?[\]]$/;

export const copyInsteadOfAdd = extraRule(
  'recommended',
  'CopyInsteadOfAdd',
  'COPY does what ADD does to plain files, and nothing else',
  ['DL3020'],
  function* (context) {
    for (const { step } of copies(context)) {
      if (step.kind !== 'add' || step.sources.length === 0 || step.unpack !== undefined) continue;
      if (step.sources.some(({ kind, text }) => kind !== 'local' || ARCHIVE.test(text))) continue;
      const { raw } = step.instruction;
      const message = 'ADD unpacks and downloads; for plain files it says more than is meant';
      yield { message, span: spanOf(raw.keyword), about: raw, help: 'write COPY' };
    }
  },
);

export const copyToRelativePath = extraRule(
  'recommended',
  'CopyToRelativePath',
  'Where a relative destination leads depends on the base image until WORKDIR is set',
  ['DL3045'],
  function* (context) {
    for (const { stage, step, before } of copies(context)) {
      const { instruction } = step;
      if (
        before.hasWorkdir ||
        standsOnScratch(context.plan, stage.stage) ||
        (instruction.kind !== 'copy' && instruction.kind !== 'add')
      )
        continue;
      const { text, variables } = expandFragment(instruction.destination, lookupIn(before.env), instruction);
      if (text.startsWith('/') || variables.some(({ isSet }) => !isSet)) continue;
      const message = `${JSON.stringify(text)} is below whatever working directory the base image has`;
      const span = spanOf(instruction.destination);
      yield { message, span, about: instruction.raw, help: 'set WORKDIR above, or write the whole path' };
    }
  },
);

/** There the working directory is `/`, today and tomorrow. */
function standsOnScratch(plan: StagePlan, stage: Stage): boolean {
  const { base } = stage;
  return base.kind === 'stage' ? standsOnScratch(plan, plan.stages[base.index]!) : base.kind === 'scratch';
}

export const worldWritable = extraRule(
  'recommended',
  'WorldWritable',
  "Files that everybody may write are everybody's to replace",
  [],
  function* (context) {
    const help = 'give the owner and group what they need, with chown and chmod';
    for (const { step } of copies(context)) {
      const mode = step.instruction.raw.flags.find(({ name }) => name === 'chmod')?.value;
      if (step.chmod === undefined || mode === undefined || !isWorldWritable(step.chmod)) continue;
      yield finding(step.chmod, spanOf(mode), step.instruction.raw, help);
    }
    for (const script of runScripts(context.evaluated)) {
      for (const { program, args } of callsOf(script)) {
        const mode = program === 'chmod' ? args.find(({ text }) => !/^-[-A-Za-z]*[RcfvH]|^--/.test(text)) : undefined;
        if (mode !== undefined && isWorldWritable(mode.text))
          yield finding(mode.text, spanOf(mode.fragment), script.about, help);
      }
    }
  },
);

function finding(mode: string, span: Span, about: Finding['about'], help: string): Finding {
  return { message: `mode ${mode} lets every user write`, span, about, help };
}

/** With the sticky bit, as on /tmp, it is meant. */
function isWorldWritable(mode: string): boolean {
  if (/^[0-7]{1,4}$/.test(mode)) return (Number.parseInt(mode, 8) & 0o1002) === 0o0002;
  return mode.split(',').some((clause) => /^[ugoa]*[oa][ugoa]*[+=][rxXst]*w/.test(clause));
}
