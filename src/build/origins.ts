/**
 * Roots that steps read from: the build context, earlier stages, images, named contexts. Each is opened once per stage,
 * shown read-only, and released when the stage ends.
 */
import type { IgnoreRules } from '../container/copy-source.ts';
import type { Engine } from '../container/engine.ts';
import { findIgnoreFile, readIgnoreRules } from '../container/ignore-rules.ts';
import type { LocalImage } from '../container/local-image.ts';
import type { LayerStack } from '../container/unpack.ts';
import type { PullOptions } from '../container/verb-options.ts';
import type { Source } from '../dockerfile/stages.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { chainIdOfAll } from '../spec/digest.ts';
import { CleanupStack } from '../sys/dispose.ts';
import type { FindImage } from './find-image.ts';
import type { NamedContext } from './named-context.ts';
import type { LayerState } from './stage-root.ts';
import { withStageHint } from './stage-suggestion.ts';

/** Something files are read from. */
export interface Origin {
  /** Absolute path of its root. */
  readonly path: string;
  /** What it is called in messages. */
  readonly name: string;
  /** Names its whole content when that is known without reading it. */
  readonly identity: string | undefined;
  /** What its ignore file hides; undefined where none applies. */
  readonly ignore: IgnoreRules | undefined;
  /** Files of an image or a stage stay whose they are; those of a directory of the host become root's. */
  readonly keepsOwners: boolean;
}

export interface OriginOptions {
  readonly contextDir: string;
  /** Of the build context. */
  readonly ignore: IgnoreRules | undefined;
  readonly contexts: ReadonlyMap<string, NamedContext>;
  readonly stage: (index: number) => { readonly state: LayerState; readonly name: string };
  readonly pull: PullOptions;
  /** Names of all stages that may be read, for suggestions. */
  readonly stageNames: readonly string[];
  readonly find: FindImage;
  /** The snapshot of layers. */
  readonly unpack: (image: LayerStack) => Promise<SnapshotId | undefined>;
}

export class Origins implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #o: OriginOptions;
  readonly #cleanup = new CleanupStack();
  readonly #open = new Map<string, Promise<Origin>>();
  readonly #images = new Map<string, Promise<LocalImage>>();

  constructor(engine: Engine, o: OriginOptions) {
    this.#engine = engine;
    this.#o = o;
  }

  /** @param source undefined: the build context */
  get(source: Source | undefined): Promise<Origin> {
    const key = JSON.stringify(source ?? null);
    let origin = this.#open.get(key);
    if (origin === undefined) {
      origin = this.#find(source);
      this.#open.set(key, origin);
    }
    return origin;
  }

  /** What tells the whole content of a source apart, found without opening it; undefined for directories of the host. */
  async identify(source: Source | undefined): Promise<string | undefined> {
    switch (source?.kind) {
      case undefined:
        return undefined;
      case 'scratch':
        return 'scratch';
      case 'stage':
        return this.#o.stage(source.index).state.chain ?? 'scratch';
      case 'image':
        return identityOf(await this.#load(source.reference));
      case 'context': {
        const context = this.#o.contexts.get(source.name);
        return context?.kind === 'image' ? identityOf(await this.#load(context.reference)) : undefined;
      }
    }
  }

  async #find(source: Source | undefined): Promise<Origin> {
    if (source === undefined) {
      return {
        path: this.#o.contextDir,
        name: 'the build context',
        identity: undefined,
        ignore: this.#o.ignore,
        keepsOwners: false,
      };
    }
    switch (source.kind) {
      case 'scratch':
        return this.#view(undefined, 'scratch', 'scratch');
      case 'stage': {
        const { state, name } = this.#o.stage(source.index);
        return this.#view(
          state.snapshot ?? (await this.#o.unpack(state)),
          `the stage ${name}`,
          state.chain ?? 'scratch',
        );
      }
      case 'context': {
        const context = this.#o.contexts.get(source.name);
        if (context === undefined)
          throw new BuilderError('context.invalid', `there is no build context ${source.name}`);
        if (context.kind === 'image') return this.#image(context.reference);
        return {
          path: context.dir,
          name: `the build context ${source.name}`,
          identity: undefined,
          ignore: context.isLocal ? this.#ignoreIn(context.dir) : undefined,
          keepsOwners: false,
        };
      }
      case 'image':
        return this.#image(source.reference);
    }
  }

  /** A directory has an ignore file of its own; those named for a Containerfile are the build context's. */
  #ignoreIn(dir: string): IgnoreRules | undefined {
    return readIgnoreRules(findIgnoreFile(dir, undefined, undefined, this.#engine.cwd));
  }

  async #image(reference: string): Promise<Origin> {
    const image = await this.#load(reference);
    return this.#view(await this.#o.unpack(image), `the image ${reference}`, identityOf(image));
  }

  #load(reference: string): Promise<LocalImage> {
    let image = this.#images.get(reference);
    if (image === undefined) {
      image = this.#o.find(this.#engine, reference, this.#o.pull).then(
        (found) => found.image,
        (error: unknown) => {
          throw withStageHint(error, reference, this.#o.stageNames);
        },
      );
      this.#images.set(reference, image);
    }
    return image;
  }

  async #view(snapshot: SnapshotId | undefined, name: string, identity: string): Promise<Origin> {
    const mounted = this.#cleanup.use(await this.#engine.snapshots.view(snapshot));
    return { path: mounted.path, name, identity, ignore: undefined, keepsOwners: true };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup[Symbol.asyncDispose]();
  }
}

function identityOf({ diffIds }: LocalImage): string {
  return chainIdOfAll(diffIds) ?? 'scratch';
}
