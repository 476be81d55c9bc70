/** What is said about a build that is done: its bill of materials and its provenance, as predicates and as files. */
import { type Predicate, SBOM_TYPES } from '../attest/in-toto.ts';
import { provenance } from '../attest/provenance.ts';
import type { Engine } from '../container/engine.ts';
import { nowNanoseconds } from '../container/image-times.ts';
import { storePredicates } from '../container/predicates.ts';
import {
  changesImage,
  type SbomFormat,
  sbomDocument,
  sbomsInImage,
  snapshotInventory,
  writeSbomFiles,
} from '../container/sbom-files.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { formatPlatform, type Platform } from '../spec/platform.ts';
import type { AttestRequest, ProvenanceRequest } from './attest-options.ts';
import { gatherFacts } from './gather-facts.ts';
import type { PlatformBuild } from './platform-build.ts';
import { snapshotOf } from './stage-root.ts';
import type { StepJournal } from './step-journal.ts';

/** A predicate and the name of the file it is in an exported directory or archive; undefined keeps it out of there. */
export interface NamedPredicate {
  readonly predicate: Predicate;
  readonly fileName: string | undefined;
}

/** What was said about the image of one platform. */
export interface SaidOfImage {
  readonly predicates: readonly NamedPredicate[];
  /** In the store, as blobs. */
  readonly stored: readonly Descriptor[];
}

export interface BuildMoment {
  readonly options: BuildOptions;
  readonly journal: StepJournal;
  /** RFC 3339 */
  readonly startedOn: string;
  /** Name of the image in the bill of materials. */
  readonly name: string;
}

const SBOM_FILES: Readonly<Record<SbomFormat, string>> = { spdx: 'sbom.spdx.json', cyclonedx: 'sbom.cdx.json' };

/**
 * Says what is wanted about what a platform came to, keeps it in the store, and writes the files of `--sbom-output` and
 * `--sbom-purl-output`; those of `--sbom-image-output` and `--sbom-image-purl-output` become part of the target.
 */
export async function attestBuild(
  engine: Engine,
  wanted: AttestRequest,
  run: PlatformBuild,
  moment: BuildMoment,
): Promise<SaidOfImage> {
  const predicates: NamedPredicate[] = [];
  const { sbom, files } = wanted;
  if (sbom !== undefined || files !== undefined) {
    const inventory = await snapshotInventory(engine, await snapshotOf(engine, run.result.root));
    const subject = { name: moment.name, created: run.image.createdOf(run.result.config) };
    if (files !== undefined) writeSbomFiles(files, inventory, subject);
    if (files !== undefined && changesImage(files)) {
      await run.embed(sbomsInImage(files, inventory, subject), subject.created);
    }
    if (sbom !== undefined) {
      const predicate = { type: SBOM_TYPES[sbom], content: sbomDocument(sbom, inventory, subject) };
      predicates.push({ predicate, fileName: SBOM_FILES[sbom] });
    }
  }
  if (wanted.provenance !== undefined) predicates.push(provenanceOf(wanted.provenance, run, moment));
  return {
    predicates,
    stored: storePredicates(
      engine,
      predicates.map(({ predicate }) => predicate),
    ),
  };
}

function provenanceOf(wanted: ProvenanceRequest, run: PlatformBuild, moment: BuildMoment): NamedPredicate {
  const { mode, version, filename, isInlineOnly, isReproducible } = wanted;
  const facts = gatherFacts(
    {
      ...moment,
      request: run.request,
      lowered: run.lowered,
      stageId: (index) => run.stageId(index),
      inputs: run.inputs.list(),
      finishedOn: nowNanoseconds(),
    },
    wanted,
  );
  const predicate = provenance(facts, { mode, version, omitsRun: run.times.fixed || isReproducible });
  return { predicate, fileName: isInlineOnly ? undefined : filename };
}

/** Names of files for one platform of several in one directory: `provenance.linux_arm64.json`. */
export function namedForPlatform(said: readonly NamedPredicate[], platform: Platform): NamedPredicate[] {
  const suffix = formatPlatform(platform).replaceAll('/', '_');
  return said.map(({ predicate, fileName }) => ({
    predicate,
    fileName: fileName?.replace(/(?=\.[^.]*$)|$/, `.${suffix}`),
  }));
}
