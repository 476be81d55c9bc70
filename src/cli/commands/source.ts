/** `source …`: images of source code. They print nothing. */
import { writeFile } from 'node:fs/promises';
import type { CommandContext } from '../command.ts';
import { underReporter } from '../command-reporter.ts';
import { placeOptions } from '../place-options.ts';

export async function create(c: CommandContext): Promise<number> {
  const author = c.flags.string('author');
  const timeStamp = c.flags.bool('time-stamp');
  const { createSourceImage } = await c.library();
  await createSourceImage(c.args[0]!, {
    ...(author === undefined ? {} : { author }),
    ...(timeStamp === undefined ? {} : { timeStamp }),
  });
  return 0;
}

export async function add(c: CommandContext): Promise<number> {
  const annotations = c.flags.strings('annotation');
  const { addSource } = await c.library();
  const options = { signal: c.signal, ...(annotations === undefined ? {} : { annotations }) };
  await addSource(c.args[0]!, c.args[1]!, options);
  return 0;
}

export async function pull(c: CommandContext): Promise<number> {
  const options = await placeOptions(c);
  return await underReporter(c, { mode: 'auto', quiet: c.flags.on('quiet') }, async (reporter) => {
    const { pullSourceImage } = await c.library();
    await pullSourceImage(c.args[0]!, c.args[1]!, { ...options, emit: reporter.emit });
    return 0;
  });
}

export async function push(c: CommandContext): Promise<number> {
  const options = await placeOptions(c);
  return await underReporter(c, { mode: 'auto', quiet: c.flags.on('quiet') }, async (reporter) => {
    const { pushSourceImage } = await c.library();
    const { digest } = await pushSourceImage(c.args[0]!, c.args[1]!, { ...options, emit: reporter.emit });
    const digestfile = c.flags.string('digestfile');
    if (digestfile !== undefined) await writeFile(digestfile, digest);
    return 0;
  });
}
