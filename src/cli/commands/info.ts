/** `info`: facts about host and store, keys sorted as Go prints maps. */
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { compileTemplate } from '../output/go-template.ts';
import { fromJson } from '../output/go-value.ts';
import { releaseVersion } from '../release.ts';

export async function info(c: CommandContext): Promise<number> {
  const format = c.flags.string('format');
  const template = format === undefined ? undefined : compileTemplate('format', format);
  await using builder = await c.open();
  const { host, store, isolation } = await builder.info();
  const debug = {
    'node version': process.version,
    'slipway version': releaseVersion(),
    isolation,
  };
  const facts = sortKeys({ host, store, ...(c.flags.on('debug') ? { debug } : {}) });
  if (template === undefined) c.stdout.write(`${goJson(facts, c.stdout.isTty)}\n`);
  else c.stdout.write(`${template.render(fromJson(facts))}${c.stdout.isTty ? '\n' : ''}`);
  return 0;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
