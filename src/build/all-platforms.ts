/** `--all-platforms`: the platforms for which every base image of a build can be had. */
import type { Engine } from '../container/engine.ts';
import { imagePlatforms } from '../container/image-platforms.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { firstWanted } from '../dockerfile/lower.ts';
import { BuilderError, located } from '../report/builder-error.ts';
import type { Span } from '../report/source-file.ts';
import { formatPlatform, hostPlatform, type Platform, platformScore } from '../spec/platform.ts';
import { type BuildInput, requestFor } from './build-request.ts';
import { baseReference, pullOptionsOf } from './stage-base.ts';

/** A base image as one target platform asks for it. */
interface Base {
  readonly reference: string;
  /** Of `FROM --platform`. */
  readonly fixed: Platform | undefined;
  readonly span: Span;
}

type PlatformsOf = (base: Base) => Promise<readonly Platform[]>;

/**
 * In the order in which the indexes of the base images name them. Each platform is tried on the file: a stage with a
 * `FROM --platform` of its own needs that one, and `$TARGETARCH` in a FROM line names another image each time.
 * @throws `usage.invalid` where no stage stands on an image, `platform.not-found` naming what each of them has,
 *   the errors of reading an index, with a place
 */
export async function allPlatforms(engine: Engine, o: BuildOptions, input: BuildInput): Promise<readonly Platform[]> {
  const platformsOf = rememberedPlatforms(engine, o, input);
  const bases = basesFor(hostPlatform(), o, input);
  if (bases.length === 0) {
    throw new BuilderError('usage.invalid', '--all-platforms needs a base image: every stage begins with nothing', {
      hint: 'name the platforms with --platform',
    });
  }
  const named = (await Promise.all(bases.map(platformsOf))).flat();
  const candidates = [...new Map(named.map((platform) => [formatPlatform(platform), platform])).values()];
  const found: Platform[] = [];
  for (const candidate of candidates) {
    const wanted = basesFor(candidate, o, input);
    const served = await Promise.all(wanted.map(async (base) => serves(await platformsOf(base), base, candidate)));
    if (served.every((isServed) => isServed)) found.push(candidate);
  }
  if (found.length > 0) return found;
  throw await nothingInCommon(bases, platformsOf);
}

function basesFor(target: Platform, o: BuildOptions, input: BuildInput): Base[] {
  const request = requestFor(input, o, target);
  const { plan } = request;
  const wanted = firstWanted(plan, { target: request.target, includeUnused: o.skipUnusedStages === false });
  return wanted.flatMap((index) => {
    const stage = plan.stages[index]!;
    const reference = baseReference(stage, request, o);
    return reference === undefined ? [] : [{ reference, fixed: stage.platform, span: stage.from.span }];
  });
}

/** The index of each image is read once. */
function rememberedPlatforms(engine: Engine, o: BuildOptions, { gate }: BuildInput): PlatformsOf {
  const known = new Map<string, Promise<readonly Platform[]>>();
  const options = pullOptionsOf(o);
  return async ({ reference, span }) => {
    let reading = known.get(reference);
    if (reading === undefined) {
      reading = gate.platformsOf(reference, (allowed) => imagePlatforms(engine, allowed, options));
      known.set(reference, reading);
    }
    try {
      return await reading;
    } catch (error) {
      throw located(error, span);
    }
  };
}

/** Without a word of the file an image must be there for that very platform; a fixed one is found as it is in any build. */
function serves(has: readonly Platform[], { fixed }: Base, target: Platform): boolean {
  const wanted = formatPlatform(target);
  if (fixed !== undefined && formatPlatform(fixed) !== wanted) {
    return has.some((platform) => platformScore(fixed, platform) !== undefined);
  }
  return has.some((platform) => formatPlatform(platform) === wanted);
}

async function nothingInCommon(bases: readonly Base[], platformsOf: PlatformsOf): Promise<BuilderError> {
  const lines = new Set<string>();
  for (const base of bases) {
    const has = (await platformsOf(base)).map(formatPlatform).join(', ');
    const what = base.fixed === undefined ? base.reference : `${base.reference} (for ${formatPlatform(base.fixed)})`;
    lines.add(`${what} has ${has === '' ? 'none that is known' : has}`);
  }
  const all = [...lines].join('; ');
  return new BuilderError('platform.not-found', `the base images have no platform in common: ${all}`, {
    hint: 'name the platforms with --platform',
  });
}
