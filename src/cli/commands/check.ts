/** `check`: what is wrong with a Containerfile, without building it. Findings are the result, on stdout. */
import type { CheckOptions, CheckReport } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { checkText } from '../output/check-text.ts';
import type { ErrorTextOptions } from '../output/error-text.ts';
import { styleFor } from '../output/style.ts';
import { platformOption } from '../registry-options.ts';
import { storeOptions } from '../run-program.ts';
import { UsageError } from '../usage-error.ts';

/** Something was found. */
export const FOUND = 1;

const FORMATS = ['text', 'json', 'sarif'];

export async function check(c: CommandContext): Promise<number> {
  const format = c.flags.string('format') ?? 'text';
  if (!FORMATS.includes(format)) {
    throw new UsageError(`unknown format "${format}"`, { near: { word: format, candidates: FORMATS, prefix: '' } });
  }
  const library = await c.library();
  const rules = c.flags.strings('rules');
  const options: CheckOptions = {
    ...(await dockerfileOptions(c)),
    separately: true,
    ...(rules === undefined ? {} : { rules }),
  };
  const reports = await library.check({ ...storeOptions(c), ...options });
  if (format === 'text') c.stdout.write(checkText(reports, textOptions(c)));
  else {
    const { checkJson, checkSarif } = await import('../output/check-json.ts');
    const { VERSION, positionOf } = library;
    const value = format === 'json' ? checkJson(reports, positionOf) : checkSarif(reports, VERSION, positionOf);
    c.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }
  return hasFindings(reports) ? FOUND : 0;
}

export function hasFindings(reports: readonly CheckReport[]): boolean {
  return reports.some(({ findings, errors }) => findings.length + errors.length > 0);
}

export function textOptions(c: CommandContext): ErrorTextOptions {
  return { width: c.stdout.columns, style: styleFor(c.stdout, c.env, c.flags.string('color')), verbose: false };
}

/** What `build` and `check` have in common: the file, its context, its arguments. */
export async function dockerfileOptions(c: CommandContext): Promise<CheckOptions> {
  const { flags, args } = c;
  const [context] = args;
  const texts = { target: flags.string('target'), ignoreFile: flags.string('ignorefile') };
  const lists = {
    files: flags.strings('file'),
    buildArgs: flags.strings('build-arg'),
    buildArgFiles: flags.strings('build-arg-file'),
    buildContexts: flags.strings('build-context'),
  };
  const given = Object.entries({ context, ...texts, ...lists }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), ...(await platformOption(c)) };
}
