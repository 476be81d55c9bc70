import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BuildFacts } from '../../../src/attest/build-facts.ts';
import { type ProvenanceOptions, provenance } from '../../../src/attest/provenance.ts';
import type { Digest } from '../../../src/spec/digest.ts';

const SHA = 'a'.repeat(64);
const FACTS: BuildFacts = {
  builderId: 'https://ci.example.org/7',
  invocationId: 'run-1',
  startedOn: '2026-01-02T03:04:05Z',
  finishedOn: '2026-01-02T03:05:05Z',
  builderPlatform: { os: 'linux', architecture: 'amd64' },
  source: { uri: 'https://git.example.org/a.git#main', digest: { sha1: 'c'.repeat(40) }, path: 'Dockerfile' },
  request: {
    target: 'app',
    buildArgs: { TOKEN: 'hush' },
    labels: { owner: 'me' },
    contexts: { base: 'docker-image://alpine' },
    locals: ['extra'],
    secrets: [{ id: 'npmrc', isOptional: true }],
    agents: [{ id: 'default', isOptional: false }],
  },
  inputs: [
    { kind: 'image', reference: 'alpine', digest: `sha256:${SHA}`, platform: { os: 'linux', architecture: 'amd64' } },
    { kind: 'git', url: 'https://git.example.org/a.git#main', commit: 'c'.repeat(40) },
    { kind: 'http', url: 'https://example.org/x.tgz', digest: `sha256:${SHA}` },
    { kind: 'image', reference: 'alpine', digest: `sha256:${SHA}`, platform: { os: 'linux', architecture: 'amd64' } },
  ],
  hasAllInputs: false,
  isHermetic: true,
  isReproducible: true,
  vcs: { source: 'https://git.example.org/a.git', revision: 'c'.repeat(40) },
  dockerfile: { filename: 'Dockerfile', text: 'FROM alpine\nRUN make\n' },
  steps: [
    { id: '0.0', name: 'FROM alpine', stage: '0', inputs: [], isCached: true, lines: [1, 1] },
    {
      id: '0.1',
      name: 'RUN make',
      stage: '0',
      inputs: ['0.0'],
      isCached: false,
      lines: [2, 2],
      layer: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${SHA}` as Digest, size: 7 },
    },
  ],
};

const content = (o: ProvenanceOptions, facts: BuildFacts = FACTS): unknown =>
  JSON.parse(JSON.stringify(provenance(facts, o).content));

const DEPENDENCIES = [
  { uri: 'pkg:docker/alpine@latest?platform=linux%2Famd64', digest: { sha256: SHA } },
  { uri: 'https://git.example.org/a.git#main', digest: { sha1: 'c'.repeat(40) } },
  { uri: 'https://example.org/x.tgz', digest: { sha256: SHA } },
];

describe('version 1', () => {
  it('the short form', () => {
    assert.equal(provenance(FACTS, { mode: 'min', version: 'v1' }).type, 'https://slsa.dev/provenance/v1');
    assert.deepEqual(content({ mode: 'min', version: 'v1' }), {
      buildDefinition: {
        buildType: 'https://slipway.io/build-types/dockerfile/v1',
        externalParameters: {
          configSource: {
            uri: 'https://git.example.org/a.git#main',
            digest: { sha1: 'c'.repeat(40) },
            path: 'Dockerfile',
          },
          request: {
            frontend: 'dockerfile.v0',
            args: { 'context:base': 'docker-image://alpine', target: 'app' },
            locals: [{ name: 'extra' }],
          },
        },
        internalParameters: { builderPlatform: 'linux/amd64' },
        resolvedDependencies: DEPENDENCIES,
      },
      runDetails: {
        builder: { id: 'https://ci.example.org/7' },
        metadata: {
          invocationId: 'run-1',
          startedOn: '2026-01-02T03:04:05Z',
          finishedOn: '2026-01-02T03:05:05Z',
          buildkit_metadata: { vcs: { source: 'https://git.example.org/a.git', revision: 'c'.repeat(40) } },
          buildkit_hermetic: true,
          buildkit_completeness: { request: false, resolvedDependencies: false },
          buildkit_reproducible: true,
        },
      },
    });
  });

  it('the long form adds values, ids, steps and the source', () => {
    const { buildDefinition, runDetails } = content({ mode: 'max', version: 'v1' }) as {
      buildDefinition: { externalParameters: { request: unknown }; internalParameters: unknown };
      runDetails: { metadata: { buildkit_metadata: unknown; buildkit_completeness: unknown } };
    };
    assert.deepEqual(buildDefinition.externalParameters.request, {
      frontend: 'dockerfile.v0',
      args: {
        'build-arg:TOKEN': 'hush',
        'context:base': 'docker-image://alpine',
        'label:owner': 'me',
        target: 'app',
      },
      secrets: [{ id: 'npmrc', optional: true }],
      ssh: [{ id: 'default' }],
      locals: [{ name: 'extra' }],
    });
    assert.deepEqual(buildDefinition.internalParameters, {
      builderPlatform: 'linux/amd64',
      buildConfig: {
        steps: [
          { id: 'step0.0', stage: '0', name: 'FROM alpine', cached: true },
          { id: 'step0.1', stage: '0', name: 'RUN make', inputs: ['step0.0:0'] },
        ],
      },
    });
    const range = (line: number) => ({ locations: [{ ranges: [{ start: { line }, end: { line } }] }] });
    assert.deepEqual(runDetails.metadata.buildkit_metadata, {
      vcs: { source: 'https://git.example.org/a.git', revision: 'c'.repeat(40) },
      source: {
        locations: { 'step0.0': range(1), 'step0.1': range(2) },
        infos: [
          {
            filename: 'Dockerfile',
            language: 'Dockerfile',
            data: Buffer.from('FROM alpine\nRUN make\n').toString('base64'),
          },
        ],
      },
      layers: {
        'step0.1:0': [[{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${SHA}`, size: 7 }]],
      },
    });
    assert.deepEqual(runDetails.metadata.buildkit_completeness, { request: true, resolvedDependencies: false });
  });

  it('the short form says nothing that may be confidential', () => {
    const text = JSON.stringify(content({ mode: 'min', version: 'v1' }));
    for (const word of ['TOKEN', 'hush', 'npmrc', 'make', 'owner']) assert.ok(!text.includes(word), word);
  });
});

