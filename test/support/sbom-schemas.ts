/**
 * What SPDX 2.3 and CycloneDX 1.5 and 1.6 demand of the members that are written here, as JSON schemas of our own:
 * unknown members are refused, so that a new one must be looked up first.
 */
import { Ajv } from 'ajv';

const text = { type: 'string', minLength: 1 };
const object = (required: readonly string[], properties: Readonly<Record<string, object>>): object => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
});
const list = (items: object, minItems = 0): object => ({ type: 'array', items, minItems });
const SPDX_ID = { type: 'string', pattern: '^SPDXRef-[A-Za-z0-9.-]+$' };
const TIME = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$' };
const AGENT = { type: 'string', pattern: '^(NOASSERTION|(Person|Organization|Tool): .+)$' };

const SPDX = object(
  ['spdxVersion', 'dataLicense', 'SPDXID', 'name', 'documentNamespace', 'creationInfo', 'packages', 'relationships'],
  {
    spdxVersion: { const: 'SPDX-2.3' },
    dataLicense: { const: 'CC0-1.0' },
    SPDXID: { const: 'SPDXRef-DOCUMENT' },
    name: text,
    documentNamespace: { type: 'string', pattern: '^https://[^#\\s]+$' },
    creationInfo: object(['created', 'creators'], { created: TIME, creators: list(AGENT, 1) }),
    annotations: list(
      object(['annotationDate', 'annotationType', 'annotator', 'comment'], {
        annotationDate: TIME,
        annotationType: { enum: ['OTHER', 'REVIEW'] },
        annotator: AGENT,
        comment: text,
      }),
    ),
    packages: list(
      object(['SPDXID', 'name', 'downloadLocation'], {
        SPDXID: SPDX_ID,
        name: text,
        versionInfo: text,
        summary: text,
        supplier: AGENT,
        downloadLocation: { const: 'NOASSERTION' },
        filesAnalyzed: { const: false },
        copyrightText: text,
        homepage: text,
        comment: text,
        checksums: list(
          object(['algorithm', 'checksumValue'], {
            algorithm: { enum: ['MD5', 'SHA1', 'SHA256', 'SHA384', 'SHA512'] },
            checksumValue: { type: 'string', pattern: '^[0-9a-f]+$' },
          }),
          1,
        ),
        licenseConcluded: text,
        licenseDeclared: text,
        sourceInfo: text,
        primaryPackagePurpose: { enum: ['CONTAINER', 'OPERATING_SYSTEM'] },
        externalRefs: list(
          object(['referenceCategory', 'referenceType', 'referenceLocator'], {
            referenceCategory: { const: 'PACKAGE-MANAGER' },
            referenceType: { const: 'purl' },
            referenceLocator: { type: 'string', pattern: '^pkg:\\S+$' },
          }),
        ),
      }),
    ),
    hasExtractedLicensingInfos: list(
      object(['licenseId', 'extractedText'], {
        licenseId: { type: 'string', pattern: '^LicenseRef-[A-Za-z0-9.-]+$' },
        extractedText: text,
        name: text,
      }),
    ),
    relationships: list(
      object(['spdxElementId', 'relatedSpdxElement', 'relationshipType'], {
        spdxElementId: SPDX_ID,
        relatedSpdxElement: SPDX_ID,
        relationshipType: { enum: ['DESCRIBES', 'CONTAINS'] },
      }),
    ),
  },
);

const property = object(['name', 'value'], { name: text, value: { type: 'string' } });
const component = object(['type', 'name'], {
  'bom-ref': text,
  type: { enum: ['application', 'container', 'library', 'operating-system'] },
  supplier: object([], { name: text }),
  name: text,
  version: text,
  description: text,
  hashes: list(
    object(['alg', 'content'], {
      alg: { enum: ['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] },
      content: { type: 'string', pattern: '^([a-f0-9]{32}|[a-f0-9]{40}|[a-f0-9]{64}|[a-f0-9]{96}|[a-f0-9]{128})$' },
    }),
  ),
  licenses: {
    oneOf: [
      { ...list(object(['expression'], { expression: text }), 1), maxItems: 1 },
      list(
        object(['license'], {
          license: { oneOf: [object(['id'], { id: text }), object(['name'], { name: text })] },
        }),
        1,
      ),
    ],
  },
  purl: { type: 'string', pattern: '^pkg:\\S+$' },
  externalReferences: list(object(['type', 'url'], { type: { const: 'website' }, url: text })),
  properties: list(property),
  evidence: object([], { occurrences: list(object(['location'], { location: text })) }),
});

const CYCLONEDX = object(['$schema', 'bomFormat', 'specVersion', 'serialNumber', 'version', 'metadata', 'components'], {
  $schema: {
    enum: ['http://cyclonedx.org/schema/bom-1.5.schema.json', 'http://cyclonedx.org/schema/bom-1.6.schema.json'],
  },
  bomFormat: { const: 'CycloneDX' },
  specVersion: { enum: ['1.5', '1.6'] },
  serialNumber: {
    type: 'string',
    pattern: '^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  },
  version: { const: 1 },
  metadata: object(['timestamp', 'tools', 'component'], {
    timestamp: TIME,
    tools: object(['components'], { components: list(component, 1) }),
    component,
    properties: list(property),
  }),
  components: { ...list(component), uniqueItems: true },
  dependencies: list(object(['ref'], { ref: text, dependsOn: { ...list(text), uniqueItems: true } })),
  compositions: list(
    object(['aggregate'], { aggregate: { enum: ['complete', 'incomplete', 'unknown'] }, assemblies: list(text) }),
  ),
});

/** What is wrong with a document, empty when it is valid. */
export function sbomErrors(kind: 'spdx' | 'cyclonedx', document: unknown): string[] {
  const validate = new Ajv({ allErrors: true }).compile(kind === 'spdx' ? SPDX : CYCLONEDX);
  return validate(document) ? [] : (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message}`);
}
