/** COPY and ADD: finding everything they name, here or elsewhere, and copying it. */
import { digestSources } from '../container/content-digest.ts';
import { copyInto, numericOwner } from '../container/copy-into.ts';
import { inlineSource, type ResolvedSource, resolveSources } from '../container/copy-source.ts';
import type { Engine } from '../container/engine.ts';
import type { FileMemory } from '../container/file-memory.ts';
import type { SecretSource } from '../container/secret-source.ts';
import type { SshAgent } from '../container/ssh-agent.ts';
import type { AddSource, AddStep, ContentSummary, CopyStep, StepSource } from '../dockerfile/step.ts';
import { located } from '../report/builder-error.ts';
import { textOf } from '../rootfs/copy-walk.ts';
import { hexOf } from '../spec/digest.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import type { StepInput } from '../store/step-table.ts';
import type { RootDirectory } from '../sys/root-directory.ts';
import type { BuildInputs } from './build-inputs.ts';
import type { Origin, Origins } from './origins.ts';
import type { Below, PreparedStep } from './prepared-step.ts';
import type { SourceGate } from './source-gate.ts';
import { CONTENT, copyInputs, type FileList } from './step-inputs.ts';

export interface CopyActionOptions {
  readonly engine: Engine;
  readonly origins: Origins;
  readonly memory: FileMemory;
  /** mtime forced on what is copied. */
  readonly timestamp: Timestamp | undefined;
  /** For downloads. */
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly agents: ReadonlyMap<string, SshAgent>;
  readonly tlsVerify: boolean | undefined;
  readonly certDir: string | undefined;
  /** Told of what ADD fetches. */
  readonly inputs: BuildInputs;
  /** What ADD may fetch. */
  readonly gate: SourceGate;
  /** Opens a root that stays open until the stage ends: sources refer to it. */
  readonly rootOf: (path: string) => RootDirectory;
}

type FileStep = CopyStep | AddStep;

/** Nothing is looked for, fetched or opened before it is needed. */
export async function prepareCopy(o: CopyActionOptions, step: FileStep, below: Below): Promise<PreparedStep> {
  const { engine, origins, memory } = o;
  const destination = step.intoDirectory && !step.destination.endsWith('/') ? `${step.destination}/` : step.destination;
  const chown = step.link ? await ownerOfLink(engine, step.chown, below) : step.chown;
  // A linked copy is the same on every base.
  const chain = step.link ? undefined : below.chain;
  const inputsFor = (content: string): StepInput[] => copyInputs({ ...step, chown }, destination, chain, content);
  let found: Promise<ResolvedSource[]> | undefined;
  const sources = (): Promise<ResolvedSource[]> => {
    found ??= sourcesOf(o, step);
    return found;
  };
  const keepsOwners = async (): Promise<boolean> =>
    (await origins.get(step.kind === 'copy' ? step.from : undefined)).keepsOwners;
  const known = await knownContent(o, step);
  let summary: ContentSummary | undefined;
  return {
    quick: known === undefined ? undefined : inputsFor(known),
    reads: async () => {
      const resolved = await sources();
      const { digest, kind, records } = await digestSources(resolved, {
        memory,
        preserveOwnership: await keepsOwners(),
        signal: engine.signal,
        records: engine.store.contentLists,
      });
      summary = { kind, hex: hexOf(digest) };
      const list: FileList = { name: CONTENT, digest, sources: resolved.map(shownPath), records };
      return { inputs: [...inputsFor(digest), ...timesOf(resolved)], lists: [list] };
    },
    act: async (rootPath) => {
      const result = await copyInto(engine, {
        rootPath,
        sources: await sources(),
        destination,
        chown,
        chmod: step.chmod,
        preserveOwnership: await keepsOwners(),
        timestamp: o.timestamp,
        digest: summary === undefined,
        cache: memory.files,
      });
      return summary ?? { kind: result.kind, hex: (result.digest ?? '').replace('sha256:', '') };
    },
  };
}

