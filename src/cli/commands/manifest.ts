/** `manifest …`: lists of images. */
import { writeFile } from 'node:fs/promises';
import type { ArtifactOptions, Compression, ListEntryOptions, PushOptions, RegistryOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { progressMode, underReporter } from '../command-reporter.ts';
import { FAILURE } from '../exit-code.ts';
import { isCoded } from '../output/error-text.ts';
import { goJson } from '../output/go-json.ts';
import { registryOptions } from '../registry-options.ts';
import { UsageError } from '../usage-error.ts';
import { pushOptions } from './push.ts';
import { printRemoved } from './rmi.ts';

export async function create(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const [name, ...images] = args;
  const annotations = flags.strings('annotation');
  await using builder = await c.open();
  const id = await builder.createList(name!, images, {
    ...(await access(c)),
    ...(await chosen(c)),
    ...(flags.on('all') ? { all: true } : {}),
    ...(flags.on('amend') ? { amend: true } : {}),
    ...(flags.on('replace') ? { replace: true } : {}),
    ...(annotations === undefined ? {} : { annotations }),
  });
  c.stdout.write(`${id}\n`);
  return 0;
}

export async function add(c: CommandContext): Promise<number> {
  const [list, ...images] = c.args;
  if (c.flags.on('artifact')) return addArtifact(c);
  const stray = [...ARTIFACT_TEXTS.map(([, flag]) => flag), 'artifact-exclude-titles', 'artifact-annotation'].find(
    (flag) => c.flags.given(flag),
  );
  if (stray !== undefined) throw new UsageError(`--${stray} requires --artifact`);
  const options = {
    ...(await access(c)),
    ...(await chosen(c)),
    ...entryOptions(c),
    ...(c.flags.on('all') ? { all: true } : {}),
  };
  await using builder = await c.open();
  for (const image of images) {
    const { id, digest } = await builder.addToList(list!, image, options);
    c.stdout.write(`${id}: ${digest}\n`);
  }
  return 0;
}

const ARTIFACT_TEXTS = [
  ['artifactType', 'artifact-type'],
  ['configFile', 'artifact-config'],
  ['configType', 'artifact-config-type'],
  ['layerType', 'artifact-layer-type'],
  ['subject', 'artifact-subject'],
] as const;

async function addArtifact(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const [list, ...files] = args;
  const texts = ARTIFACT_TEXTS.map(([key, flag]) => [key, flags.string(flag)] as const);
  const annotations = flags.strings('artifact-annotation');
  const options: ArtifactOptions & ListEntryOptions = {
    ...(await access(c)),
    ...entryOptions(c),
    ...Object.fromEntries(texts.filter(([, value]) => value !== undefined)),
    ...(flags.on('artifact-exclude-titles') ? { excludeTitles: true } : {}),
    ...(annotations === undefined ? {} : { manifestAnnotations: annotations }),
  };
  await using builder = await c.open();
  const { id, digest } = await builder.addArtifactToList(list!, files, options);
  c.stdout.write(`${id}: ${digest}\n`);
  return 0;
}

export async function annotate(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const [list, entry] = args;
  const subject = flags.string('subject');
  const isIndex = flags.on('index') || subject !== undefined;
  if (isIndex && entry !== undefined)
    throw new UsageError('--index and --subject are about the list, not an image of it');
  if (!isIndex && entry === undefined)
    throw new UsageError('say which image of the list, or --index for the list itself');
  const annotations = flags.strings('annotation');
  await using builder = await c.open();
  if (entry !== undefined) {
    const { id, digest } = await builder.annotateEntry(list!, entry, entryOptions(c));
    c.stdout.write(`${id}: ${digest}\n`);
    return 0;
  }
  const { id } = await builder.annotateList(list!, {
    ...(annotations === undefined ? {} : { annotations }),
    ...(subject === undefined ? {} : { subject }),
  });
  c.stdout.write(`${id}\n`);
  return 0;
}

export async function remove(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  const { id, digest } = await builder.removeFromList(c.args[0]!, c.args[1]!);
  c.stdout.write(`${id}: ${digest}\n`);
  return 0;
}

export async function inspect(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  c.stdout.write(`${goJson(await builder.readList(c.args[0]!, await access(c)), true)}\n`);
  return 0;
}

export async function exists(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  try {
    if ((await builder.image(c.args[0]!)).isIndex) return 0;
  } catch (error) {
    if (isCoded(error) && error.code === 'image.not-known') return 1;
    throw error;
  }
  throw new UsageError(`${c.args[0]} is an image, not a list of images`);
}

export async function push(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const [list, destination] = args;
  const quiet = flags.on('quiet');
  const options = { ...(await pushOptions(c)), ...(await access(c)), ...whatToPush(c) };
  return await underReporter(c, { mode: progressMode(c), quiet }, async (reporter) => {
    await using builder = await c.open(reporter.emit);
    if (!(await builder.image(list!)).isIndex) throw new UsageError(`${list} is an image, not a list of images`);
    const { digest } = await builder.push(list!, destination, options);
    const digestfile = flags.string('digestfile');
    if (digestfile !== undefined) await writeFile(digestfile, digest);
    if (flags.on('rm')) await builder.rmi(list!, { force: true });
    return 0;
  });
}

function whatToPush({ flags }: CommandContext): Pick<PushOptions, 'all' | 'indexOnly' | 'addCompression'> {
  const addCompression = flags.strings('add-compression') as readonly Compression[] | undefined;
  if (flags.bool('all') !== false) return { all: true, ...(addCompression === undefined ? {} : { addCompression }) };
  if (addCompression !== undefined) {
    throw new UsageError('--add-compression is about the images of the list, which --all=false leaves where they are');
  }
  return { indexOnly: true };
}

export async function rm(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  let isFailed = false;
  for (const name of c.args) {
    try {
      if (!(await builder.image(name)).isIndex) throw new UsageError(`${name} is an image, not a list of images`);
      printRemoved(c, [await builder.rmi(name, { force: true })]);
    } catch (error) {
      if (!(error instanceof Error) || c.signal.aborted) throw error;
      isFailed = true;
      c.stderr.write(`Error: ${error.message}\n`);
    }
  }
  return isFailed ? FAILURE : 0;
}

async function access(c: CommandContext): Promise<RegistryOptions> {
  const options = await registryOptions(c, false);
  return c.flags.on('insecure') ? { ...options, tlsVerify: false } : options;
}

/** Which image of a list is meant. */
async function chosen({ flags, library }: CommandContext): Promise<Pick<ListEntryOptions, 'platform'>> {
  const [os, arch] = [flags.string('os'), flags.string('arch')];
  if (os === undefined && arch === undefined) return {};
  const { hostPlatform, parsePlatform } = await library();
  const text = `${os ?? 'linux'}/${arch ?? hostPlatform().architecture}`;
  const platform = parsePlatform(text);
  if (platform === undefined) throw new UsageError(`invalid platform syntax for "${text}"`);
  return { platform };
}

function entryOptions({ flags }: CommandContext): ListEntryOptions {
  const texts = { os: 'os', architecture: 'arch', variant: 'variant', osVersion: 'os-version' } as const;
  const lists = { osFeatures: 'os-features', features: 'features', annotations: 'annotation' } as const;
  const entries = [
    ...Object.entries(texts).map(([key, flag]) => [key, flags.string(flag)] as const),
    ...Object.entries(lists).map(([key, flag]) => [key, flags.strings(flag)] as const),
  ].filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(entries) };
}
