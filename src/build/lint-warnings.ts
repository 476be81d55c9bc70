/** Lint findings of a build: told before anything runs, once for all platforms. BuildKit's rules alone. */
import type { Engine } from '../container/engine.ts';
import { parseIgnoreFile } from '../dockerfile/ignore-file.ts';
import { lint } from '../dockerfile/lint/lint.ts';
import { CHECK_ARG } from '../dockerfile/lint/options.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Diagnostic } from '../report/diagnostic.ts';
import type { PlatformBuild } from './platform-build.ts';

/**
 * Emits a diagnostic for each finding.
 * @throws `dockerfile.lint` when there are findings and the file or its build argument says that these are errors,
 *   `dockerfile.syntax` for malformed options
 */
export function tellLint(engine: Engine, runs: readonly PlatformBuild[]): void {
  const told = new Map<string, Diagnostic>();
  let hasFailed = false;
  for (const run of runs) {
    const { diagnostics, failed } = lintOf(run);
    hasFailed ||= failed;
    for (const diagnostic of diagnostics) {
      const key = `${diagnostic.code} ${diagnostic.span.start} ${diagnostic.message}`;
      if (told.has(key)) continue;
      told.set(key, diagnostic);
      engine.emit({ type: 'diagnostic', diagnostic });
    }
  }
  if (hasFailed) throw lintFailed([...told.values()]);
}

function lintOf({ request, lowered, ignoreRules, basePlatforms }: PlatformBuild): ReturnType<typeof lint> {
  const { parsed, plan, buildArgs } = request;
  const checkArg = buildArgs.get(CHECK_ARG);
  const ignore =
    ignoreRules === undefined
      ? {}
      : { ignore: parseIgnoreFile({ name: ignoreRules.name, text: ignoreRules.patterns.join('\n') }) };
  return lint(
    { parsed, plan, evaluated: [...lowered.stages.values()], basePlatforms, ...ignore },
    checkArg === undefined ? {} : { checkArg },
  );
}

function lintFailed(diagnostics: readonly Diagnostic[]): BuilderError {
  const rules = [...new Set(diagnostics.map(({ code }) => code))].join(', ');
  return new BuilderError(
    'dockerfile.lint',
    `the Dockerfile lets lint findings fail the build, and there are: ${rules}`,
    {
      ...(diagnostics.length === 1 ? { span: diagnostics[0]!.span } : {}),
      facts: { findings: diagnostics.length },
    },
  );
}
