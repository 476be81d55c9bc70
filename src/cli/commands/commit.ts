/** `commit`: writes an image from a working container and prints its id. */
import { stat } from 'node:fs/promises';
import type { CommitOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { underReporter } from '../command-reporter.ts';
import { compressionOptions, formatOption, imageOptions, writeResultFiles, writesIdFile } from '../image-options.ts';
import { blobCacheOption, encryptionOptions, registryOptions } from '../registry-options.ts';
import { signingOptions } from '../signing-options.ts';

export async function commit(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const quiet = flags.on('quiet');
  const options = await commitOptions(c);
  return await underReporter(c, { mode: 'auto', quiet }, async (reporter) => {
    await using builder = await c.open(reporter.emit);
    const result = await builder.commit(args[0]!, args[1], options);
    await writeResultFiles(c, result);
    reporter.finish();
    if (result.stored && !writesIdFile(c)) c.stdout.write(`${result.id}\n`);
    return 0;
  });
}

async function commitOptions(c: CommandContext): Promise<CommitOptions> {
  const { flags } = c;
  const unsetAnnotations = flags.strings('unsetannotation');
  const reference = flags.string('reference-time');
  const sbom = flags.string('sbom');
  const sbomOutput = flags.string('sbom-output');
  const sbomPurlOutput = flags.string('sbom-purl-output');
  const sbomImageOutput = flags.string('sbom-image-output');
  const sbomImagePurlOutput = flags.string('sbom-image-purl-output');
  const changes = flags.strings('change');
  const configFile = flags.string('config');
  const addFiles = flags.strings('add-file');
  const manifest = flags.string('manifest');
  return {
    ...(await registryOptions(c, false)),
    ...blobCacheOption(c),
    ...(await signingOptions(c)),
    ...formatOption(c),
    ...imageOptions(c),
    ...compressionOptions(c),
    ...encryptionOptions(c),
    ...(unsetAnnotations === undefined ? {} : { unsetAnnotations }),
    ...(flags.on('omit-timestamp') ? { timestamp: 0 } : {}),
    ...(reference === undefined ? {} : { timestamp: Math.floor((await stat(reference)).mtimeMs / 1000) }),
    ...(changes === undefined ? {} : { changes }),
    ...(configFile === undefined ? {} : { configFile }),
    ...(addFiles === undefined ? {} : { addFiles }),
    ...(manifest === undefined ? {} : { manifest }),
    ...(sbom === undefined ? {} : { sbom }),
    ...(sbomOutput === undefined ? {} : { sbomOutput }),
    ...(sbomPurlOutput === undefined ? {} : { sbomPurlOutput }),
    ...(sbomImageOutput === undefined ? {} : { sbomImageOutput }),
    ...(sbomImagePurlOutput === undefined ? {} : { sbomImagePurlOutput }),
    ...(flags.on('rm') ? { rm: true } : {}),
    ...(flags.on('quiet') ? { quiet: true } : {}),
    signal: c.signal,
  };
}
