/** Commands that take several names: all are tried, each failure is told, and one failure is enough to fail. */
import type { CommandContext } from './command.ts';
import { errorCode } from './exit-code.ts';
import { errorText, isCoded } from './output/error-text.ts';
import { styleFor } from './output/style.ts';
import { logLevelOf } from './run-program.ts';

/** Gives the exit code. Bugs and aborts are not failures of one name: they are thrown on. */
export async function eachOf(
  c: CommandContext,
  names: readonly string[],
  act: (name: string) => Promise<void>,
): Promise<number> {
  let code = 0;
  for (const name of names) {
    try {
      await act(name);
    } catch (error) {
      if (!isCoded(error) || c.signal.aborted) throw error;
      const style = styleFor(c.stderr, c.env, c.flags.string('color'));
      const verbose = ['debug', 'trace'].includes(logLevelOf(c.flags));
      c.stderr.write(errorText(error, { width: c.stderr.columns, style, verbose }));
      code = errorCode(error);
    }
  }
  return code;
}
