/** `doctor`: what this host can do, check by check. Fails when no command could be run in a container. */
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { styleFor } from '../output/style.ts';

/** No isolation works here: builds that only copy succeed, RUN does not. */
const UNABLE = 1;

export async function doctor(c: CommandContext): Promise<number> {
  const { hostReport } = await c.library();
  const root = c.flags.string('root');
  const imageStore = c.flags.string('imagestore');
  const report = await hostReport({
    env: c.env,
    ...(root === undefined ? {} : { root }),
    ...(imageStore === undefined ? {} : { imageStore }),
  });
  const code = report.isolation === 'none' ? UNABLE : 0;
  if (c.flags.on('json')) {
    c.stdout.write(`${goJson(report, c.stdout.isTty)}\n`);
    return code;
  }
  const style = styleFor(c.stdout, c.env, c.flags.string('color'));
  const paint = { ok: style.good, note: style.path, missing: style.warning };
  const longest = Math.max(...report.checks.map(({ name }) => name.length));
  for (const { name, state, found, remedy } of report.checks) {
    c.stdout.write(`${paint[state](state.padEnd('missing'.length))}  ${name.padEnd(longest)}  ${found}\n`);
    if (state !== 'ok' && remedy !== undefined) c.stdout.write(`${' '.repeat(9)}${style.path('help:')} ${remedy}\n`);
  }
  c.stdout.write(`\nisolation: ${report.isolation} (${report.why})\nstorage driver: ${report.driver}\n`);
  return code;
}
