/**
 * `--attest`, `--sbom`, `--provenance` and the `--sbom-…` files: what is to be said about a build and where it goes.
 * BuildKit and Buildah both have `--sbom`; the values of each keep the meaning they have there.
 */
import {
  PRESET_NAMES,
  parseSbomFiles,
  presetFormat,
  type SbomFiles,
  type SbomFormat,
} from '../container/sbom-files.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { BuilderError } from '../report/builder-error.ts';

export interface ProvenanceRequest {
  readonly mode: 'min' | 'max';
  readonly version: 'v1' | 'v0.2';
  readonly builderId: string;
  /** In exported directories and archives. */
  readonly filename: string;
  readonly isReproducible: boolean;
  /** Kept out of exported directories and archives. */
  readonly isInlineOnly: boolean;
}

export interface AttestRequest {
  /** An attestation of the image. */
  readonly sbom: SbomFormat | undefined;
  readonly provenance: ProvenanceRequest | undefined;
  readonly files: SbomFiles | undefined;
}

type Fields = ReadonlyMap<string, string>;

/** @throws `usage.invalid`, `usage.unsupported` */
export function parseAttestations(o: BuildOptions, cwd: string): AttestRequest {
  const preset = presetFormat(o.sbom);
  const wanted = new Map<string, Fields>();
  const add = (type: string, fields: Fields, flag: string): void => {
    if (wanted.has(type)) throw invalid(flag, `attestations of type ${type} are asked for twice`);
    wanted.set(type, fields);
  };
  for (const text of o.attest ?? []) {
    const fields = parseFields(text, '--attest');
    const type = fields.get('type');
    if (type !== 'sbom' && type !== 'provenance')
      throw invalid('--attest', `type is ${JSON.stringify(type ?? '')}, and must be sbom or provenance`);
    add(type, fields, '--attest');
  }
  if (o.sbom !== undefined && preset === undefined) add('sbom', shorthand(o.sbom, '--sbom'), '--sbom');
  if (o.provenance !== undefined) add('provenance', shorthand(o.provenance, '--provenance'), '--provenance');
  const sbom = sbomFormat(wanted.get('sbom'));
  return { sbom, provenance: provenanceRequest(wanted.get('provenance')), files: parseSbomFiles(o, cwd, sbom) };
}

function invalid(flag: string, why: string): BuilderError {
  return new BuilderError('usage.invalid', `invalid ${flag}: ${why}`);
}

/** `true`, `false`, or fields; `spdx` and `cyclonedx` are formats. */
function shorthand(text: string, flag: string): Fields {
  if (text === '' || text === 'true' || text === '1') return new Map();
  if (text === 'false' || text === '0') return new Map([['disabled', 'true']]);
  if (flag === '--sbom' && (text === 'spdx' || text === 'cyclonedx')) return new Map([['format', text]]);
  if (flag === '--sbom' && !text.includes('=')) {
    throw invalid(
      flag,
      `${JSON.stringify(text)} is neither true, false, spdx, cyclonedx nor one of ${PRESET_NAMES.join(', ')}`,
    );
  }
  return parseFields(text, flag);
}

function parseFields(text: string, flag: string): Map<string, string> {
  return new Map(
    text.split(',').map((field): [string, string] => {
      const at = field.indexOf('=');
      if (at === -1) throw invalid(flag, `${JSON.stringify(field)} is not KEY=VALUE`);
      return [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim()];
    }),
  );
}

function isDisabled(fields: Fields | undefined): boolean {
  return fields === undefined || (fields.get('disabled') ?? 'false') !== 'false';
}

function checkKeys(fields: Fields, known: readonly string[], type: string): void {
  for (const key of fields.keys()) {
    if (!['type', 'disabled', ...known].includes(key))
      throw invalid('--attest', `attestations of type ${type} have no option ${JSON.stringify(key)}`);
  }
}

function sbomFormat(fields: Fields | undefined): SbomFormat | undefined {
  if (fields === undefined || isDisabled(fields)) return undefined;
  if (fields.has('generator')) {
    throw new BuilderError(
      'usage.unsupported',
      `the SBOM generator ${JSON.stringify(fields.get('generator'))} cannot be used: packages are read from the image itself, no scanner image is run`,
      { hint: 'leave generator out' },
    );
  }
  checkKeys(fields, ['format'], 'sbom');
  const format = fields.get('format') ?? 'spdx';
  if (format === 'spdx' || format === 'cyclonedx') return format;
  throw invalid('--attest', `the SBOM format is ${JSON.stringify(format)}, and must be spdx or cyclonedx`);
}

function provenanceRequest(fields: Fields | undefined): ProvenanceRequest | undefined {
  if (fields === undefined || isDisabled(fields)) return undefined;
  checkKeys(fields, ['mode', 'version', 'builder-id', 'filename', 'reproducible', 'inline-only'], 'provenance');
  const mode = fields.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max')
    throw invalid('--provenance', `mode is ${JSON.stringify(mode)}, and must be min or max`);
  const version = fields.get('version') ?? 'v1';
  if (version !== 'v1' && version !== 'v0.2')
    throw invalid('--provenance', `version is ${JSON.stringify(version)}, and must be v1 or v0.2`);
  const filename = fields.get('filename') ?? 'provenance.json';
  if (filename === '' || filename === '.' || filename === '..' || /[/\0]/.test(filename))
    throw invalid('--provenance', `${JSON.stringify(filename)} is not a file name`);
  return {
    mode,
    version,
    builderId: fields.get('builder-id') ?? '',
    filename,
    isReproducible: switchOf(fields, 'reproducible'),
    isInlineOnly: switchOf(fields, 'inline-only'),
  };
}

function switchOf(fields: Fields, key: string): boolean {
  const text = fields.get(key) ?? 'false';
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw invalid('--provenance', `${key} is ${JSON.stringify(text)}, and must be true or false`);
}
