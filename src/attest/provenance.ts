/**
 * SLSA provenance, version 1 or 0.2, of a build: a function of its facts. Members that SLSA leaves to the builder have
 * BuildKit's names, for the programs that read those.
 *
 * @see slsa.dev/spec/v1.1/provenance, slsa.dev/spec/v0.2/provenance; docs/attestations.md
 */
import { formatPlatform } from '../spec/platform.ts';
import { BUILD_TYPE } from '../spec/version.ts';
import type { BuildFacts, BuildStepFacts, DigestSet, FetchedInput } from './build-facts.ts';
import type { Predicate } from './in-toto.ts';
import { formatPurl, imagePurl } from './purl.ts';

export interface ProvenanceOptions {
  /** `min` says nothing about values that may be confidential: build arguments, labels, ids of secrets, the Dockerfile. */
  readonly mode: 'min' | 'max';
  readonly version: 'v1' | 'v0.2';
  /** Leaves out what differs between two runs: invocation and times. */
  readonly omitsRun?: boolean;
}

export const PROVENANCE_TYPES = {
  v1: 'https://slsa.dev/provenance/v1',
  'v0.2': 'https://slsa.dev/provenance/v0.2',
} as const;

export function provenance(facts: BuildFacts, o: ProvenanceOptions): Predicate {
  return { type: PROVENANCE_TYPES[o.version], content: o.version === 'v1' ? version1(facts, o) : version02(facts, o) };
}

function version1(facts: BuildFacts, o: ProvenanceOptions): object {
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: { configSource: facts.source, request: requestOf(facts, o) },
      internalParameters: {
        builderPlatform: formatPlatform(facts.builderPlatform),
        ...(o.mode === 'max' ? { buildConfig: { steps: facts.steps.map(stepOf) } } : {}),
      },
      resolvedDependencies: dependenciesOf(facts.inputs),
    },
    runDetails: {
      builder: { id: facts.builderId },
      metadata: {
        ...run(facts, o, { id: 'invocationId', start: 'startedOn', end: 'finishedOn' }),
        buildkit_metadata: metadataOf(facts, o),
        ...(facts.isHermetic ? { buildkit_hermetic: true } : {}),
        buildkit_completeness: { request: isRequestWhole(facts, o), resolvedDependencies: facts.hasAllInputs },
        ...(facts.isReproducible ? { buildkit_reproducible: true } : {}),
      },
    },
  };
}

function version02(facts: BuildFacts, o: ProvenanceOptions): object {
  const { path, ...place } = facts.source;
  return {
    builder: { id: facts.builderId },
    buildType: BUILD_TYPE,
    materials: dependenciesOf(facts.inputs),
    invocation: {
      configSource: { ...place, entryPoint: path },
      parameters: requestOf(facts, o),
      environment: { platform: formatPlatform(facts.builderPlatform) },
    },
    ...(o.mode === 'max' ? { buildConfig: { steps: facts.steps.map(stepOf) } } : {}),
    metadata: {
      ...run(facts, o, { id: 'buildInvocationID', start: 'buildStartedOn', end: 'buildFinishedOn' }),
      completeness: { parameters: isRequestWhole(facts, o), environment: true, materials: facts.hasAllInputs },
      reproducible: facts.isReproducible,
      'https://mobyproject.org/buildkit@v1#metadata': metadataOf(facts, o),
      ...(facts.isHermetic ? { 'https://mobyproject.org/buildkit@v1#hermetic': true } : {}),
    },
  };
}

function run(facts: BuildFacts, o: ProvenanceOptions, names: { id: string; start: string; end: string }): object {
  if (o.omitsRun === true) return {};
  return {
    [names.id]: facts.invocationId,
    ...(facts.startedOn === undefined ? {} : { [names.start]: facts.startedOn }),
    ...(facts.finishedOn === undefined ? {} : { [names.end]: facts.finishedOn }),
  };
}

