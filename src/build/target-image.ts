/** The end of a build: what the target stage came to becomes an image, with the edits and names of the command line. */
import { squashLayer } from '../container/commit.ts';
import type { Engine } from '../container/engine.ts';
import { baseAnnotations } from '../container/from.ts';
import type { ImageTimes } from '../container/image-times.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { type WrittenImage, writeImage } from '../container/write-image.ts';
import { serializeConfig } from '../image/serialize-config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { digestOf, hexOf } from '../spec/digest.ts';
import { applyEdits, setEnv, setLabel, unsetEnv, unsetLabel, without } from '../spec/edit-config.ts';
import type { EditConfig, HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import { IDENTITY_LABEL, VERSION } from '../spec/version.ts';
import type { BaseImage } from './stage-base.ts';
import type { StageResult } from './stage-build.ts';
import { snapshotOf } from './stage-root.ts';

export interface TargetImageOptions {
  readonly engine: Engine;
  readonly options: BuildOptions;
  readonly times: ImageTimes;
  /** The image at the bottom of the target's chain of FROMs; undefined for scratch. */
  readonly base: BaseImage | undefined;
  /** The target stage has instructions of its own. */
  readonly hasSteps: boolean;
}

export class TargetImage {
  readonly #t: TargetImageOptions;

  constructor(options: TargetImageOptions) {
    this.#t = options;
  }

  /** Id the image will have. */
  idOf(config: ImageConfig): string {
    const created = this.createdOf(config);
    return configId({ ...this.#finalConfig(config, created), created }, this.#t.options.format ?? 'oci');
  }

  /** With a commit per step the image is as old as its last step, so that a rebuild from the cache is the same image. */
  createdOf(config: ImageConfig): string {
    const last = this.#t.options.layers === true ? config.history?.at(-1)?.created : undefined;
    return last ?? this.#t.times.now();
  }

  /** Writes config and manifest to the store, without a name. */
  async write(result: StageResult): Promise<WrittenImage> {
    const { engine, options: o, times, base } = this.#t;
    const created = this.createdOf(result.config);
    const config = this.#finalConfig(result.config, created);
    const whole = o.squash === true ? await snapshotOf(engine, result.root) : undefined;
    const squash: Descriptor | undefined =
      whole === undefined ? undefined : await squashLayer(engine, { id: whole }, times);
    const history = squash === undefined ? (config.history ?? []) : squashedHistory(config.history ?? []);
    return writeImage(engine, {
      format: o.format ?? 'oci',
      layers: squash === undefined ? result.root.layers : [squash],
      config: {
        ...config,
        created,
        rootfs: { type: 'layers', diff_ids: squash === undefined ? result.root.diffIds : [squash.digest as never] },
        history: o.omitHistory === true ? [] : history,
      },
      annotations: this.#annotations(created),
      ...(base === undefined ? {} : { parent: `sha256:${base.image.record.id}` }),
    });
  }

  #finalConfig(config: ImageConfig, created: string): ImageConfig {
    const { engine, options: o, times, hasSteps } = this.#t;
    const edits: EditConfig[] = [];
    const history: HistoryEntry[] = [];
    const say = (text: string): void => {
      history.push({ created, created_by: `/bin/sh -c #(nop) ${text}`, empty_layer: true });
    };
    for (const name of o.unsetEnv ?? []) edits.push(unsetEnv(name));
    for (const name of o.unsetLabels ?? []) edits.push(unsetLabel(name));
    for (const entry of o.env ?? []) {
      const [name, value] = splitPair(entry, (bare) => engine.env[bare]);
      if (value === undefined) continue;
      edits.push(setEnv(name, value));
      say(`ENV "${name}"="${value}"`);
    }
    for (const entry of o.labels ?? []) {
      const [name, value] = splitPair(entry, () => '');
      edits.push(setLabel(name, value ?? ''));
      say(`LABEL "${name}"="${value ?? ''}"`);
    }
    edits.push(...osEdits(o, config));
    if (o.identityLabel ?? !times.fixed) edits.push(setLabel(IDENTITY_LABEL, VERSION));
    const edited = applyEdits(config, edits);
    if (history.length === 0) return edited;
    const before = edited.history ?? [];
    // One layer for the whole stage belongs to its last line, and these are lines of the stage.
    if (o.layers !== true && hasSteps) return { ...edited, history: moveLayer(before, history) };
    return { ...edited, history: [...before, ...history] };
  }

  #annotations(created: string): Readonly<Record<string, string>> {
    const { options: o, base } = this.#t;
    const inherited = o.inheritAnnotations === false ? {} : (base?.image.manifest.annotations ?? {});
    let map = baseAnnotations(inherited, base?.name ?? '', base?.image.record.manifest);
    if (o.createdAnnotation !== false) map = { ...map, 'org.opencontainers.image.created': created };
    for (const entry of o.annotations ?? []) {
      const [name, value] = splitPair(entry, () => '');
      map = { ...map, [name]: value ?? '' };
    }
    for (const name of o.unsetAnnotations ?? []) map = without(map, name);
    return map;
  }
}

/** A feature whose name ends with `-` is taken away. */
function osEdits(o: BuildOptions, before: ImageConfig): EditConfig[] {
  const edits: EditConfig[] = [];
  const { osVersion } = o;
  if (osVersion !== undefined) edits.push((config) => ({ ...config, 'os.version': osVersion }));
  if (o.osFeatures === undefined) return edits;
  const removed = new Set(o.osFeatures.filter((name) => name.endsWith('-')).map((name) => name.slice(0, -1)));
  const added = o.osFeatures.filter((name) => !name.endsWith('-'));
  const features = [...new Set([...(before['os.features'] ?? []), ...added])].filter((name) => !removed.has(name));
  return [...edits, (config) => ({ ...config, 'os.features': features })];
}

/** Id of the image a config makes. */
export function configId(config: ImageConfig, format: ImageFormat): string {
  return hexOf(digestOf(serializeConfig(config, format)));
}

function splitPair(entry: string, bare: (name: string) => string | undefined): [string, string | undefined] {
  const at = entry.indexOf('=');
  return at === -1 ? [entry, bare(entry)] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** Appends `after`; its last entry takes layer and comment over from the last one before. */
function moveLayer(before: readonly HistoryEntry[], after: readonly HistoryEntry[]): HistoryEntry[] {
  const { comment, empty_layer: isEmpty, ...own } = before.at(-1) ?? {};
  const { empty_layer: _, ...last } = after.at(-1) ?? {};
  const heir = { ...last, ...(comment === undefined ? {} : { comment }), ...(isEmpty ? { empty_layer: true } : {}) };
  return [...before.slice(0, -1), { ...own, empty_layer: true }, ...after.slice(0, -1), heir];
}

function squashedHistory(history: readonly HistoryEntry[]): HistoryEntry[] {
  const { empty_layer: _, ...last } = history.at(-1) ?? {};
  return [last];
}
