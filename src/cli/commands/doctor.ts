/** `doctor`: what this host can do, check by check. Fails when something that a build needs is missing. */
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { styleFor } from '../output/style.ts';

export async function doctor(c: CommandContext): Promise<number> {
  const { hostReport } = await c.library();
  const report = await hostReport();
  if (c.flags.on('json')) {
    c.stdout.write(`${goJson(report, c.stdout.isTty)}\n`);
    return 0;
  }
  const style = styleFor(c.stdout, c.env, c.flags.string('color'));
  const longest = Math.max(...report.checks.map(({ name }) => name.length));
  for (const { name, ok, detail, remedy } of report.checks) {
    const verdict = ok ? style.good('ok     ') : style.warning('missing');
    c.stdout.write(`${verdict} ${name.padEnd(longest)}  ${detail}\n`);
    if (!ok && remedy !== undefined) c.stdout.write(`${' '.repeat(longest + 10)}${style.path('help:')} ${remedy}\n`);
  }
  c.stdout.write(`\nisolation: ${report.isolation}\nstorage driver: ${report.driver}\n`);
  return 0;
}
