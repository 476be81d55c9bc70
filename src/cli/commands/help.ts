/** `help [COMMAND]`. */
import type { CommandContext } from '../command.ts';
import { commandHelp, groupHelp, programHelp } from '../help.ts';
import { commandNames, findCommand, GROUPS } from '../program.ts';
import { UsageError } from '../usage-error.ts';

export async function help(c: CommandContext): Promise<number> {
  const [word] = c.args;
  if (word === undefined) {
    c.stdout.write(programHelp());
    return 0;
  }
  const found = findCommand(c.args);
  if (found === undefined && (!GROUPS.has(word) || c.args.length > 1)) {
    throw new UsageError(`unknown help topic "${c.args.join(' ')}"`, {
      near: { word, candidates: commandNames(), prefix: '' },
    });
  }
  c.stdout.write(found === undefined ? groupHelp(word) : commandHelp(found.command));
  return 0;
}
