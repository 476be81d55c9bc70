/** `build`: an image from a Containerfile. */
import { open } from 'node:fs/promises';
import { isatty } from 'node:tty';
import type { BuildExplanation, BuildOptions, BuildResult, BuildTimings } from '../../index.ts';
import { cacheOptions } from '../cache-options.ts';
import type { CommandContext } from '../command.ts';
import { type DisplayOptions, progressMode, underReporter } from '../command-reporter.ts';
import { compressionOptions, formatOption, imageOptions, writeResultFiles, writesIdFile } from '../image-options.ts';
import { explanationText } from '../output/explanation-text.ts';
import { HeldDisplay } from '../output/held-display.ts';
import { logFileOutput } from '../output/log-file-output.ts';
import type { Output } from '../output/output.ts';
import { redactAll } from '../output/redact.ts';
import { styleFor } from '../output/style.ts';
import { timingsText } from '../output/timings-text.ts';
import { platformList, pullPolicy, sourceOptions } from '../registry-options.ts';
import { runDefaults } from '../run-defaults.ts';
import { signingOptions } from '../signing-options.ts';
import { UsageError } from '../usage-error.ts';
import { type UsageLog, usageLog } from '../usage-log.ts';

export async function build(c: CommandContext): Promise<number> {
  const { flags } = c;
  if (flags.given('call') || flags.given('check')) {
    const { answerCall, callOf } = await import('./call.ts');
    const call = callOf(c);
    if (call !== undefined) return await answerCall(c, call);
  }
  const mode = shownMode(c);
  const options = await buildOptions(c, mode === 'quiet');
  const logfile = flags.string('logfile');
  if (flags.on('logsplit') && logfile === undefined) throw new UsageError('cannot use --logsplit without --logfile');
  using usage = usageLog(c);
  if (logfile === undefined) return await buildTo(c, options, { mode, usage });
  await using file = await open(logfile, 'w');
  const output = logFileOutput(file);
  try {
    const split = flags.on('logsplit') ? { splitLog: logfile } : {};
    return await buildTo(c, options, { mode, usage, output, ...split });
  } finally {
    await output.flush();
  }
}

/** Who answers the questions of a step has to see them: nothing is drawn over what it prints. */
function shownMode(c: CommandContext): string {
  const mode = progressMode(c);
  return mode === 'auto' && c.flags.on('stdin') && isatty(0) ? 'plain' : mode;
}

interface BuildDisplay extends DisplayOptions {
  readonly usage: UsageLog | undefined;
}

async function buildTo(c: CommandContext, options: BuildOptions, d: BuildDisplay): Promise<number> {
  const { mode, usage, output: log } = d;
  const hidesIds = writesIdFile(c);
  const displayOptions = { ...d, hidesIds, quiet: c.flags.on('quiet') };
  let timings: BuildTimings | undefined;
  const explained: BuildExplanation[] = [];
  try {
    return await underReporter(c, displayOptions, async (reporter) => {
      const display = new HeldDisplay(reporter.emit, c.stderr);
      await using builder = await c.open((event) => {
        if (event.type === 'timings') timings = event.timings;
        if (event.type === 'explained') explained.push(event.explanation);
        display.emit(usage === undefined ? event : usage.take(event));
      });
      if (c.flags.on('dry-run')) {
        const explanations = await builder.explainBuild(options);
        reporter.finish();
        tellExplanations(c, explanations, log ?? c.stdout);
        return 0;
      }
      const result = await builder.build(options);
      reporter.finish();
      await tellResult(c, result, hidesIds ? undefined : (log ?? c.stdout));
      return 0;
    });
  } finally {
    if (mode !== 'json') tellExplanations(c, explained, log ?? c.stderr);
    // Programs had the event.
    if (timings !== undefined && mode !== 'json') tellTimings(c, timings, log ?? c.stderr);
  }
}

/** Logs are wider than the terminal that is not there. */
const LOG_COLUMNS = 120;

function tellTimings(c: CommandContext, timings: BuildTimings, to: Output): void {
  const style = styleFor(to, c.env, c.flags.string('color'));
  to.write(timingsText(timings, { width: to.isTty ? to.columns : LOG_COLUMNS, style }));
}

function tellExplanations(c: CommandContext, explanations: readonly BuildExplanation[], to: Output): void {
  const style = styleFor(to, c.env, c.flags.string('color'));
  for (const explanation of explanations) {
    const isJson = c.flags.string('explain') === 'json';
    const width = to.isTty ? to.columns : undefined;
    to.write(isJson ? `${JSON.stringify(redactAll(explanation))}\n` : explanationText(explanation, { style, width }));
  }
}

async function tellResult(c: CommandContext, result: BuildResult, to: Output | undefined): Promise<void> {
  const { id, manifest, names } = result;
  if (id === undefined) return;
  await writeResultFiles(c, { id, manifest, names });
  to?.write(`${id}\n`);
}

