/** `rmi` and `prune`: remove images, printing the names that went first and then the ids. */
import type { Builder, RemovedImage } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { FAILURE } from '../exit-code.ts';
import { isCoded } from '../output/error-text.ts';
import { UsageError } from '../usage-error.ts';

export async function rmi(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const [all, prunes, force] = [flags.on('all'), flags.on('prune'), flags.on('force')];
  if (args.length === 0 && !all && !prunes) throw new UsageError('image name or ID must be specified');
  if (args.length > 0 && all) {
    throw new UsageError('when using the --all switch, you may not pass any images names or IDs');
  }
  if (all && prunes) throw new UsageError('when using the --all switch, you may not use --prune switch');
  if (args.length > 0 && prunes) {
    throw new UsageError('when using the --prune switch, you may not pass any images names or IDs');
  }
  await using builder = await c.open();
  if (prunes) {
    printRemoved(c, [await builder.prune({ force })]);
    return 0;
  }
  const names = all ? await everyName(builder) : args;
  const removed: RemovedImage[] = [];
  const errors: string[] = [];
  for (const name of names) {
    try {
      removed.push(await builder.rmi(name, { force }));
    } catch (error) {
      if (!isCoded(error) || c.signal.aborted) throw error;
      // With --all an earlier removal may have taken this one along.
      if (!all || error.code !== 'image.not-known') errors.push(error.message);
    }
  }
  printRemoved(c, removed);
  if (errors.length === 0) return 0;
  c.stderr.write(errorList(errors));
  return FAILURE;
}

export async function prune(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  printRemoved(c, [await builder.prune({ all: c.flags.on('all'), force: c.flags.on('force') })]);
  return 0;
}

/** Names one by one, so that an image with several needs no force; newest first, so that children go before parents. */
async function everyName(builder: Builder): Promise<readonly string[]> {
  const images = [...(await builder.images())].sort((a, b) => (a.created < b.created ? 1 : -1));
  return images.flatMap((image) => (image.names.length > 0 ? image.names : [image.id]));
}

/** Names that went, then ids. */
export function printRemoved(c: CommandContext, removed: readonly RemovedImage[]): void {
  for (const name of removed.flatMap((r) => r.untagged)) c.stdout.write(`untagged: ${name}\n`);
  for (const id of removed.flatMap((r) => r.removed)) c.stdout.write(`${id}\n`);
}

function errorList(errors: readonly string[]): string {
  const head = errors.length === 1 ? '1 error occurred:' : `${errors.length} errors occurred:`;
  return `Error: ${head}\n${errors.map((message) => `\t* ${message}\n`).join('')}\n\n`;
}
