/** `build --call` and `build --check`: questions about the Containerfile, answered as buildx answers them. */
import type { CommandContext } from '../command.ts';
import * as call from '../output/call-output.ts';
import { checkText } from '../output/check-text.ts';
import { goJson } from '../output/go-json.ts';
import { storeOptions } from '../run-program.ts';
import { UsageError } from '../usage-error.ts';
import { dockerfileOptions, FOUND, hasFindings, textOptions } from './check.ts';

export interface Call {
  readonly name: 'lint' | 'outline' | 'targets';
  readonly format: 'text' | 'json';
  readonly ignoreStatus: boolean;
}

const NAMES = ['build', 'check', 'lint', 'outline', 'targets'];

/** What `--call` and `--check` ask for; undefined for a build. @throws UsageError */
export function callOf(c: CommandContext): Call | undefined {
  const text = c.flags.on('check') ? 'check' : c.flags.string('call');
  if (text === undefined || text === '') return undefined;
  let name: string | undefined;
  let format: Call['format'] = 'text';
  let ignoreStatus = false;
  for (const field of text.split(',')) {
    const [key, value] = field.split('=', 2);
    if (value === undefined && name === undefined) name = key;
    else if (key === 'format' && (value === 'json' || value === 'text')) format = value;
    else if (key === 'ignorestatus' && /^(1|t|true|0|f|false)$/i.test(value ?? ''))
      ignoreStatus = /^[1t]/i.test(value!);
    else throw new UsageError(`invalid field "${field}" in --call: format=json and ignorestatus=true are known`);
  }
  if (name === 'build') return undefined;
  if (name === 'check' || name === 'lint') return { name: 'lint', format, ignoreStatus };
  if (name === 'outline' || name === 'targets') return { name, format, ignoreStatus };
  throw new UsageError(`unknown method "${name ?? ''}" of --call`, {
    near: { word: name ?? '', candidates: NAMES, prefix: '--call=' },
  });
}

export async function answerCall(c: CommandContext, { name, format, ignoreStatus }: Call): Promise<number> {
  const library = await c.library();
  const { positionOf } = library;
  const [secrets, ssh] = [c.flags.strings('secret'), c.flags.strings('ssh')];
  const options = {
    ...storeOptions(c),
    ...(await dockerfileOptions(c)),
    ...(secrets === undefined ? {} : { secrets }),
    ...(ssh === undefined ? {} : { ssh }),
  };
  const say = (json: () => object, text: () => string): void =>
    c.stdout.write(format === 'json' ? `${goJson(json(), false, 2)}\n` : text());
  if (name === 'targets') {
    const list = await library.listTargets(options);
    say(
      () => call.targetsJson(list, positionOf),
      () => call.targetsText(list),
    );
    return 0;
  }
  if (name === 'outline') {
    const outline = await library.outlineTarget(options);
    say(
      () => call.outlineJson(outline, positionOf),
      () => call.outlineText(outline),
    );
    return 0;
  }
  const reports = await library.check({ ...options, rules: ['buildkit'] });
  say(
    () => call.lintJson(reports[0]!, positionOf),
    () => checkText(reports, textOptions(c)),
  );
  // What could not even be read is no finding to be ignored.
  const isBroken = reports.some(({ errors }) => errors.length > 0);
  return isBroken || (hasFindings(reports) && !ignoreStatus) ? FOUND : 0;
}
