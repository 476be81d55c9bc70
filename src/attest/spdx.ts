/** A bill of materials as an SPDX 2.3 document in JSON: a function of its arguments, sorted, the same bytes each time. @see SPDX 2.3 */
import { digestOf, hexOf } from '../spec/digest.ts';
import { VERSION } from '../spec/version.ts';
import { contentUuid } from './content-uuid.ts';
import { joinExpressions, normalizeLicense } from './license.ts';
import { type SbomSubject, secondsOf } from './sbom-subject.ts';
import type { Distribution, Inventory, SoftwarePackage } from './software.ts';

const DOCUMENT = 'SPDXRef-DOCUMENT';
const ROOT = 'SPDXRef-Image';
const DISTRIBUTION = 'SPDXRef-OperatingSystem';
const TOOL = `Tool: slipway-${VERSION}`;
const NONE = 'NOASSERTION';

/** The document, members in the order of the specification. */
export function spdxDocument(inventory: Inventory, subject: SbomSubject): Readonly<Record<string, unknown>> {
  const created = secondsOf(subject.created);
  const extracted = new Map<string, string>();
  const packages = inventory.packages.map((found) => packageEntry(found, extracted));
  const { distribution } = inventory;
  const system = distribution === undefined ? [] : [distributionEntry(distribution)];
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: DOCUMENT,
    name: subject.name,
    creationInfo: { created, creators: [TOOL] },
    packages: [rootEntry(subject), ...system, ...packages],
    ...(extracted.size === 0 ? {} : { hasExtractedLicensingInfos: extractedEntries(extracted) }),
    relationships: [
      { spdxElementId: DOCUMENT, relatedSpdxElement: ROOT, relationshipType: 'DESCRIBES' },
      ...[...system, ...packages].map(({ SPDXID }) => ({
        spdxElementId: ROOT,
        relatedSpdxElement: SPDXID,
        relationshipType: 'CONTAINS',
      })),
    ],
    // What is missing is part of the statement.
    ...(inventory.warnings.length === 0
      ? {}
      : {
          annotations: inventory.warnings.map((comment) => ({
            annotationDate: created,
            annotationType: 'OTHER',
            annotator: TOOL,
            comment,
          })),
        }),
  };
  const { spdxVersion, dataLicense, SPDXID, name, ...rest } = document;
  const uuid = contentUuid(JSON.stringify(document));
  const place = name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^-+|-+$/g, '') || 'image';
  const documentNamespace = `https://spdx.org/spdxdocs/${place}-${uuid}`;
  return { spdxVersion, dataLicense, SPDXID, name, documentNamespace, ...rest };
}

const unknown = { downloadLocation: NONE, filesAnalyzed: false, copyrightText: NONE };

function rootEntry({ name }: SbomSubject) {
  return { SPDXID: ROOT, name, ...unknown, primaryPackagePurpose: 'CONTAINER' };
}

function distributionEntry({ id, versionId, prettyName }: Distribution) {
  return {
    SPDXID: DISTRIBUTION,
    name: id,
    ...(versionId === undefined ? {} : { versionInfo: versionId }),
    ...(prettyName === undefined ? {} : { summary: prettyName }),
    ...unknown,
    primaryPackagePurpose: 'OPERATING_SYSTEM',
  };
}

function packageEntry(found: SoftwarePackage, extracted: Map<string, string>) {
  const how = found.evidence === 'installed' ? 'installed, according to' : 'declared by';
  return {
    SPDXID: spdxId(found),
    name: found.name,
    ...(found.version === '' ? {} : { versionInfo: found.version }),
    supplier: supplierOf(found.supplier),
    ...unknown,
    ...(found.homepage === undefined ? {} : { homepage: found.homepage }),
    ...(found.digests === undefined
      ? {}
      : {
          checksums: found.digests.map(({ algorithm, hex }) => ({
            algorithm: algorithm.replace('-', ''),
            checksumValue: hex,
          })),
        }),
    licenseConcluded: NONE,
    licenseDeclared: declaredLicense(found, extracted),
    sourceInfo: `${how} ${found.locations.join(', ')}`,
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: found.purl }],
  };
}

/** Letters, digits, `.` and `-`; the hash keeps packages apart whose names differ in other characters. */
function spdxId({ purl, name }: SoftwarePackage): string {
  const type = purl.slice('pkg:'.length, purl.indexOf('/'));
  const plain = name.replaceAll(/[^A-Za-z0-9.]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return `SPDXRef-Package-${type}-${plain.slice(0, 80)}-${hexOf(digestOf(purl)).slice(0, 16)}`;
}

/** `Jane <jane@example.org>` is a person, as far as one can tell; a bare name an organization. */
function supplierOf(supplier: string | undefined): string {
  const text = supplier?.replaceAll(/[\s\u0000-\u001f]+/g, ' ').trim();
  if (text === undefined || text === '') return NONE;
  const person = /^"?([^<>"]+?)"?\s*<([^<>\s]+@[^<>\s]+)>$/.exec(text);
  return person === null ? `Organization: ${text}` : `Person: ${person[1]} (${person[2]})`;
}

function declaredLicense({ licenses }: SoftwarePackage, extracted: Map<string, string>): string {
  const named = (licenses ?? []).map(normalizeLicense);
  for (const { expression, extracted: text } of named) if (text !== undefined) extracted.set(expression, text);
  return joinExpressions(named.map(({ expression }) => expression)) ?? NONE;
}

function extractedEntries(extracted: ReadonlyMap<string, string>) {
  return [...extracted]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([licenseId, extractedText]) => ({ licenseId, extractedText, name: extractedText.slice(0, 200) }));
}
