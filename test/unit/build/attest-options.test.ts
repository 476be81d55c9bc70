import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAttestations } from '../../../src/build/attest-options.ts';
import type { BuildOptions } from '../../../src/container/verb-options.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const NOTHING = { sbom: undefined, provenance: undefined, files: undefined };
const FILES = { document: undefined, purls: undefined, inImage: { document: undefined, purls: undefined } };
const MIN = {
  mode: 'min',
  version: 'v1',
  builderId: '',
  filename: 'provenance.json',
  isReproducible: false,
  isInlineOnly: false,
};

describe('what is asked for', () => {
  const cases: readonly (readonly [BuildOptions, object])[] = [
    [{}, NOTHING],
    [{ sbom: 'true' }, { ...NOTHING, sbom: 'spdx' }],
    [{ sbom: 'false', provenance: 'false' }, NOTHING],
    [{ sbom: 'cyclonedx' }, { ...NOTHING, sbom: 'cyclonedx' }],
    [{ attest: ['type=sbom,format=cyclonedx'] }, { ...NOTHING, sbom: 'cyclonedx' }],
    [{ attest: ['type=sbom,disabled=true', 'type=provenance'] }, { ...NOTHING, provenance: MIN }],
    [{ provenance: 'true' }, { ...NOTHING, provenance: MIN }],
    [
      { provenance: 'mode=max,version=v0.2,builder-id=https://x,filename=p.json,reproducible=true,inline-only=true' },
      {
        ...NOTHING,
        provenance: {
          mode: 'max',
          version: 'v0.2',
          builderId: 'https://x',
          filename: 'p.json',
          isReproducible: true,
          isInlineOnly: true,
        },
      },
    ],
    // A preset of Buildah's means a file and no attestation.
    [
      { sbom: 'syft-spdx', sbomOutput: 'a.json', sbomPurlOutput: '/b' },
      { ...NOTHING, files: { ...FILES, format: 'spdx', document: '/there/a.json', purls: '/b' } },
    ],
    [
      { sbom: 'trivy', sbomOutput: 'a.json' },
      { ...NOTHING, files: { ...FILES, format: 'cyclonedx', document: '/there/a.json' } },
    ],
    [
      { sbom: 'cyclonedx', sbomOutput: 'a.json' },
      { ...NOTHING, sbom: 'cyclonedx', files: { ...FILES, format: 'cyclonedx', document: '/there/a.json' } },
    ],
    [{ sbomPurlOutput: 'p' }, { ...NOTHING, files: { ...FILES, format: 'spdx', purls: '/there/p' } }],
    // Paths in the image begin at its root.
    [
      { sbom: 'syft', sbomImageOutput: 'a.json', sbomImagePurlOutput: '/b/c' },
      {
        ...NOTHING,
        files: { ...FILES, format: 'cyclonedx', inImage: { document: '/a.json', purls: '/b/c' } },
      },
    ],
  ];
  for (const [options, expected] of cases)
    it(JSON.stringify(options), () => assert.deepEqual(parseAttestations(options, '/there'), expected));
});

describe('refused', () => {
  const cases: readonly (readonly [BuildOptions, 'usage.invalid' | 'usage.unsupported', RegExp])[] = [
    [{ sbom: 'syft' }, 'usage.invalid', /--sbom syft says nothing about where/],
    [{ sbom: 'sift' }, 'usage.invalid', /"sift" is neither/],
    [{ sbom: 'generator=docker/scout' }, 'usage.unsupported', /"docker\/scout" cannot be used/],
    [{ sbom: 'format=spdy' }, 'usage.invalid', /must be spdx or cyclonedx/],
    [{ sbom: 'colour=red' }, 'usage.invalid', /no option "colour"/],
    [{ attest: ['type=sbom', 'type=sbom'] }, 'usage.invalid', /twice/],
    [{ attest: ['type=sbom'], sbom: 'true' }, 'usage.invalid', /twice/],
    [{ attest: ['mode=max'] }, 'usage.invalid', /type is ""/],
    [{ attest: ['sbom'] }, 'usage.invalid', /not KEY=VALUE/],
    [{ provenance: 'mode=all' }, 'usage.invalid', /min or max/],
    [{ provenance: 'version=v2' }, 'usage.invalid', /v1 or v0\.2/],
    [{ provenance: 'filename=../x' }, 'usage.invalid', /not a file name/],
    [{ provenance: 'reproducible=perhaps' }, 'usage.invalid', /true or false/],
  ];
  for (const [options, code, message] of cases) {
    it(JSON.stringify(options), () => {
      assert.throws(
        () => parseAttestations(options, '/there'),
        (error) => isBuilderError(error, code) && message.test(error.message),
      );
    });
  }
});
