/** Bills of materials as files, of the caller or in the image: `--sbom` and `--sbom-…output` in Buildah's sense. */
import { resolve } from 'node:path';
import { cycloneDxDocument } from '../attest/cyclonedx.ts';
import { takeInventory } from '../attest/inventory.ts';
import type { SbomSubject } from '../attest/sbom-subject.ts';
import type { Inventory } from '../attest/software.ts';
import { spdxDocument } from '../attest/spdx.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { writeFile } from '../sys/file-write.ts';
import type { AddedFile } from './added-files.ts';
import type { Engine } from './engine.ts';

export type SbomFormat = 'spdx' | 'cyclonedx';

export interface SbomFileOptions {
  /** One of Buildah's presets, or a format. */
  readonly sbom?: string;
  readonly sbomOutput?: string;
  readonly sbomPurlOutput?: string;
  readonly sbomImageOutput?: string;
  readonly sbomImagePurlOutput?: string;
}

/** Where the document itself goes, without a statement around it. */
export interface SbomFiles {
  readonly format: SbomFormat;
  /** Absolute. */
  readonly document: string | undefined;
  /** Absolute: package URLs, one a line. */
  readonly purls: string | undefined;
  /** The same in the image, absolute there. */
  readonly inImage: { readonly document: string | undefined; readonly purls: string | undefined };
}

/** Buildah's presets name a scanner and a format; the format is what can be kept of them. */
const PRESETS: ReadonlyMap<string, SbomFormat> = new Map([
  ['syft', 'cyclonedx'],
  ['syft-cyclonedx', 'cyclonedx'],
  ['syft-spdx', 'spdx'],
  ['trivy', 'cyclonedx'],
  ['trivy-cyclonedx', 'cyclonedx'],
  ['trivy-spdx', 'spdx'],
]);

/** The format of one of Buildah's presets; undefined for other words. */
export function presetFormat(text: string | undefined): SbomFormat | undefined {
  return text === undefined ? undefined : PRESETS.get(text);
}

export const PRESET_NAMES: readonly string[] = [...PRESETS.keys()];

/**
 * The files that are asked for, if any.
 * @param format of the document, unless a preset says another
 * @throws `usage.invalid` for a preset without a file
 */
export function parseSbomFiles(o: SbomFileOptions, cwd: string, format: SbomFormat = 'spdx'): SbomFiles | undefined {
  const preset = presetFormat(o.sbom);
  const files = {
    document: absolute(cwd, o.sbomOutput),
    purls: absolute(cwd, o.sbomPurlOutput),
    inImage: { document: absolute('/', o.sbomImageOutput), purls: absolute('/', o.sbomImagePurlOutput) },
  };
  if (!writesFiles(files) && !changesImage(files)) {
    if (preset === undefined) return undefined;
    throw new BuilderError('usage.invalid', `--sbom ${o.sbom} says nothing about where the SBOM is to be written`, {
      hint: 'add --sbom-output FILE or --sbom-image-output PATH, or one of --sbom-purl-output and --sbom-image-purl-output',
    });
  }
  return { format: preset ?? format, ...files };
}

function absolute(folder: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(folder, path);
}

/** Files of the caller are asked for. */
export function writesFiles({ document, purls }: Pick<SbomFiles, 'document' | 'purls'>): boolean {
  return document !== undefined || purls !== undefined;
}

/** Files in the image are asked for. */
export function changesImage({ inImage: { document, purls } }: Pick<SbomFiles, 'inImage'>): boolean {
  return document !== undefined || purls !== undefined;
}

/** Reads the packages of a snapshot; what cannot be read is told as a warning, and in every document. */
export async function snapshotInventory(engine: Engine, snapshot: SnapshotId | undefined): Promise<Inventory> {
  await using view = await engine.snapshots.view(snapshot);
  const inventory = takeInventory({ root: view.path, signal: engine.signal });
  for (const text of inventory.warnings) engine.emit({ type: 'warning', text: `SBOM: ${text}` });
  return inventory;
}

export function sbomDocument(format: SbomFormat, inventory: Inventory, subject: SbomSubject): object {
  return format === 'spdx' ? spdxDocument(inventory, subject) : cycloneDxDocument(inventory, subject);
}

export function writeSbomFiles(files: SbomFiles, inventory: Inventory, subject: SbomSubject): void {
  if (files.document !== undefined) writeFile(files.document, documentText(files.format, inventory, subject));
  if (files.purls !== undefined) writeFile(files.purls, purlText(inventory));
}

/** What is to be put into the image. */
export function sbomsInImage(
  { format, inImage }: SbomFiles,
  inventory: Inventory,
  subject: SbomSubject,
): readonly AddedFile[] {
  const file = (destination: string | undefined, text: () => string): AddedFile[] =>
    destination === undefined ? [] : [{ source: Buffer.from(text()), destination }];
  return [
    ...file(inImage.document, () => documentText(format, inventory, subject)),
    ...file(inImage.purls, () => purlText(inventory)),
  ];
}

function documentText(format: SbomFormat, inventory: Inventory, subject: SbomSubject): string {
  return `${JSON.stringify(sbomDocument(format, inventory, subject), undefined, 2)}\n`;
}

function purlText({ packages }: Inventory): string {
  return packages.map(({ purl }) => `${purl}\n`).join('');
}
