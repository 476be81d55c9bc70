import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cycloneDxDocument } from '../../../src/attest/cyclonedx.ts';
import type { Inventory, SoftwarePackage } from '../../../src/attest/software.ts';
import { spdxDocument } from '../../../src/attest/spdx.ts';
import { sbomErrors } from '../../support/sbom-schemas.ts';

const SUBJECT = { name: 'localhost/app:1', created: '2026-01-02T03:04:05.678Z' };

const zlib: SoftwarePackage = {
  purl: 'pkg:deb/debian/zlib1g@1%3A1.2?arch=amd64',
  name: 'zlib1g',
  version: '1:1.2',
  licenses: ['Zlib', 'Frob (x)'],
  supplier: 'Mark Brown <broonie@debian.org>',
  homepage: 'http://zlib.net/',
  locations: ['/var/lib/dpkg/status'],
  evidence: 'installed',
};
const lodash: SoftwarePackage = {
  purl: 'pkg:npm/lodash@4.17.21',
  name: 'lodash',
  version: '4.17.21',
  licenses: ['MIT OR ISC'],
  supplier: 'Someone\nelse',
  homepage: 'not a url at all',
  digests: [{ algorithm: 'SHA-1', hex: 'ab'.repeat(20) }],
  locations: ['/b', '/a'],
  evidence: 'declared',
};
const bare: SoftwarePackage = {
  purl: 'pkg:golang/example.com/x',
  name: 'example.com/x',
  version: '',
  locations: ['/bin/x'],
  evidence: 'installed',
};
const FULL: Inventory = {
  distribution: { id: 'debian', versionId: '12', prettyName: 'Debian 12' },
  packages: [zlib, bare, lodash],
  warnings: ['cannot read /x as y: z'],
};
const EMPTY: Inventory = { distribution: undefined, packages: [], warnings: [] };

const DOCUMENTS = {
  spdx: (inventory: Inventory) => spdxDocument(inventory, SUBJECT),
  'cyclonedx 1.5': (inventory: Inventory) => cycloneDxDocument(inventory, SUBJECT, '1.5'),
  'cyclonedx 1.6': (inventory: Inventory) => cycloneDxDocument(inventory, SUBJECT, '1.6'),
} as const;

for (const [name, write] of Object.entries(DOCUMENTS)) {
  describe(name, () => {
    it('is what its specification demands', () => {
      const kind = name === 'spdx' ? 'spdx' : 'cyclonedx';
      assert.deepEqual(sbomErrors(kind, JSON.parse(JSON.stringify(write(FULL)))), []);
      assert.deepEqual(sbomErrors(kind, JSON.parse(JSON.stringify(write(EMPTY)))), []);
    });

    it('has a name of its own that follows from its content', () => {
      const identity = (inventory: Inventory): unknown => {
        const { documentNamespace, serialNumber } = write(inventory) as Record<string, unknown>;
        return documentNamespace ?? serialNumber;
      };
      assert.equal(identity(FULL), identity({ ...FULL }));
      assert.notEqual(identity(FULL), identity({ ...FULL, packages: [zlib] }));
      assert.notEqual(identity(FULL), identity({ ...FULL, warnings: [] }));
    });
  });
}

it('SPDX: a package with all that is known of it', () => {
  const document = spdxDocument(FULL, SUBJECT) as Record<string, readonly unknown[]>;
  assert.deepEqual(document['packages']![2], {
    SPDXID: 'SPDXRef-Package-deb-zlib1g-39c99586942494ab',
    name: 'zlib1g',
    versionInfo: '1:1.2',
    supplier: 'Person: Mark Brown (broonie@debian.org)',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    copyrightText: 'NOASSERTION',
    homepage: 'http://zlib.net/',
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'Zlib AND LicenseRef-Frob-x-f7314504375d',
    sourceInfo: 'installed, according to /var/lib/dpkg/status',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: 'pkg:deb/debian/zlib1g@1%3A1.2?arch=amd64',
      },
    ],
  });
  assert.deepEqual(document['hasExtractedLicensingInfos'], [
    { licenseId: 'LicenseRef-Frob-x-f7314504375d', extractedText: 'Frob (x)', name: 'Frob (x)' },
  ]);
  assert.deepEqual(document['annotations'], [
    {
      annotationDate: '2026-01-02T03:04:05Z',
      annotationType: 'OTHER',
      annotator: 'Tool: slipway-0.1.0',
      comment: 'cannot read /x as y: z',
    },
  ]);
  assert.equal(document['relationships']!.length, 5);
});

it('CycloneDX: a mixture of licences is a list of names, one expression an expression', () => {
  const { components, compositions } = cycloneDxDocument(FULL, SUBJECT) as {
    components: { name: string; licenses?: unknown; supplier?: unknown; externalReferences?: unknown }[];
    compositions: unknown;
  };
  const find = (name: string) => components.find((component) => component.name === name);
  assert.deepEqual(find('zlib1g')?.licenses, [{ license: { id: 'Zlib' } }, { license: { name: 'Frob (x)' } }]);
  assert.deepEqual(find('lodash')?.licenses, [{ expression: 'MIT OR ISC' }]);
  assert.equal(find('lodash')?.externalReferences, undefined);
  assert.deepEqual(find('zlib1g')?.externalReferences, [{ type: 'website', url: 'http://zlib.net/' }]);
  assert.deepEqual(compositions, [{ aggregate: 'incomplete', assemblies: ['image'] }]);
});
