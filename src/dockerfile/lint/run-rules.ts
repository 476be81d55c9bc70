/** Rules about other commands in RUN. */
import { spanOf } from '../fragment.ts';
import { extraRule } from './rule.ts';
import { type Call, callOf, callsOf, hasFlag, type RunScript, runScripts } from './run-scripts.ts';

export const sudoInRun = extraRule(
  'recommended',
  'SudoInRun',
  'RUN has a user already; sudo adds nothing but surprises',
  ['DL3004'],
  function* ({ evaluated }) {
    for (const script of runScripts(evaluated)) {
      for (const { words } of script.commands) {
        const [first] = words;
        if (first === undefined || !/(^|\/)sudo$/.test(first.text)) continue;
        const message = 'sudo changes user, environment and signals on the way';
        yield { message, span: spanOf(first.fragment), about: script.about, help: 'switch with USER around the RUN' };
      }
    }
  },
);

/** What cannot fail, or is meant to be cut off. */
const HARMLESS = /^(echo|printf|yes|true|cat|:)$/;

export const pipeHidesFailure = extraRule(
  'recommended',
  'PipeHidesFailure',
  'A pipe forgets that its first command failed, unless pipefail is set',
  ['DL4006'],
  function* ({ evaluated }) {
    for (const script of runScripts(evaluated)) {
      if (script.shell === undefined || setsPipefail(script.shell)) continue;
      for (const command of script.commands) {
        if (setsPipefail(command.words.map(({ text }) => text))) break;
        if (!command.isPiped || command.isNested || HARMLESS.test(callOf(command)?.program ?? '')) continue;
        const name = command.words[0]?.text ?? 'the command';
        const message = `when ${name} fails here, the step goes on as if it had not`;
        const help = 'set -o pipefail first, in a shell that knows it: SHELL ["/bin/bash", "-o", "pipefail", "-c"]';
        yield { message, span: command.span, about: script.about, help };
        break;
      }
    }
  },
);

/** `set -o pipefail`, `bash -eo pipefail -c`. */
function setsPipefail(words: readonly string[]): boolean {
  return words.some((word, i) => word === 'pipefail' && /^-[a-z]*o$/.test(words[i - 1] ?? ''));
}

const MANY_USERS = 100_000;

export const highUserId = extraRule(
  'recommended',
  'HighUserId',
  'useradd with a high id writes large login records unless it is given -l',
  ['DL3046'],
  function* ({ evaluated }) {
    for (const script of runScripts(evaluated)) {
      for (const call of callsOf(script)) {
        const id = call.program === 'useradd' ? userId(call) : undefined;
        if (id === undefined || id < MANY_USERS || hasFlag(call, 'l', 'no-log-init')) continue;
        const message = `with the id ${id}, /var/log/lastlog and faillog grow to many megabytes`;
        yield { message, span: call.command.span, about: script.about, help: 'add --no-log-init' };
      }
    }
  },
);

function userId({ args }: Call): number | undefined {
  for (const [i, { text }] of args.entries()) {
    const value = /^-[a-zA-Z]*u$|^--uid$/.test(text) ? args[i + 1]?.text : /^(?:--uid=|-u)(\d+)$/.exec(text)?.[1];
    if (value !== undefined && /^\d+$/.test(value)) return Number(value);
  }
  return undefined;
}

export const cdInRun = extraRule(
  'strict',
  'CdInRun',
  'WORKDIR says where commands run; cd holds for one RUN only',
  ['DL3003'],
  function* ({ evaluated }) {
    for (const script of runScripts(evaluated)) {
      const cd = firstOutsideSubstitution(script, 'cd');
      if (cd === undefined) continue;
      const message = 'cd is forgotten when this RUN ends';
      yield { message, span: cd.command.span, about: script.about, help: 'use WORKDIR' };
    }
  },
);

function firstOutsideSubstitution(script: RunScript, program: string): Call | undefined {
  return callsOf(script).find((call) => call.program === program && !call.command.isNested);
}
