/** A bill of materials as a CycloneDX document in JSON: a function of its arguments, sorted, the same bytes each time. @see ECMA-424 */
import { VERSION } from '../spec/version.ts';
import { contentUuid } from './content-uuid.ts';
import { isSingleLicense, normalizeLicense } from './license.ts';
import { type SbomSubject, secondsOf } from './sbom-subject.ts';
import type { Distribution, Inventory, SoftwarePackage } from './software.ts';

export type CycloneDxVersion = '1.5' | '1.6';

const ROOT = 'image';
const DISTRIBUTION = 'operating-system';

export function cycloneDxDocument(
  inventory: Inventory,
  subject: SbomSubject,
  version: CycloneDxVersion = '1.6',
): Readonly<Record<string, unknown>> {
  const { distribution, packages, warnings } = inventory;
  const components = [
    ...(distribution === undefined ? [] : [distributionComponent(distribution)]),
    ...packages.map(packageComponent),
  ];
  const body = {
    version: 1,
    metadata: {
      timestamp: secondsOf(subject.created),
      tools: { components: [{ type: 'application', name: 'slipway', version: VERSION }] },
      component: { 'bom-ref': ROOT, type: 'container', name: subject.name },
      // What is missing is part of the statement.
      ...(warnings.length === 0 ? {} : { properties: warnings.map((value) => ({ name: 'slipway:warning', value })) }),
    },
    components,
    dependencies: [{ ref: ROOT, dependsOn: components.map((component) => component['bom-ref']) }],
    compositions: [{ aggregate: warnings.length === 0 ? 'unknown' : 'incomplete', assemblies: [ROOT] }],
  };
  return {
    $schema: `http://cyclonedx.org/schema/bom-${version}.schema.json`,
    bomFormat: 'CycloneDX',
    specVersion: version,
    serialNumber: `urn:uuid:${contentUuid(JSON.stringify(body))}`,
    ...body,
  };
}

function distributionComponent({ id, versionId, prettyName }: Distribution) {
  return {
    'bom-ref': DISTRIBUTION,
    type: 'operating-system',
    name: id,
    ...(versionId === undefined ? {} : { version: versionId }),
    ...(prettyName === undefined ? {} : { description: prettyName }),
  };
}

function packageComponent(found: SoftwarePackage) {
  return {
    'bom-ref': found.purl,
    type: 'library',
    ...(found.supplier === undefined ? {} : { supplier: { name: found.supplier } }),
    name: found.name,
    ...(found.version === '' ? {} : { version: found.version }),
    ...(found.digests === undefined
      ? {}
      : { hashes: found.digests.map(({ algorithm, hex }) => ({ alg: algorithm, content: hex })) }),
    ...licensesOf(found),
    purl: found.purl,
    ...(found.homepage !== undefined && URL.canParse(found.homepage)
      ? { externalReferences: [{ type: 'website', url: new URL(found.homepage).href }] }
      : {}),
    properties: [{ name: 'slipway:evidence', value: found.evidence }],
    evidence: { occurrences: found.locations.map((location) => ({ location })) },
  };
}

/** Either one expression or a list of licences: the schema knows no mixture. */
function licensesOf({ licenses }: SoftwarePackage): { licenses?: readonly unknown[] } {
  if (licenses === undefined || licenses.length === 0) return {};
  const named = licenses.map((stated) => ({ stated, ...normalizeLicense(stated) }));
  const [first] = named;
  if (named.length === 1 && first?.extracted === undefined && !isSingleLicense(first!.expression))
    return { licenses: [{ expression: first!.expression }] };
  return {
    licenses: named.map(({ stated, expression, extracted }) => ({
      license: extracted === undefined && isSingleLicense(expression) ? { id: expression } : { name: stated },
    })),
  };
}
