/** Rules about package managers in RUN. */
import { spanOf } from '../fragment.ts';
import { extraRule, type Finding, type LintContext } from './rule.ts';
import {
  type Call,
  callsOf,
  hasFlag,
  imageStages,
  isMounted,
  mayHideFlags,
  type RunScript,
  runScripts,
  subcommand,
} from './run-scripts.ts';

/** A call of a subcommand: `apt-get install`, `apk add`. */
interface Job {
  readonly script: RunScript;
  readonly call: Call;
  readonly word: NonNullable<ReturnType<typeof subcommand>>['word'];
  readonly rest: NonNullable<ReturnType<typeof subcommand>>['rest'];
}

function* jobs({ evaluated }: Pick<LintContext, 'evaluated'>): Generator<Job> {
  for (const script of runScripts(evaluated)) yield* jobsOf(script);
}

function* jobsOf(script: RunScript): Generator<Job> {
  for (const call of callsOf(script)) {
    const found = subcommand(call);
    if (found !== undefined) yield { script, call, ...found };
  }
}

const is = (job: Job, program: RegExp, word: RegExp): boolean =>
  program.test(job.call.program) && word.test(job.word.text);

const APT = /^apt(-get)?$/;
const INSTALL = /^install$/;

function place({ call, word }: Job): Pick<Finding, 'span'> {
  return { span: { ...spanOf(call.programWord.fragment), end: spanOf(word.fragment).end } };
}

export const aptInsteadOfAptGet = extraRule(
  'recommended',
  'AptInsteadOfAptGet',
  'apt is for people; scripts call apt-get or apt-cache',
  ['DL3027'],
  function* ({ evaluated }) {
    for (const script of runScripts(evaluated)) {
      for (const { program, programWord } of callsOf(script)) {
        if (program !== 'apt') continue;
        const message = 'the output and options of apt may change: it is made for people, not for scripts';
        yield { message, span: spanOf(programWord.fragment), about: script.about, help: 'call apt-get or apt-cache' };
      }
    }
  },
);

interface Prompting {
  readonly program: RegExp;
  readonly word: RegExp;
  readonly letters: string;
  readonly names: readonly string[];
  readonly number: string;
}

const PROMPTING: readonly Prompting[] = [
  {
    program: /^apt-get$/,
    word: /^(install|remove|purge|upgrade|dist-upgrade|autoremove)$/,
    letters: 'y',
    names: ['yes', 'assume-yes'],
    number: 'DL3014',
  },
  { program: /^yum$/, word: INSTALL, letters: 'y', names: ['assumeyes'], number: 'DL3030' },
  { program: /^(dnf|microdnf)$/, word: INSTALL, letters: 'y', names: ['assumeyes'], number: 'DL3038' },
  {
    program: /^zypper$/,
    word: /^(install|in)$/,
    letters: 'ny',
    names: ['non-interactive', 'no-confirm'],
    number: 'DL3034',
  },
];

export const packageInstallPrompts = extraRule(
  'recommended',
  'PackageInstallPrompts',
  'Package managers should not ask: nobody is there to answer',
  PROMPTING.map(({ number }) => number),
  function* (context) {
    for (const job of jobs(context)) {
      const kind = PROMPTING.find(({ program, word }) => is(job, program, word));
      if (kind === undefined || mayHideFlags(job.call) || isAnswered(job, kind)) continue;
      const message = `${job.call.program} ${job.word.text} asks before it acts, and a build cannot answer`;
      const flag = kind.program.test('zypper') ? '-n in front of the subcommand' : '-y';
      yield { message, ...place(job), about: job.script.about, help: `add ${flag}`, number: kind.number };
    }
  },
);

function isAnswered({ call, script }: Job, { letters, names }: Prompting): boolean {
  const isForced = [...letters].some((letter) => hasFlag(call, letter)) || hasFlag(call, undefined, ...names);
  const quiet = call.args.filter(({ text }) => text === '-q' || text === '--quiet').length;
  const isQuiet = quiet >= 2 || call.args.some(({ text }) => /^-\w*qq\w*$|^-q=2$/.test(text));
  const isConfigured = call.args.some(({ text }) => /assume-?yes/i.test(text));
  const isFed = callsOf(script).some(({ program, command }) => program === 'yes' && command.isPiped);
  return isForced || isQuiet || isConfigured || isFed;
}

/** With these alone nothing is installed. */
const WITHOUT_INSTALL = /^(rm|echo|set|export|true|mkdir|sed|dpkg)$/;

