/** What `build` and `commit` share: options of the written image, and the files that name it. */
import { writeFile } from 'node:fs/promises';
import type { CommitOptions, Descriptor, ImageFormat, LayerCompression } from '../index.ts';
import type { CommandContext } from './command.ts';
import { goJson } from './output/go-json.ts';
import { UsageError } from './usage-error.ts';

const FORMATS: Readonly<Record<string, ImageFormat>> = { oci: 'oci', docker: 'docker', v2s2: 'docker' };

/** `--format` or $BUILDAH_FORMAT. */
export function formatOption(c: CommandContext): { format?: ImageFormat } {
  const text = c.flags.string('format');
  if (text === undefined) return {};
  const format = FORMATS[text];
  if (format === undefined) {
    throw new UsageError(`unrecognized image type "${text}"`, {
      near: { word: text, candidates: Object.keys(FORMATS), prefix: '' },
    });
  }
  return { format };
}

type Shared = Pick<
  CommitOptions,
  | 'annotations'
  | 'unsetEnv'
  | 'squash'
  | 'timestamp'
  | 'sourceDateEpoch'
  | 'rewriteTimestamp'
  | 'identityLabel'
  | 'createdAnnotation'
  | 'omitHistory'
>;

/** Options of the image that both commands hand on alike. */
export function imageOptions({ flags }: CommandContext): Shared {
  const annotations = flags.strings('annotation');
  const unsetEnv = flags.strings('unsetenv');
  const timestamp = flags.int('timestamp');
  const sourceDateEpoch = flags.int('source-date-epoch');
  const identityLabel = flags.bool('identity-label');
  const createdAnnotation = flags.bool('created-annotation');
  if (timestamp !== undefined && flags.given('source-date-epoch')) {
    throw new UsageError('--timestamp and --source-date-epoch cannot be used together');
  }
  return {
    ...(annotations === undefined ? {} : { annotations }),
    ...(unsetEnv === undefined ? {} : { unsetEnv }),
    ...(flags.on('squash') ? { squash: true } : {}),
    ...(timestamp === undefined ? {} : { timestamp }),
    // A timestamp on the command line beats the epoch of the environment.
    ...(sourceDateEpoch === undefined || timestamp !== undefined ? {} : { sourceDateEpoch }),
    ...(flags.on('rewrite-timestamp') ? { rewriteTimestamp: true } : {}),
    ...(identityLabel === undefined ? {} : { identityLabel }),
    ...(createdAnnotation === undefined ? {} : { createdAnnotation }),
    ...(flags.on('omit-history') ? { omitHistory: true } : {}),
  };
}

/** `--compression-format`, which alone means to compress again, and the flags around it. */
export function compressionOptions({ flags }: CommandContext): {
  compression?: LayerCompression;
  compressionLevel?: number;
  forceCompression?: boolean;
} {
  const format = flags.string('compression-format');
  const level = flags.int('compression-level');
  if (format !== undefined && !isLayerCompression(format)) {
    throw new UsageError(`unknown compression format "${format}": gzip, zstd and zstd:chunked can be had`);
  }
  const disabled = flags.bool('disable-compression');
  if (disabled === true && format !== undefined) {
    throw new UsageError('--disable-compression and --compression-format cannot be used together');
  }
  const force = flags.bool('force-compression');
  if (disabled === true && force === true) {
    throw new UsageError('--disable-compression and --force-compression cannot be used together');
  }
  return {
    ...(format !== undefined ? { compression: format } : {}),
    ...(disabled === true ? { compression: 'none' } : {}),
    ...(disabled === false && format === undefined ? { compression: 'gzip' } : {}),
    ...(level === undefined ? {} : { compressionLevel: level }),
    ...((force ?? format !== undefined) ? { forceCompression: true } : {}),
  };
}

function isLayerCompression(text: string): text is LayerCompression {
  return text === 'gzip' || text === 'zstd' || text === 'zstd:chunked';
}

/** True when a file takes the id, which is then not printed. */
export function writesIdFile({ flags }: CommandContext): boolean {
  return flags.given('iidfile') || flags.given('iidfile-raw');
}

/** Writes the files of `--iidfile`, `--iidfile-raw` and `--metadata-file`. None ends with a line feed. */
export async function writeResultFiles(
  { flags }: CommandContext,
  result: { readonly id: string; readonly manifest: Descriptor | undefined; readonly names?: readonly string[] },
): Promise<void> {
  const iidfile = flags.string('iidfile');
  const raw = flags.string('iidfile-raw');
  const metadata = flags.string('metadata-file');
  if (iidfile !== undefined) await writeFile(iidfile, `sha256:${result.id}`);
  if (raw !== undefined) await writeFile(raw, result.id);
  if (metadata === undefined) return;
  const { names = [] } = result;
  const json = {
    'containerimage.config.digest': `sha256:${result.id}`,
    ...(result.manifest === undefined
      ? {}
      : { 'containerimage.descriptor': result.manifest, 'containerimage.digest': result.manifest.digest }),
    ...(names.length === 0 ? {} : { 'image.name': names.join(',') }),
  };
  await writeFile(metadata, goJson(json, true));
}
