/** `tag`: gives an image further names. Prints nothing. */
import type { CommandContext } from '../command.ts';

export async function tag(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  await builder.tag(c.args[0]!, c.args.slice(1));
  return 0;
}
