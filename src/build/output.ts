/** `--output` as written: what leaves a build besides the image in the store. */
import { resolve } from 'node:path';
import { splitCsv } from '../dockerfile/csv.ts';
import { fragmentOf } from '../dockerfile/fragment.ts';
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import type { Compression, ImageFormat } from '../spec/media-type.ts';

/** The root filesystem as files. */
export type RootfsOutput =
  /** One directory for each platform below `dest` when `split`; undefined splits when there are several. */
  | { readonly type: 'local'; readonly dest: string; readonly split: boolean | undefined }
  /** `-` is standard output. */
  | { readonly type: 'tar'; readonly dest: string };

interface ImageForm {
  readonly names: readonly string[];
  readonly format?: ImageFormat;
  readonly compression?: Compression;
  readonly compressionLevel?: number;
  readonly forceCompression?: boolean;
}

export type ImageOutput =
  /** Names in the store with `isStored`; with `push`, sent to the registries they name. */
  | (ImageForm & {
      readonly type: 'image';
      readonly isStored: boolean;
      readonly push: boolean;
      readonly tlsVerify?: boolean;
    })
  /** An archive, or with `isTar` false a directory. `-` is standard output. */
  | (ImageForm & { readonly type: 'oci' | 'docker'; readonly dest: string; readonly isTar: boolean });

export type Output =
  | RootfsOutput
  | ImageOutput /** The build is run and nothing else. */
  | { readonly type: 'cacheonly' };

const IMAGE_KEYS = ['name', 'oci-mediatypes', 'compression', 'compression-level', 'force-compression'] as const;

const KEYS: Readonly<Record<string, readonly string[]>> = {
  local: ['dest', 'platform-split'],
  tar: ['dest'],
  image: [...IMAGE_KEYS, 'push', 'registry.insecure'],
  registry: [...IMAGE_KEYS, 'registry.insecure'],
  oci: [...IMAGE_KEYS, 'dest', 'tar'],
  docker: [...IMAGE_KEYS, 'dest', 'tar'],
  cacheonly: [],
};

/**
 * `DIR`, `-`, or `type=…` with keys: `local` and `tar` (the files), `image`, `registry`, `oci`, `docker` (the image),
 * `cacheonly`. @throws `usage.invalid`, `usage.unsupported`
 */
export function parseOutput(text: string, cwd: string): Output {
  if (text === '-') return { type: 'tar', dest: '-' };
  if (!text.includes('=')) return { type: 'local', dest: resolve(cwd, text), split: undefined };
  const fields = fieldsOf(text);
  const type = fields.text('type') ?? '';
  fields.allow(type);
  switch (type) {
    case 'local':
    case 'tar':
      return rootfsOutput(type, fields, cwd);
    case 'image':
      return { type, ...imageForm(fields), isStored: true, push: fields.bool('push') ?? false, ...insecure(fields) };
    case 'registry':
      return { type: 'image', ...imageForm(fields), isStored: false, push: true, ...insecure(fields) };
    case 'oci':
    case 'docker':
      return { type, ...imageForm(fields), dest: fields.dest(cwd), isTar: fields.bool('tar') ?? true };
    default:
      return { type: 'cacheonly' };
  }
}

function rootfsOutput(type: 'local' | 'tar', fields: Fields, cwd: string): RootfsOutput {
  const dest = fields.dest(cwd);
  if (type === 'tar') return { type, dest };
  if (dest === '-') {
    throw new BuilderError('usage.invalid', 'a directory cannot be written to standard output', {
      hint: 'use type=tar',
    });
  }
  return { type, dest, split: fields.bool('platform-split') };
}

function imageForm(fields: Fields): ImageForm {
  const isOci = fields.bool('oci-mediatypes');
  const compression = fields.text('compression');
  const level = fields.text('compression-level');
  const force = fields.bool('force-compression');
  return {
    names: (fields.text('name') ?? '').split(',').filter((name) => name !== ''),
    ...(isOci === undefined ? {} : { format: isOci ? 'oci' : 'docker' }),
    ...(compression === undefined ? {} : { compression: fields.compression(compression) }),
    ...(level === undefined ? {} : { compressionLevel: fields.int(level) }),
    ...(force === undefined ? {} : { forceCompression: force }),
  };
}

function insecure(fields: Fields): { tlsVerify?: boolean } {
  return fields.bool('registry.insecure') === true ? { tlsVerify: false } : {};
}

interface Fields {
  text(key: string): string | undefined;
  bool(key: string): boolean | undefined;
  int(value: string): number;
  compression(value: string): Compression;
  /** Absolute, or `-`. */
  dest(cwd: string): string;
  /** Refuses keys that the type does not have. */
  allow(type: string): void;
}

function fieldsOf(text: string): Fields {
  const invalid = (why: string, hint?: string) =>
    new BuilderError(
      'usage.invalid',
      `invalid output ${JSON.stringify(text)}: ${why}`,
      hint === undefined ? {} : { hint },
    );
  const map = new Map(
    splitCsv(fragmentOf({ name: '--output', text }, 0, text.length)).map(({ text: field }): [string, string] => {
      const at = field.indexOf('=');
      if (at === -1) throw invalid(`${JSON.stringify(field)} is not KEY=VALUE`);
      return [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1)];
    }),
  );
  return {
    text: (key) => map.get(key),
    bool(key) {
      const value = map.get(key);
      if (value === undefined) return undefined;
      if (/^(?:true|1|t)$/i.test(value)) return true;
      if (/^(?:false|0|f)$/i.test(value)) return false;
      throw invalid(`${key} is true or false, not ${JSON.stringify(value)}`);
    },
    int(value) {
      if (!/^\d{1,2}$/.test(value)) throw invalid(`${JSON.stringify(value)} is no compression level`);
      return Number(value);
    },
    compression(value) {
      if (value === 'gzip' || value === 'zstd') return value;
      if (value === 'uncompressed') return 'none';
      throw new BuilderError('usage.unsupported', `output compression ${JSON.stringify(value)} is not supported`, {
        hint: 'use gzip, zstd or uncompressed',
      });
    },
    dest(cwd) {
      const dest = map.get('dest') ?? '';
      if (dest === '') throw invalid('dest is missing');
      return dest === '-' ? dest : resolve(cwd, dest);
    },
    allow(type) {
      const known = KEYS[type];
      if (known === undefined) {
        throw new BuilderError('usage.unsupported', `output type ${JSON.stringify(type)} is not supported`, {
          hint: `use one of ${Object.keys(KEYS).join(', ')}`,
        });
      }
      for (const key of map.keys()) {
        if (key === 'type' || known.includes(key)) continue;
        const near = suggest(key, known);
        throw invalid(
          `type=${type} has no key ${JSON.stringify(key)}`,
          near === undefined ? undefined : `did you mean ${near}?`,
        );
      }
    },
  };
}
