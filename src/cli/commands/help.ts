/** `help [COMMAND]`. */
import type { CommandContext } from '../command.ts';
import { commandHelp, programHelp } from '../help.ts';
import { commandNames, findCommand } from '../program.ts';
import { UsageError } from '../usage-error.ts';

export async function help(c: CommandContext): Promise<number> {
  const [word] = c.args;
  const command = word === undefined ? undefined : findCommand(word);
  if (word !== undefined && command === undefined) {
    throw new UsageError(`unknown help topic "${word}"`, { near: { word, candidates: commandNames(), prefix: '' } });
  }
  c.stdout.write(command === undefined ? programHelp() : commandHelp(command));
  return 0;
}
