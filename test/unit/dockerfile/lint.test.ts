import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluatePlan } from '../../../src/dockerfile/evaluate-plan.ts';
import { parseIgnoreFile } from '../../../src/dockerfile/ignore-file.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { LINT_RULES, type LintResult, lint } from '../../../src/dockerfile/lint/lint.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { planStages } from '../../../src/dockerfile/stages.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };

function lintText(text: string, ignoreText?: string): LintResult {
  const parsed = parseDockerfile({ name: 'Dockerfile', text });
  const plan = planStages(buildInstructions(parsed), { platforms: { build: amd64, target: amd64 } });
  return lint({
    parsed,
    plan,
    evaluated: evaluatePlan(plan),
    basePlatforms: new Map([[0, { os: 'linux', architecture: text.includes('armbase') ? 'arm64' : 'amd64' }]]),
    ...(ignoreText === undefined ? {} : { ignore: parseIgnoreFile({ name: '.dockerignore', text: ignoreText }) }),
  });
}

const found = (text: string, ignoreText?: string) =>
  lintText(text, ignoreText).diagnostics.map(({ code, span }) => [code, span.file.text.slice(span.start, span.end)]);

const CASES: readonly (readonly [text: string, code: string, at: string, ignore?: string])[] = [
  ['FROM scratch AS Build', 'StageNameCasing', 'Build'],
  ['FROM scratch as b', 'FromAsCasing', 'as'],
  ['FROM scratch\nRUN a \\\n\n b', 'NoEmptyContinuation', ''],
  ['FROM scratch\nRUN a\nrun b', 'ConsistentInstructionCasing', 'run'],
  ['FROM scratch\nRUN a\nRun b', 'ConsistentInstructionCasing', 'Run'],
  ['FROM scratch AS a\nFROM scratch AS a', 'DuplicateStageName', 'a'],
  ['FROM scratch AS context', 'ReservedStageName', 'context'],
  ['FROM scratch\nCMD a b', 'JSONArgsRecommended', 'CMD a b'],
  ['FROM scratch\nMAINTAINER me', 'MaintainerDeprecated', 'MAINTAINER'],
  ['ARG VERSION=1\nFROM a:${VERSIN:-1}', 'UndefinedArgInFrom', '${VERSIN:-1}'],
  ['FROM scratch\nWORKDIR a', 'WorkdirRelativePath', 'a'],
  ['FROM scratch\nENV A=$nope', 'UndefinedVar', '$nope'],
  ['FROM scratch\nCMD ["a"]\nCMD ["b"]', 'MultipleInstructionsDisallowed', 'CMD ["a"]'],
  ['FROM scratch\nENV a b', 'LegacyKeyValueFormat', 'ENV a b'],
  ['FROM armbase', 'InvalidBaseImagePlatform', 'armbase'],
  ['FROM --platform=$TARGETPLATFORM scratch', 'RedundantTargetPlatform', '$TARGETPLATFORM'],
  ['FROM scratch\nARG GITHUB_TOKEN', 'SecretsUsedInArgOrEnv', 'GITHUB_TOKEN'],
  ['ARG T\nFROM a:${T}x-${T:-Q/}', 'InvalidDefaultArgInFrom', 'a:${T}x-${T:-Q/}'],
  ['FROM --platform=linux/amd64 scratch', 'FromPlatformFlagConstDisallowed', 'linux/amd64'],
  ['FROM scratch\nCOPY node_modules/x /y', 'CopyIgnoredFile', 'node_modules/x', 'node_modules'],
  ['# check=experimental=all\n# about\nARG a\nFROM scratch', 'InvalidDefinitionDescription', '# about'],
  ['FROM scratch\nEXPOSE 80/TCP', 'ExposeProtoCasing', '80/TCP'],
  ['FROM scratch\nEXPOSE 8080:80', 'ExposeInvalidFormat', '8080:80'],
];

for (const [text, code, at, ignoreText] of CASES) {
  test(`${code} finds ${JSON.stringify(text)}`, () => assert.deepEqual(found(text, ignoreText), [[code, at]]));
}

test('every rule of BuildKit has a case here', () => {
  const covered = new Set(CASES.map(([, code]) => code));
  assert.deepEqual(
    LINT_RULES.filter(({ group }) => group === 'buildkit')
      .map(({ name }) => name)
      .filter((name) => !covered.has(name)),
    [],
  );
});

const CLEAN: readonly (readonly [text: string, ignore?: string])[] = [
  ['FROM scratch\nSHELL ["/bin/sh","-c"]\nCMD a b'],
  ['FROM scratch\nWORKDIR /a\nWORKDIR b'],
  ['FROM scratch\nARG PUBLIC_KEY SECRET_FILE MONKEY'],
  ['FROM --platform=linux/amd64 scratch AS for-amd64'],
  ['FROM --platform=$BUILDPLATFORM scratch'],
  ['FROM scratch\nCOPY node_modules/x /y', 'node_modules\n!node_modules/x'],
  ['FROM scratch\nCOPY . /y', 'a'],
  ['# about\nARG a\nFROM scratch'],
  ['from scratch as b\nrun x'],
  ['FROM scratch\nARG d\nRUN x $undefined\nENV a=$d b=$1'],
  ['FROM scratch AS a\nCMD ["x"]\nFROM a\nCMD ["y"]'],
];

for (const [text, ignoreText] of CLEAN) {
  test(`nothing to find in ${JSON.stringify(text)}`, () => assert.deepEqual(found(text, ignoreText), []));
}

test('rules are skipped by directive and by comment, and may fail the build', () => {
  assert.deepEqual(found('# check=skip=MaintainerDeprecated\nFROM scratch\nMAINTAINER me'), []);
  assert.deepEqual(found('# check=skip=all\nFROM scratch as b\nMAINTAINER me'), []);
  const perInstruction = 'FROM scratch\n# check=skip=LegacyKeyValueFormat\nENV a b\nENV c d';
  assert.deepEqual(found(perInstruction), [['LegacyKeyValueFormat', 'ENV c d']]);
  assert.equal(lintText('# check=error=true\nFROM scratch\nMAINTAINER me').failed, true);
  assert.equal(lintText('# check=error=true\nFROM scratch').failed, false);
});

test('a malformed check directive is an error at its value', () => {
  assert.throws(
    () => lintText('# check=skipp=all\nFROM scratch'),
    (error) => isBuilderError(error, 'dockerfile.syntax'),
  );
});