export const aptUpdateAlone = extraRule(
  'recommended',
  'AptUpdateAlone',
  'apt-get update belongs into the RUN that installs',
  [],
  function* ({ evaluated }) {
    for (const script of runScripts(evaluated)) {
      const update = [...jobsOf(script)].find((job) => is(job, APT, /^update$/));
      if (update === undefined || keepsLists(script)) continue;
      const calls = callsOf(script);
      const isAlone = calls.every(
        ({ program, args }) =>
          WITHOUT_INSTALL.test(program) ||
          (APT.test(program) && args.some(({ text }) => /^(update|clean)$/.test(text))),
      );
      if (!isAlone || calls.length < script.commands.length) continue;
      const message = 'once cached, this step gives later installs an old list of packages';
      yield {
        message,
        ...place(update),
        about: script.about,
        help: 'write apt-get update && apt-get install … in one RUN',
      };
    }
  },
);

function keepsLists(script: RunScript): boolean {
  return isMounted(script, '/var/lib/apt/lists');
}

export const packageListsKept = extraRule(
  'recommended',
  'PackageListsKept',
  'The lists of apt-get update should not stay in the image',
  ['DL3009'],
  function* ({ evaluated }) {
    const inImage = imageStages(evaluated);
    for (const script of runScripts(evaluated)) {
      if (!inImage.has(script.stage.stage.index) || keepsLists(script)) continue;
      const found = [...jobsOf(script)];
      const update = found.find((job) => is(job, APT, /^update$/));
      const installs = found.some((job) => is(job, APT, /^(install|upgrade|dist-upgrade|build-dep)$/));
      if (update === undefined || !installs || removes(script, '/var/lib/apt')) continue;
      const message = 'the lists of packages that apt-get update fetched stay in the image';
      yield { message, ...place(update), about: script.about, help: 'end the RUN with rm -rf /var/lib/apt/lists/*' };
    }
  },
);

function removes(script: RunScript, place: string): boolean {
  return callsOf(script).some(
    ({ program, args }) => (program === 'rm' || program === 'find') && args.some(({ text }) => text.startsWith(place)),
  );
}

interface Caching {
  readonly number: string;
  readonly program: RegExp;
  readonly word: RegExp;
  readonly directory: string;
  readonly help: string;
  readonly isClean: (job: Job) => boolean;
}

const calls = ({ script }: Job, program: RegExp, word: string): boolean =>
  callsOf(script).some((call) => program.test(call.program) && call.args.some(({ text }) => text === word));

const CACHING: readonly Caching[] = [
  {
    number: 'DL3019',
    program: /^apk$/,
    word: /^add$/,
    directory: '/var/cache/apk',
    help: 'add --no-cache',
    isClean: ({ call, script }) => hasFlag(call, undefined, 'no-cache') || isMounted(script, '/etc/apk/cache'),
  },
  {
    number: 'DL3032',
    program: /^yum$/,
    word: INSTALL,
    directory: '/var/cache/yum',
    help: 'add && yum clean all',
    isClean: (job) => calls(job, /^(yum|dnf)$/, 'clean'),
  },
  {
    number: 'DL3040',
    program: /^(dnf|microdnf)$/,
    word: INSTALL,
    directory: '/var/cache/dnf',
    help: 'add && dnf clean all',
    isClean: (job) => calls(job, /^(dnf|microdnf|yum)$/, 'clean') || isMounted(job.script, '/var/cache/libdnf5'),
  },
  {
    number: 'DL3036',
    program: /^zypper$/,
    word: /^(install|in)$/,
    directory: '/var/cache/zypp',
    help: 'add && zypper clean --all',
    isClean: (job) => calls(job, /^zypper$/, 'clean') || calls(job, /^zypper$/, 'cc'),
  },
];

export const packageCacheKept = extraRule(
  'recommended',
  'PackageCacheKept',
  'What package managers download should not stay in the image',
  [...CACHING.map(({ number }) => number), 'DL3042'],
  function* (context) {
    const inImage = imageStages(context.evaluated);
    for (const job of jobs(context)) {
      const { script, call } = job;
      if (!inImage.has(script.stage.stage.index) || mayHideFlags(call)) continue;
      const kind = CACHING.find(({ program, word }) => is(job, program, word));
      if (kind !== undefined) {
        if (kind.isClean(job) || isMounted(script, kind.directory) || removes(script, kind.directory)) continue;
        const message = `what ${call.program} downloads stays in ${kind.directory} of the image`;
        yield { message, ...place(job), about: script.about, help: kind.help, number: kind.number };
      } else if (installsByPip(call) && !cachesNothing(job)) {
        const message = 'what pip downloads stays in its cache in the image';
        yield { message, ...place(job), about: script.about, help: 'add --no-cache-dir', number: 'DL3042' };
      }
    }
  },
);