async function buildOptions(c: CommandContext, isQuietMode: boolean): Promise<BuildOptions> {
  const { flags, args } = c;
  checkRemoval(c);
  const policy = pullPolicy(c, 'pull');
  const jobs = flags.int('jobs');
  if (jobs !== undefined && jobs < 0) throw new UsageError(`--jobs must not be negative: ${jobs}`);
  if (flags.on('stage-labels') && !flags.on('save-stages')) {
    throw new UsageError('--stage-labels requires --save-stages');
  }
  const skipUnusedStages = flags.bool('skip-unused-stages');
  return {
    ...(args[0] === undefined ? {} : { context: args[0] }),
    ...texts(c, {
      target: 'target',
      ignoreFile: 'ignorefile',
      from: 'from',
      lock: 'lock',
      sourcePolicyFile: 'source-policy-file',
      trace: 'trace',
      manifest: 'manifest',
      osVersion: 'os-version',
      sbom: 'sbom',
      provenance: 'provenance',
      sbomOutput: 'sbom-output',
      sbomPurlOutput: 'sbom-purl-output',
      sbomImageOutput: 'sbom-image-output',
      sbomImagePurlOutput: 'sbom-image-purl-output',
    }),
    ...lists(c, {
      files: 'file',
      tags: 'tag',
      buildArgs: 'build-arg',
      buildArgFiles: 'build-arg-file',
      cppFlags: 'cpp-flag',
      buildContexts: 'build-context',
      labels: 'label',
      env: 'env',
      unsetLabels: 'unsetlabel',
      secrets: 'secret',
      ssh: 'ssh',
      mounts: 'mount',
      allow: 'allow',
      outputs: 'output',
      reports: 'report',
      layerLabels: 'layer-label',
      osFeatures: 'os-feature',
      unsetAnnotations: 'unsetannotation',
      attest: 'attest',
    }),
    ...switches(c, {
      noCache: 'no-cache',
      locked: 'locked',
      stdin: 'stdin',
      allPlatforms: 'all-platforms',
      compatVolumes: 'compat-volumes',
      inheritLabels: 'inherit-labels',
      inheritAnnotations: 'inherit-annotations',
      rm: 'rm',
      forceRm: 'force-rm',
      saveStages: 'save-stages',
      stageLabels: 'stage-labels',
      timings: 'timings',
      usage: 'log-rusage',
      debugShell: 'debug-shell',
      keepFailed: 'keep-failed',
    }),
    ...cacheOptions(c),
    ...(jobs === undefined ? {} : { jobs: jobs === 0 ? Number.POSITIVE_INFINITY : jobs }),
    ...(skipUnusedStages === undefined ? {} : { skipUnusedStages }),
    ...(policy === undefined ? {} : { pull: policy }),
    ...formatOption(c),
    ...imageOptions(c),
    ...(await platforms(c)),
    ...compressionOptions(c),
    ...(await sourceOptions(c)),
    ...(await signingOptions(c)),
    ...(flags.on('quiet') || isQuietMode ? { quiet: true } : {}),
    run: runDefaults(c, 'build'),
    signal: c.signal,
  };
}

/** Files that name one image do not fit several. */
async function platforms(c: CommandContext): Promise<Pick<BuildOptions, 'platforms'>> {
  const wanted = await platformList(c);
  const isOne = wanted.length < 2 && !c.flags.on('all-platforms');
  for (const flag of ['iidfile', 'iidfile-raw', 'metadata-file']) {
    const file = c.flags.string(flag);
    if (!isOne && file !== undefined) {
      throw new UsageError(`building multiple images, but ${flag} "${file}" can only be used to store one image ID`);
    }
  }
  return wanted.length === 0 ? {} : { platforms: wanted };
}

/** Working containers are kept for nobody unless steps are committed one by one. */
function checkRemoval({ flags }: CommandContext): void {
  const isAsked = flags.given('rm') || flags.given('force-rm');
  if (isAsked && flags.bool('layers') === undefined && !flags.on('no-cache')) {
    throw new UsageError("'rm' and 'force-rm' can only be set with either 'layers' or 'no-cache'");
  }
}

type Keys = Partial<Record<keyof BuildOptions, string>>;

function texts({ flags }: CommandContext, keys: Keys): Partial<BuildOptions> {
  return collect(keys, (flag) => flags.string(flag));
}

function lists({ flags }: CommandContext, keys: Keys): Partial<BuildOptions> {
  return collect(keys, (flag) => flags.strings(flag));
}

function switches({ flags }: CommandContext, keys: Keys): Partial<BuildOptions> {
  return collect(keys, (flag) => flags.bool(flag));
}

function collect(keys: Keys, read: (flag: string) => unknown): Partial<BuildOptions> {
  const entries = Object.entries(keys).map(([key, flag]) => [key, read(flag)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