/** A digest of a download, or a whole commit id: what it names cannot change. */
const FULL_CHECKSUM = /^(sha256:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64})$/i;

/** What tells the content of the sources apart without reading it. */
async function knownContent(o: CopyActionOptions, step: FileStep): Promise<string | undefined> {
  if (step.inlineFiles.length > 0) return undefined;
  if (step.kind === 'copy') return o.origins.identify(step.from);
  return step.checksum !== undefined && FULL_CHECKSUM.test(step.checksum) ? step.checksum : undefined;
}

/** Where a source lies, as explanations begin the paths of its files. */
export function shownPath({ path, root, name }: ResolvedSource): string {
  return textOf(root === undefined ? name : path);
}

/** Times that are part of what was asked for, as with `mtime=commit`. */
function timesOf(sources: readonly ResolvedSource[]): StepInput[] {
  return sources.flatMap(({ timestamp }) =>
    timestamp === undefined ? [] : [{ name: 'time of sources', value: String(timestamp.seconds) }],
  );
}

/** What lies below does not take part in a linked copy, but for the names of its users. */
async function ownerOfLink(engine: Engine, chown: string | undefined, below: Below): Promise<string | undefined> {
  if (chown === undefined || /^\d+(:\d+)?$/.test(chown)) return chown;
  await using view = await engine.snapshots.view(await below.snapshot());
  const { uid, gid } = numericOwner(view.path, chown);
  return `${uid}:${gid}`;
}

async function sourcesOf(o: CopyActionOptions, step: FileStep): Promise<ResolvedSource[]> {
  const found: ResolvedSource[] = [];
  const origin = await o.origins.get(step.kind === 'copy' ? step.from : undefined);
  for (const source of step.sources) {
    try {
      const isRemote = 'kind' in source && source.kind !== 'local';
      found.push(
        ...(isRemote ? await remoteSources(o, step as AddStep, source) : await localSources(o, step, source, origin)),
      );
    } catch (error) {
      throw located(error, source.span);
    }
  }
  const inline = step.inlineFiles.map(({ name, content }) => inlineSource(name, Buffer.from(content)));
  return [...found, ...inline];
}

async function localSources(
  o: CopyActionOptions,
  step: FileStep,
  source: StepSource,
  origin: Origin,
): Promise<ResolvedSource[]> {
  const sources = await resolveSources({
    root: o.rootOf(origin.path),
    rootName: origin.name,
    patterns: [source.text],
    ignore: origin.ignore,
    exclude: step.excludes,
    parents: step.kind === 'copy' && step.parents,
    // A pattern may match nothing beside other sources; alone, an empty copy is a mistake.
    allowEmptyWildcard: step.sources.length + step.inlineFiles.length > 1,
    signal: o.engine.signal,
  });
  const unpack = step.kind === 'add' && step.unpack !== false;
  return unpack ? sources.map((one) => ({ ...one, unpack })) : sources;
}

/** Archives of this machine are unpacked unless told otherwise, those of others only when told to. */
async function remoteSources(o: CopyActionOptions, step: AddStep, source: AddSource): Promise<ResolvedSource[]> {
  const { engine } = o;
  const fetched = await o.gate.fetchSources(engine, source.text, {
    checksum: step.checksum,
    keepGitDir: step.keepGitDir,
    tlsVerify: o.tlsVerify,
    certDir: o.certDir,
    secrets: o.secrets,
    agent: o.agents.get('default'),
  });
  o.inputs.add(fetched.input);
  const sources = await resolveSources({
    root: o.rootOf(fetched.dir),
    patterns: [fetched.pattern],
    rootName: source.text,
    exclude: step.excludes,
    allowWildcard: false,
    signal: engine.signal,
  });
  return sources.map((one) => ({ ...one, unpack: step.unpack === true, timestamp: fetched.timestamp }));
}