/** `pip install`, `python -m pip install`. */
function installsByPip({ program, args }: Call): boolean {
  const texts = args.map(({ text }) => text);
  if (/^pip[\d.]*$/.test(program)) return texts.find((text) => !text.startsWith('-')) === 'install';
  return /^python[\d.]*$/.test(program) && texts[0] === '-m' && texts[1] === 'pip' && texts[2] === 'install';
}

function cachesNothing({ script, call }: Job): boolean {
  const setting = 'PIP_NO_CACHE_DIR';
  const isSet =
    isOn(script.before.env.get(setting)) ||
    script.commands.some(({ assignments, words }) =>
      [...assignments, ...words].some(
        ({ text }) => text.startsWith(`${setting}=`) && isOn(text.slice(setting.length + 1)),
      ),
    );
  const cache = script.mounted.some((target) => /(^|\/)\.cache(\/pip)?\/?$/.test(target));
  return isSet || cache || hasFlag(call, undefined, 'no-cache-dir') || calls({ script } as Job, /^pip[\d.]*$/, 'purge');
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(1|true|on|yes)$/i.test(value);
}

export const aptRecommends = extraRule(
  'strict',
  'AptRecommends',
  'apt-get install brings packages nobody asked for, unless told otherwise',
  ['DL3015'],
  function* (context) {
    for (const job of jobs(context)) {
      if (!is(job, APT, INSTALL) || mayHideFlags(job.call)) continue;
      const isTold = job.call.args.some(({ text }) => /^--no-install-recommends$|Install-Recommends=/i.test(text));
      if (isTold) continue;
      const message = 'packages that are only recommended are installed too';
      yield { message, ...place(job), about: job.script.about, help: 'add --no-install-recommends' };
    }
  },
);

interface Pinning {
  readonly number: string;
  readonly program: RegExp;
  readonly word: RegExp;
  /** A package of that text has a version, or is a file that is what it is. */
  readonly isPinned: RegExp;
  readonly example: string;
}

const FILE = String.raw`^[./]|:\/\/|\.(deb|apk|whl|tgz|gz|zip)$`;
const PINNING: readonly Pinning[] = [
  { number: 'DL3008', program: APT, word: INSTALL, isPinned: new RegExp(`=|/|${FILE}`), example: 'curl=7.88.1-10' },
  {
    number: 'DL3018',
    program: /^apk$/,
    word: /^add$/,
    isPinned: new RegExp(`[=<>~]|${FILE}`),
    example: 'curl=8.5.0-r0',
  },
  {
    number: 'DL3013',
    program: /^pip[\d.]*$/,
    word: INSTALL,
    isPinned: new RegExp(`[=<>~]=|@|${FILE}`),
    example: 'flask==3.0.0',
  },
  {
    number: 'DL3016',
    program: /^npm$/,
    word: /^(install|i|add)$/,
    isPinned: new RegExp(`.@|${FILE}`),
    example: 'express@4.18.2',
  },
];

export const unpinnedPackages = extraRule(
  'strict',
  'UnpinnedPackages',
  'Packages should be installed in a version that is named',
  PINNING.map(({ number }) => number),
  function* (context) {
    for (const job of jobs(context)) {
      const kind = PINNING.find(({ program, word }) => is(job, program, word));
      if (kind === undefined || namesList(job)) continue;
      for (const name of packagesOf(job)) {
        if (!name.isLiteral || kind.isPinned.test(name.text)) continue;
        const message = `${name.text} is installed in whatever version there is when the step runs`;
        const help = `name one: ${kind.example}`;
        yield { message, span: spanOf(name.fragment), about: job.script.about, help, number: kind.number };
      }
    }
  },
);

/** Versions are said elsewhere. */
function namesList({ call }: Job): boolean {
  return call.args.some(({ text }) => /^(-r|-c|--requirement|--constraint|-e|--editable)$/.test(text));
}

/** Words that are packages; a flag that takes a word of its own hides it with an `=` or is known. */
function packagesOf({ rest }: Job): Job['rest'] {
  return rest.filter(({ text }, i) => !text.startsWith('-') && !VALUED.test(rest[i - 1]?.text ?? ''));
}

const VALUED =
  /^(-t|--virtual|--target-release|--repository|-X|--prefix|-i|--index-url|--extra-index-url|-o|--root|--target|-f)$/;
