/** What stages stand on: scratch, another stage, an image. */
import type { Engine } from '../container/engine.ts';
import type { LocalImage } from '../container/local-image.ts';
import type { BuildOptions, PullOptions } from '../container/verb-options.ts';
import type { Source, Stage } from '../dockerfile/stages.ts';
import { BuilderError, located } from '../report/builder-error.ts';
import { chainIdOfAll } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { Platform } from '../spec/platform.ts';
import type { BuildRequest } from './build-request.ts';
import type { FindImage } from './find-image.ts';
import { inPhase } from './phase.ts';
import { type LayerState, NO_LAYERS } from './stage-root.ts';
import { withStageHint } from './stage-suggestion.ts';

/** An image a stage stands on. */
export interface BaseImage {
  readonly image: LocalImage;
  /** As it is called in annotations; '' when it has no name. */
  readonly name: string;
  /** As asked for. */
  readonly reference: string;
}

/** The bottom of a stage that stands on no other stage. */
export interface StageBottom {
  readonly layers: LayerState;
  /** `FROM name` in history comments; undefined for scratch. */
  readonly name: string | undefined;
}

/** How a build gets images, whatever platform they are for. */
export function pullOptionsOf(o: BuildOptions): PullOptions {
  const { tlsVerify, certDir, authfile, creds, retries, retryDelayMs, pull, decryptionKeys, blobCache } = o;
  return {
    ...(tlsVerify === undefined ? {} : { tlsVerify }),
    ...(certDir === undefined ? {} : { certDir }),
    ...(authfile === undefined ? {} : { authfile }),
    ...(creds === undefined ? {} : { creds }),
    ...(retries === undefined ? {} : { retries }),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
    ...(decryptionKeys === undefined ? {} : { decryptionKeys }),
    ...(blobCache === undefined ? {} : { blobCache }),
    policy: pull ?? ('missing' as const),
  };
}

/**
 * The image a stage stands on, by the name it is asked for; undefined for scratch and for stages on stages.
 * @throws `context.invalid` for a named context that is a directory
 */
export function baseReference(stage: Stage, r: BuildRequest, o: BuildOptions): string | undefined {
  const isFirst = stage.index === r.plan.stages[0]!.index;
  const source: Source = isFirst && o.from !== undefined ? { kind: 'image', reference: o.from } : stage.base;
  if (source.kind === 'image') return source.reference;
  if (source.kind !== 'context') return undefined;
  const context = r.contexts.get(source.name);
  if (context?.kind === 'image') return context.reference;
  throw new BuilderError(
    'context.invalid',
    `the build context ${source.name} is a directory and cannot be the base of a stage`,
    { span: stage.from.span },
  );
}

/** Images are looked up once each, however many stages stand on them. */
export class StageBases {
  readonly #engine: Engine;
  readonly #o: BuildOptions;
  readonly #r: BuildRequest;
  readonly #stageId: (index: number) => string;
  readonly #pulled = new Map<string, Promise<BaseImage>>();
  readonly #images = new Map<number, BaseImage>();

  readonly #find: FindImage;

  /**
   * @param stageId id of a stage in events, by its index
   * @param find gets an image by name
   */
  constructor(
    engine: Engine,
    o: BuildOptions,
    request: BuildRequest,
    stageId: (index: number) => string,
    find: FindImage,
  ) {
    this.#find = find;
    this.#stageId = stageId;
    this.#engine = engine;
    this.#o = o;
    this.#r = request;
  }

  /** Gets the image a stage stands on, if it does. Gives its config, as the stage inherits it. */
  async resolve(stage: Stage): Promise<ImageConfig | undefined> {
    const reference = baseReference(stage, this.#r, this.#o);
    if (reference === undefined) return undefined;
    const base = await this.#pull(stage, reference);
    this.#images.set(stage.index, base);
    const { config } = base.image;
    if (this.#o.inheritLabels !== false) return config;
    const { Labels: _, ...rest } = config.config ?? {};
    return { ...config, config: rest };
  }

  /** The image a stage stands on, once resolved; undefined for scratch and for stages on stages. */
  imageOf(stage: number): BaseImage | undefined {
    return this.#images.get(stage);
  }

  /** For stages that stand on no other, once resolved. */
  bottomOf(stage: Stage): StageBottom {
    const base = this.#images.get(stage.index);
    if (base === undefined) return { layers: NO_LAYERS, name: undefined };
    const { image, name } = base;
    return {
      layers: {
        layers: image.layers,
        diffIds: image.diffIds,
        chain: chainIdOfAll(image.diffIds),
        snapshot: undefined,
      },
      name: name === '' ? image.record.id.slice(0, 12) : name,
    };
  }

  /** For images that a stage stands on or reads from. */
  pullOptions(stage: Stage): PullOptions {
    const wanted = this.#wantedPlatform(stage);
    return { ...pullOptionsOf(this.#o), ...(wanted === undefined ? {} : { platform: wanted }) };
  }

  #wantedPlatform(stage: Stage): Platform | undefined {
    return stage.platform ?? (this.#r.isPlatformAsked ? this.#r.platform : undefined);
  }

  #pull(stage: Stage, reference: string): Promise<BaseImage> {
    const options = this.pullOptions(stage);
    const key = JSON.stringify([reference, options.platform]);
    let pulled = this.#pulled.get(key);
    if (pulled === undefined) {
      pulled = this.#load(stage, reference, options);
      this.#pulled.set(key, pulled);
    }
    return pulled;
  }

  async #load(stage: Stage, reference: string, options: PullOptions): Promise<BaseImage> {
    try {
      const { emit } = this.#engine;
      const pull = () => this.#find(this.#engine, reference, options);
      return { ...(await inPhase(emit, 'pull', `${this.#stageId(stage.index)}.1`, pull)), reference };
    } catch (error) {
      const above = this.#r.plan.stages.slice(0, stage.index).flatMap((other) => other.name ?? []);
      throw located(withStageHint(error, reference, above), stage.from.span);
    }
  }
}
