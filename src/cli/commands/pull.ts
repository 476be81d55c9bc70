/** `pull`: copies an image into the store and prints its id; of all tags, that of the first. */
import type { CommandContext } from '../command.ts';
import { progressMode, underReporter } from '../command-reporter.ts';
import { platformOption, pullPolicy, sourceOptions } from '../registry-options.ts';

export async function pull(c: CommandContext): Promise<number> {
  const { flags } = c;
  const policy = pullPolicy(c, 'policy') ?? 'missing';
  const quiet = flags.on('quiet');
  const options = {
    ...(await sourceOptions(c)),
    ...(await platformOption(c)),
    policy,
    ...(flags.on('all-tags') ? { allTags: true } : {}),
    ...(quiet ? { quiet } : {}),
    signal: c.signal,
  };
  return await underReporter(c, { mode: progressMode(c), quiet }, async (reporter) => {
    await using builder = await c.open(reporter.emit);
    const ids = await builder.pull(c.args[0]!, options);
    reporter.finish();
    for (const id of flags.on('all-tags') ? ids.slice(0, 1) : ids) c.stdout.write(`${id}\n`);
    return 0;
  });
}
