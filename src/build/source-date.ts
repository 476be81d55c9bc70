/**
 * SOURCE_DATE_EPOCH of a build: seconds, or the name of something that has a time of its own: `context`, a named context,
 * or a stage that only fetches. @see https://reproducible-builds.org/specs/source-date-epoch/
 */
import type { Engine } from '../container/engine.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { evaluateStage } from '../dockerfile/evaluate-plan.ts';
import type { Stage } from '../dockerfile/stages.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { BuildRequest } from './build-request.ts';

const NAME = 'SOURCE_DATE_EPOCH';

/**
 * Seconds since the epoch; undefined when no time is asked for, or a local context is named, which has none. The flag
 * wins over the build argument, that over the environment, that over an ARG before the first FROM.
 * @throws `usage.invalid` for what is neither a number nor such a name, or has no time; the errors of fetching
 */
export async function sourceDateEpoch(engine: Engine, o: BuildOptions, r: BuildRequest): Promise<number | undefined> {
  if (o.sourceDateEpoch !== undefined) return o.sourceDateEpoch;
  if (o.timestamp !== undefined) return undefined;
  const text = r.buildArgs.get(NAME) ?? engine.env[NAME] ?? r.plan.global.values.get(NAME) ?? '';
  if (text === '') return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  if (text === 'context') return r.context.modifiedAt?.();
  const context = r.contexts.get(text);
  if (context !== undefined) return context.kind === 'directory' ? context.modifiedAt?.() : undefined;
  const stage = r.plan.stages.findLast(({ name }) => name === text.toLowerCase());
  if (stage !== undefined) return timeOfStage(engine, o, r, stage);
  throw new BuilderError(
    'usage.invalid',
    `${NAME} is ${JSON.stringify(text)}: it must be a number of seconds, "context", or the name of a context or stage`,
  );
}

/** Of a stage `FROM scratch` with nothing but ARGs and one ADD of one remote source. */
async function timeOfStage(engine: Engine, o: BuildOptions, r: BuildRequest, stage: Stage): Promise<number> {
  const refuse = (why: string) =>
    new BuilderError('usage.invalid', `${NAME} names the stage ${stage.name}, which ${why}`, { span: stage.from.span });
  const isPlain =
    stage.base.kind === 'scratch' && stage.instructions.every(({ kind }) => kind === 'arg' || kind === 'add');
  const steps = isPlain ? evaluateStage({ plan: r.plan, stage, buildArgs: r.buildArgs }).steps : [];
  const [step, another] = steps.flatMap((evaluated) => (evaluated.step.kind === 'add' ? [evaluated.step] : []));
  const [source, ...more] = step?.sources ?? [];
  if (
    step === undefined ||
    another !== undefined ||
    source === undefined ||
    more.length > 0 ||
    source.kind === 'local'
  ) {
    throw refuse('does more than fetch one remote source into scratch');
  }
  const { modifiedAt } = await r.gate.fetchSources(engine, source.text, {
    checksum: step.checksum,
    tlsVerify: o.tlsVerify,
    certDir: o.certDir,
  });
  if (modifiedAt === undefined) throw refuse(`fetches ${source.text}, for which the server tells no time`);
  return modifiedAt;
}
