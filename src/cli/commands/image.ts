/** `image copy`, `image inspect`, `image delete`, `image list-tags`. The store is not opened. */
import { writeFile } from 'node:fs/promises';
import type { CopyBetweenOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { progressMode, underReporter } from '../command-reporter.ts';
import { compressionOptions } from '../image-options.ts';
import { goJson } from '../output/go-json.ts';
import { compileTemplate } from '../output/go-template.ts';
import { fromJson } from '../output/go-value.ts';
import { placeOptions } from '../place-options.ts';
import {
  decryptionOptions,
  encryptionOptions,
  platformList,
  platformOption,
  sideOptions,
} from '../registry-options.ts';
import { signingOptions } from '../signing-options.ts';
import { UsageError } from '../usage-error.ts';
import { pushFormat } from './push.ts';

export async function copy(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const quiet = flags.on('quiet');
  const options = await copyOptions(c);
  return await underReporter(c, { mode: progressMode(c), quiet }, async (reporter) => {
    const { copyImage } = await c.library();
    const { digest } = await copyImage(args[0]!, args[1]!, { ...options, emit: reporter.emit });
    const digestfile = flags.string('digestfile');
    if (digestfile !== undefined) await writeFile(digestfile, digest);
    reporter.finish();
    c.stdout.write(`${digest}\n`);
    return 0;
  });
}

async function copyOptions(c: CommandContext): Promise<CopyBetweenOptions> {
  const { flags } = c;
  const platforms = await platformList(c);
  const tags = flags.strings('additional-tag');
  const signIdentity = flags.string('sign-identity');
  if (flags.on('all') && platforms.length > 0) {
    throw new UsageError('--all copies every platform: it cannot be used with --platform, --os, --arch or --variant');
  }
  return {
    ...(await placeOptions(c)),
    ...(await signingOptions(c)),
    ...(signIdentity === undefined ? {} : { signIdentity }),
    ...(flags.on('remove-signatures') ? { removeSignatures: true } : {}),
    source: await sideOptions(c, 'src'),
    destination: await sideOptions(c, 'dest'),
    ...pushFormat(flags.string('format')),
    ...compressionOptions(c),
    ...encryptionOptions(c),
    ...decryptionOptions(c),
    ...(flags.on('preserve-digests') ? { preserveDigests: true } : {}),
    ...(flags.on('all') ? { platforms: 'all' } : platforms.length > 0 ? { platforms } : {}),
    ...(tags === undefined ? {} : { additionalTags: tags }),
  };
}

export async function inspect(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const format = flags.string('format');
  const [raw, config] = [flags.on('raw'), flags.on('config')];
  if (format !== undefined && (raw || config)) throw new UsageError('--format goes with neither --raw nor --config');
  const template = format === undefined ? undefined : compileTemplate('format', format);
  const options = { ...(await placeOptions(c)), ...(await platformOption(c)), withTags: !flags.on('no-tags') };
  const { inspectImage, readImageDocument } = await c.library();
  if (raw || config) {
    const bytes = await readImageDocument(args[0]!, config ? 'config' : 'manifest', options);
    // Raw bytes have the digest that names them: not even a line feed is added.
    if (raw) c.stdout.write(bytes);
    else c.stdout.write(`${goJson(JSON.parse(Buffer.from(bytes).toString('utf8')), c.stdout.isTty)}\n`);
    return 0;
  }
  const { Name: name, ...rest } = await inspectImage(args[0]!, options);
  if (template !== undefined) {
    c.stdout.write(`${template.render(fromJson({ Name: name, ...rest }))}${c.stdout.isTty ? '\n' : ''}`);
  } else c.stdout.write(`${goJson(name === '' ? rest : { Name: name, ...rest }, c.stdout.isTty)}\n`);
  return 0;
}

export async function deleteOne(c: CommandContext): Promise<number> {
  const { deleteImage } = await c.library();
  c.stdout.write(`${await deleteImage(c.args[0]!, await placeOptions(c))}\n`);
  return 0;
}

export async function listTags(c: CommandContext): Promise<number> {
  const { listImageTags } = await c.library();
  c.stdout.write(`${goJson(await listImageTags(c.args[0]!, await placeOptions(c)), c.stdout.isTty)}\n`);
  return 0;
}
