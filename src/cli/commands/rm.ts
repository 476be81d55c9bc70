/** `rm`: removes working containers and prints their ids. */
import type { CommandContext } from '../command.ts';
import { eachOf } from '../each-of.ts';
import { UsageError } from '../usage-error.ts';

export async function rm(c: CommandContext): Promise<number> {
  const all = c.flags.on('all');
  if (all && c.args.length > 0) {
    throw new UsageError('when using the --all switch, you may not pass any containers names or IDs');
  }
  if (!all && c.args.length === 0) throw new UsageError('container ID must be specified');
  await using builder = await c.open();
  const names = all ? (await builder.containers()).map(({ id }) => id) : c.args;
  return eachOf(c, names, async (name) => {
    const { id } = await builder.rm(name);
    c.stdout.write(`${id}\n`);
  });
}
