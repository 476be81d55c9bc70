/** What provenance says of a build, from what was asked and what was done. */
import { randomUUID } from 'node:crypto';
import { relative } from 'node:path';
import type { BuildFacts, BuildRequestFacts, BuildStepFacts, FetchedInput } from '../attest/build-facts.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import type { EvaluatedStage } from '../dockerfile/evaluate-plan.ts';
import type { LoweredBuild } from '../dockerfile/lower.ts';
import { type Source, stageLabel } from '../dockerfile/stages.ts';
import type { RunStep, Step, StepMount } from '../dockerfile/step.ts';
import { positionOf, type Span } from '../report/source-file.ts';
import { hostPlatform } from '../spec/platform.ts';
import type { ProvenanceRequest } from './attest-options.ts';
import { withoutCredentials } from './build-inputs.ts';
import type { BuildRequest } from './build-request.ts';
import type { StepJournal } from './step-journal.ts';

export interface BuildRecord {
  readonly options: BuildOptions;
  readonly request: BuildRequest;
  readonly lowered: LoweredBuild;
  readonly journal: StepJournal;
  /** Id of a stage in events. */
  readonly stageId: (index: number) => string;
  readonly inputs: readonly FetchedInput[];
  readonly startedOn: string;
  readonly finishedOn: string;
}

export function gatherFacts(record: BuildRecord, wanted: ProvenanceRequest): BuildFacts {
  const { request, options, lowered } = record;
  const runs = stepsOf(lowered).filter((step) => step.kind === 'run');
  const locals = localsOf(request);
  const isHermetic = runs.every((step) => !reachesNetwork(step, options));
  return {
    builderId: wanted.builderId,
    invocationId: randomUUID(),
    startedOn: record.startedOn,
    finishedOn: record.finishedOn,
    builderPlatform: hostPlatform(),
    source: sourceOf(request),
    request: requestFacts(record, runs, locals),
    inputs: record.inputs,
    hasAllInputs: locals.length === 0 && isHermetic,
    isHermetic: locals.length === 0 && isHermetic,
    isReproducible: wanted.isReproducible,
    dockerfile: { filename: pathOf(request), text: request.source.text },
    steps: [...lowered.stages.values()].flatMap((stage) => stageSteps(stage, record)),
  };
}

function stepsOf({ stages }: LoweredBuild): Step[] {
  return [...stages.values()].flatMap(({ steps }) => steps.map(({ step }) => step));
}

function reachesNetwork(step: RunStep, { run }: BuildOptions): boolean {
  return (step.network === 'default' ? (run?.network ?? 'host') : step.network) !== 'none';
}

/** Inside the context as a path there; what lies elsewhere keeps only its name. */
function pathOf({ context, source, containerfile }: BuildRequest): string {
  const path = containerfile === undefined ? source.name : relative(context.dir, containerfile);
  return path.startsWith('..') ? (path.split('/').at(-1) ?? path) : path;
}

function sourceOf(request: BuildRequest): BuildFacts['source'] {
  const { input } = request.context;
  const path = pathOf(request);
  switch (input?.kind) {
    case 'git':
      return { uri: input.url, digest: { [input.commit.length === 64 ? 'sha256' : 'sha1']: input.commit }, path };
    case 'http':
      return { uri: input.url, ...(input.digest === undefined ? {} : { digest: sha256(input.digest) }), path };
    default:
      return { path };
  }
}

function sha256(digest: string): { readonly sha256: string } {
  return { sha256: digest.slice('sha256:'.length) };
}

/** Directories of this machine, whose content no digest names. */
function localsOf({ context, contexts }: BuildRequest): string[] {
  const named = [...contexts].filter(([, place]) => place.kind === 'directory' && place.input === undefined);
  return [...(context.input === undefined ? ['context', 'dockerfile'] : []), ...named.map(([name]) => name)];
}

function requestFacts(
  { options, request }: BuildRecord,
  runs: readonly RunStep[],
  locals: string[],
): BuildRequestFacts {
  const mounts = runs.flatMap(({ mounts }) => mounts);
  return {
    ...(options.target === undefined ? {} : { target: options.target }),
    buildArgs: Object.fromEntries(request.buildArgs),
    labels: Object.fromEntries((options.labels ?? []).map(splitLabel)),
    contexts: Object.fromEntries((options.buildContexts ?? []).flatMap((text) => namedPlace(text, locals))),
    locals,
    secrets: idsOf(mounts, 'secret'),
    agents: idsOf(mounts, 'ssh'),
  };
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Paths of this machine are nobody's business. */
function namedPlace(text: string, locals: readonly string[]): [string, string][] {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  return locals.includes(name) ? [] : [[name, withoutCredentials(text.slice(at + 1))]];
}

/** Each id once; it is optional when no mount requires it. */
function idsOf(mounts: readonly StepMount[], type: 'secret' | 'ssh'): BuildRequestFacts['secrets'] {
  const required = new Map<string, boolean>();
  for (const mount of mounts) {
    if (mount.type === type) required.set(mount.id, (required.get(mount.id) ?? false) || mount.required);
  }
  return [...required]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, isRequired]) => ({ id, isOptional: !isRequired }));
}

/** FROM is step 1 of its stage. */
function stageSteps(
  evaluated: EvaluatedStage,
  { lowered, journal, stageId, options, request }: BuildRecord,
): BuildStepFacts[] {
  const { stage, steps } = evaluated;
  const first = `${stage.index}.1`;
  const isReplaced = options.from !== undefined && stage.index === request.plan.stages[0]!.index;
  const from: BuildStepFacts = {
    id: first,
    name: isReplaced ? `FROM ${options.from}` : stage.from.raw.text.text,
    stage: stageLabel(stage),
    inputs: stage.base.kind === 'stage' ? [lastStep(lowered, stage.base.index)] : [],
    isCached: false,
    lines: linesOf(stage.from.span),
  };
  return [
    from,
    ...steps.map(
      ({ step }, i): BuildStepFacts => ({
        id: `${stage.index}.${i + 2}`,
        name: step.stepText,
        stage: stageLabel(stage),
        inputs: [`${stage.index}.${i + 1}`, ...readStages(step).map((index) => lastStep(lowered, index))],
        isCached: journal.isCached(`${stageId(stage.index)}.${i + 2}`),
        // A trigger stands in another image's file.
        ...(step.isTrigger ? {} : { lines: linesOf(step.span) }),
      }),
    ),
  ];
}

function lastStep({ stages }: LoweredBuild, stage: number): string {
  return `${stage}.${(stages.get(stage)?.steps.length ?? 0) + 1}`;
}

function readStages(step: Step): number[] {
  const sources: (Source | undefined)[] =
    step.kind === 'copy' ? [step.from] : step.kind === 'run' ? step.mounts.map(({ content }) => content) : [];
  return [...new Set(sources.flatMap((source) => (source?.kind === 'stage' ? [source.index] : [])))];
}

function linesOf({ file, start, end }: Span): [number, number] {
  return [positionOf(file, start).line, positionOf(file, Math.max(start, end - 1)).line];
}
