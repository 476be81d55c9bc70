/** `rename`: gives a working container another name. Prints nothing. */
import type { CommandContext } from '../command.ts';

export async function rename(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  await builder.rename(c.args[0]!, c.args[1]!);
  return 0;
}