it('version 0.2', () => {
  assert.equal(provenance(FACTS, { mode: 'min', version: 'v0.2' }).type, 'https://slsa.dev/provenance/v0.2');
  assert.deepEqual(content({ mode: 'min', version: 'v0.2' }), {
    builder: { id: 'https://ci.example.org/7' },
    buildType: 'https://slipway.io/build-types/dockerfile/v1',
    materials: DEPENDENCIES,
    invocation: {
      configSource: {
        uri: 'https://git.example.org/a.git#main',
        digest: { sha1: 'c'.repeat(40) },
        entryPoint: 'Dockerfile',
      },
      parameters: {
        frontend: 'dockerfile.v0',
        args: { 'context:base': 'docker-image://alpine', target: 'app' },
        locals: [{ name: 'extra' }],
      },
      environment: { platform: 'linux/amd64' },
    },
    metadata: {
      buildInvocationID: 'run-1',
      buildStartedOn: '2026-01-02T03:04:05Z',
      buildFinishedOn: '2026-01-02T03:05:05Z',
      completeness: { parameters: false, environment: true, materials: false },
      reproducible: true,
      'https://mobyproject.org/buildkit@v1#metadata': {
        vcs: { source: 'https://git.example.org/a.git', revision: 'c'.repeat(40) },
      },
      'https://mobyproject.org/buildkit@v1#hermetic': true,
    },
  });
});

it('without what belongs to one run, two runs say the same', () => {
  const later: BuildFacts = {
    ...FACTS,
    invocationId: 'run-2',
    startedOn: '2027-01-01T00:00:00Z',
    finishedOn: '2027-01-02T00:00:00Z',
  };
  for (const version of ['v1', 'v0.2'] as const) {
    const o = { mode: 'max', version, omitsRun: true } as const;
    assert.deepEqual(content(o, later), content(o));
    assert.ok(!JSON.stringify(content(o)).includes('run-1'));
  }
});
