/** `push`: copies an image out of the store. Prints nothing on stdout. */
import { writeFile } from 'node:fs/promises';
import type { Builder, Emit, ImageFormat, PushOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { progressMode, underReporter } from '../command-reporter.ts';
import { compressionOptions } from '../image-options.ts';
import { blobCacheOption, encryptionOptions, registryOptions } from '../registry-options.ts';
import { signingOptions } from '../signing-options.ts';
import { UsageError } from '../usage-error.ts';

const FORMATS: Readonly<Record<string, ImageFormat>> = { oci: 'oci', v2s2: 'docker', docker: 'docker' };

export async function push(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const quiet = flags.on('quiet');
  const options = await pushOptions(c);
  return await underReporter(c, { mode: progressMode(c), quiet }, async (reporter) => {
    await using builder = await c.open(reporter.emit);
    const { digest } = await builder.push(args[0]!, args[1], options);
    const digestfile = flags.string('digestfile');
    if (digestfile !== undefined) await writeFile(digestfile, digest);
    if (flags.on('rm')) await removeList(builder, args[0]!, reporter.emit);
    return 0;
  });
}

/** `--rm` is about lists; Buildah passes over it for images without a word. */
async function removeList(builder: Builder, name: string, emit: Emit): Promise<void> {
  if ((await builder.image(name)).isIndex) await builder.rmi(name, { force: true });
  else emit({ type: 'warning', text: `${name} is an image, not a list: --rm leaves it where it is` });
}

/** `--format`. */
export function pushFormat(text: string | undefined): { format?: ImageFormat } {
  if (text === undefined) return {};
  const format = FORMATS[text];
  if (format !== undefined) return { format };
  if (text === 'v2s1') {
    throw new UsageError('the format v2s1 is not supported: registries no longer take it', {
      code: 'usage.unsupported',
    });
  }
  throw new UsageError(`unknown format "${text}": choose one of oci, v2s2`);
}

/** What `push` and `manifest push` hand on alike. */
export async function pushOptions(c: CommandContext): Promise<PushOptions> {
  const { flags } = c;
  return {
    ...(await registryOptions(c)),
    ...(await signingOptions(c)),
    ...pushFormat(flags.string('format')),
    ...compressionOptions(c),
    ...(c.command.name === 'push' ? { ...encryptionOptions(c), ...blobCacheOption(c) } : {}),
    ...(flags.on('all') ? { all: true } : {}),
    ...(flags.on('quiet') ? { quiet: true } : {}),
    signal: c.signal,
  };
}
