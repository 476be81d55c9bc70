/** `rebase`: puts an image onto another base and prints the id of the result. */
import type { RebaseOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { progressMode, underReporter } from '../command-reporter.ts';
import { formatOption } from '../image-options.ts';
import { registryOptions } from '../registry-options.ts';
import { UsageError } from '../usage-error.ts';

export async function rebase(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const onto = flags.string('onto');
  if (onto === undefined) throw new UsageError('the new base must be named: --onto IMAGE');
  const timestamp = flags.int('timestamp');
  const sourceDateEpoch = flags.int('source-date-epoch');
  const oldBase = flags.string('old-base');
  const options: RebaseOptions = {
    ...(await registryOptions(c)),
    ...formatOption(c),
    onto,
    names: flags.strings('tag') ?? [],
    ...(oldBase === undefined ? {} : { oldBase }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(sourceDateEpoch === undefined || timestamp !== undefined ? {} : { sourceDateEpoch }),
  };
  const quiet = flags.on('quiet');
  return await underReporter(c, { mode: progressMode(c), quiet }, async (reporter) => {
    await using builder = await c.open(reporter.emit);
    const { id } = await builder.rebase(args[0]!, options);
    reporter.finish();
    c.stdout.write(`${id}\n`);
    return 0;
  });
}
