/** `from`: makes a working container and prints its name. */
import { writeFile } from 'node:fs/promises';
import type { CommandContext } from '../command.ts';
import { underReporter } from '../command-reporter.ts';
import { formatOption } from '../image-options.ts';
import { platformOption, pullPolicy, sourceOptions } from '../registry-options.ts';
import { runDefaults } from '../run-defaults.ts';

export async function from(c: CommandContext): Promise<number> {
  const { flags } = c;
  const policy = pullPolicy(c, 'pull');
  const name = flags.string('name');
  const suffix = flags.string('suffix');
  const options = {
    ...(await sourceOptions(c)),
    ...(await platformOption(c)),
    ...formatOption(c),
    ...(policy === undefined ? {} : { policy }),
    ...(name === undefined ? {} : { name }),
    ...(suffix === undefined ? {} : { suffix }),
    ...(flags.on('quiet') ? { quiet: true } : {}),
    run: runDefaults(c, 'from'),
    signal: c.signal,
  };
  return await underReporter(c, { mode: 'auto', quiet: flags.on('quiet') }, async (reporter) => {
    await using builder = await c.open(reporter.emit);
    const container = await builder.from(c.args[0]!, options);
    const cidfile = flags.string('cidfile');
    if (cidfile !== undefined) await writeFile(cidfile, container.id);
    reporter.finish();
    c.stdout.write(`${container.name}\n`);
    return 0;
  });
}