/** The request as a Dockerfile frontend gets it: one flat list of arguments. */
function requestOf({ request, source }: BuildFacts, { mode }: ProvenanceOptions): object {
  const { target } = request;
  const args: Record<string, string> = {
    ...prefixed('context:', request.contexts),
    ...(target === undefined ? {} : { target }),
    ...(mode === 'min' ? {} : { ...prefixed('build-arg:', request.buildArgs), ...prefixed('label:', request.labels) }),
  };
  const ids = (list: readonly { id: string; isOptional: boolean }[]): object[] =>
    list.map(({ id, isOptional }) => ({ id, ...(isOptional ? { optional: true } : {}) }));
  return {
    frontend: 'dockerfile.v0',
    args: Object.fromEntries(Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(mode === 'min' || request.secrets.length === 0 ? {} : { secrets: ids(request.secrets) }),
    ...(mode === 'min' || request.agents.length === 0 ? {} : { ssh: ids(request.agents) }),
    ...(source.uri !== undefined && request.locals.length === 0
      ? {}
      : { locals: request.locals.map((name) => ({ name })) }),
  };
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}

function isRequestWhole({ request }: BuildFacts, { mode }: ProvenanceOptions): boolean {
  return (
    mode === 'max' ||
    (Object.keys(request.buildArgs).length === 0 &&
      Object.keys(request.labels).length === 0 &&
      request.secrets.length === 0 &&
      request.agents.length === 0)
  );
}

interface Dependency {
  readonly uri: string;
  readonly digest?: DigestSet;
}

function dependenciesOf(inputs: readonly FetchedInput[]): Dependency[] {
  const distinct = new Map<string, Dependency>();
  for (const input of inputs) {
    const dependency = dependencyOf(input);
    distinct.set(`${KIND_ORDER.indexOf(input.kind)} ${JSON.stringify(dependency)}`, dependency);
  }
  return [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, dependency]) => dependency);
}

const KIND_ORDER: readonly FetchedInput['kind'][] = ['image', 'git', 'http'];

function dependencyOf(input: FetchedInput): Dependency {
  switch (input.kind) {
    case 'image':
      return { uri: imageUri(input), ...digestMember(input.digest) };
    case 'git':
      return { uri: input.url, digest: { [input.commit.length === 64 ? 'sha256' : 'sha1']: input.commit } };
    case 'http':
      return { uri: input.url, ...digestMember(input.digest) };
  }
}

/** What is no reference names a layout or archive of this machine: only its last component is told. */
function imageUri({ reference, platform }: Extract<FetchedInput, { readonly kind: 'image' }>): string {
  try {
    return imagePurl(reference, platform);
  } catch {
    const name = reference.split('/').at(-1) ?? reference;
    return formatPurl({
      type: 'oci',
      name: name.replace(/^[a-z-]+:/, ''),
      qualifiers: { platform: platform === undefined ? undefined : formatPlatform(platform) },
    });
  }
}

/** `sha256:…` as a set of digests. */
function digestMember(digest: string | undefined): { digest?: DigestSet } {
  const match = /^([a-z0-9]+):([0-9a-f]+)$/.exec(digest ?? '');
  return match === null ? {} : { digest: { [match[1]!]: match[2]! } };
}

/** Version control in both forms; the source text and the layers of the steps in the long one. */
function metadataOf(facts: BuildFacts, { mode }: ProvenanceOptions): object {
  const { vcs, dockerfile, steps } = facts;
  const layers = steps.flatMap(({ id, layer }) => (layer === undefined ? [] : [[`step${id}:0`, [[layer]]] as const]));
  return {
    ...(vcs === undefined || Object.keys(vcs).length === 0 ? {} : { vcs }),
    ...(mode === 'min' || dockerfile === undefined ? {} : { source: sourceOf(facts, dockerfile) }),
    ...(mode === 'min' || layers.length === 0 ? {} : { layers: Object.fromEntries(layers) }),
  };
}

function sourceOf({ steps }: BuildFacts, { filename, text }: NonNullable<BuildFacts['dockerfile']>): object {
  const locations = steps.flatMap(({ id, lines }) => {
    if (lines === undefined) return [];
    const [start, end] = lines;
    return [[`step${id}`, { locations: [{ ranges: [{ start: { line: start }, end: { line: end } }] }] }] as const];
  });
  return {
    ...(locations.length === 0 ? {} : { locations: Object.fromEntries(locations) }),
    infos: [{ filename, language: 'Dockerfile', data: Buffer.from(text).toString('base64') }],
  };
}

function stepOf(step: BuildStepFacts): object {
  return {
    id: `step${step.id}`,
    stage: step.stage,
    name: step.name,
    ...(step.inputs.length === 0 ? {} : { inputs: step.inputs.map((id) => `step${id}:0`) }),
    ...(step.isCached ? { cached: true } : {}),
  };
}
