/** What the pages of the rules beyond BuildKit's do not show: edges, options, comments. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CheckTextOptions, checkText } from '../../../src/dockerfile/lint/check.ts';
import { chooseRules, LINT_RULES } from '../../../src/dockerfile/lint/rules.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const found = (text: string, o: CheckTextOptions = {}): string[] =>
  checkText(text, { rules: ['strict'], ...o }).findings.map(
    ({ rule, span }) => `${rule}: ${span.file.text.slice(span.start, span.end)}`,
  );

const base = 'FROM debian:12.7\n';
const RUN: readonly (readonly [text: string, ...findings: string[]])[] = [
  ['/usr/bin/sudo -u app make', 'SudoInRun: /usr/bin/sudo'],
  ['echo sudo'],
  ['["sudo", "make"]', 'SudoInRun: sudo'],
  ['["/bin/bash", "-c", "sudo make"]', 'SudoInRun: sudo'],
  ['if true; then sudo make; fi', 'SudoInRun: sudo'],
  ['x=$(sudo id)', 'SudoInRun: sudo'],
  ['echo "unclosed && sudo make'],
  ['apt list', 'AptInsteadOfAptGet: apt'],
  [
    'sudo apt-get install curl=1',
    'SudoInRun: sudo',
    'PackageInstallPrompts: apt-get install',
    'AptRecommends: apt-get install',
  ],
  ['apt-get -q -q --no-install-recommends install curl=1'],
  ['apt-get install $FLAGS curl=1'],
  ['apt-get install --no-install-recommends curl=$V', 'PackageInstallPrompts: apt-get install'],
  ['apt-get -o Dpkg::Options::=--force-confold install -y --no-install-recommends curl=1'],
  ['yes | apt-get install --no-install-recommends curl=1'],
  [
    'DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends a=1',
    'PackageInstallPrompts: apt-get install',
  ],
  ['apt-get update && ./install.sh'],
  ['apt-get update && find /var/lib/apt/lists -delete'],
  ['apt-get update && rm -rf /x', 'AptUpdateAlone: apt-get update'],
  ['--mount=type=tmpfs,target=/var/lib/apt/lists apt-get update'],
  ['pip install -U pip', 'PackageCacheKept: pip install', 'UnpinnedPackages: pip'],
  ['python3 -m pip install .', 'PackageCacheKept: python3 -m pip'],
  ['PIP_NO_CACHE_DIR=1 pip install .'],
  ['pip install --no-cache-dir "flask>=2" ./x.whl'],
  ['npm install'],
  ['npm i left-pad @scope/name@1', 'UnpinnedPackages: left-pad'],
  ['apk add --no-cache --virtual .deps gcc=1'],
  ['curl -f x | tar x', 'PipeHidesFailure: curl -f x'],
  ['x=$(curl x | tr a b)'],
  ['curl x | sh; curl y | sh', 'PipeHidesFailure: curl x'],
  ['printf x | tee f'],
  ['["/bin/bash", "-eo", "pipefail", "-c", "curl x | sh"]'],
  ['cd /a && make && cd /b', 'CdInRun: cd /a'],
  ['chmod a+rwx /x', 'WorldWritable: a+rwx'],
  ['chmod -R u=rwx,o=rw /x', 'WorldWritable: u=rwx,o=rw'],
  ['chmod 755 /x && chmod 1777 /tmp && chmod g+w /y && chmod +w /z'],
  ['chmod --reference=/a /b'],
  ['useradd --uid=100000 a', 'HighUserId: useradd --uid=100000 a'],
  ['useradd -lu 100000 a && useradd -u 99999 b'],
  ['<<EOF\napt list\nEOF', 'AptInsteadOfAptGet: apt'],
  ['<<EOF\n#!/usr/bin/env bash\napt list\nEOF', 'AptInsteadOfAptGet: apt'],
  ['<<EOF\n#!/usr/bin/python3\napt = "list"\nEOF'],
  ['python3 <<EOF\nsudo = 1\nEOF'],
];

describe('rules about RUN', () => {
  for (const [text, ...findings] of RUN) {
    it(JSON.stringify(text), () => assert.deepEqual(found(`${base}RUN ${text}\n`), findings));
  }
  it('read triggers of ONBUILD too', () => {
    assert.deepEqual(found(`${base}ONBUILD RUN sudo make`), ['SudoInRun: sudo']);
  });
  it('are silent where another shell reads the command', () => {
    assert.deepEqual(found(`${base}SHELL ["pwsh", "-c"]\nRUN sudo make | x`), []);
  });
});

const FILES: readonly (readonly [text: string, ...findings: string[]])[] = [
  ['ARG TAG=latest\nFROM debian:$TAG', 'BaseImageTag: debian:$TAG'],
  ['FROM oci:./layout'],
  ['FROM scratch\nADD https://a/b /c'],
  ['FROM scratch\nADD *.txt.* /c'],
  ['FROM scratch\nADD a* /c'],
  ['FROM scratch\nADD ["a b", "/c"]', 'CopyInsteadOfAdd: ADD'],
  ['FROM scratch\nADD a /b', 'CopyInsteadOfAdd: ADD'],
  ['FROM scratch\nADD --unpack=false a.tar /b'],
  ['FROM a:1\nARG D=x\nCOPY a $D', 'CopyToRelativePath: $D'],
  ['FROM a:1\nCOPY a $HOME_OF_APP'],
  ['FROM scratch\nCOPY a .'],
  ['FROM a:1 AS b\nWORKDIR /w\nFROM b\nCOPY a .'],
  ['FROM a:1\nCOPY --chmod=o+w a /b', 'WorldWritable: o+w'],
  ['FROM a:1\nENV A=$A B=${B}'],
  ['FROM scratch\nENV A=0\nENV A=1 B=${A:-x}', 'SameInstructionEnv: ${A:-x}'],
  ['FROM a:1\nUSER 0:0', 'RootUserLast: 0:0'],
  ['FROM a:1 AS b\nUSER root\nFROM b\nUSER app'],
  ['FROM a:1 AS b\nUSER root\nFROM scratch\nCOPY --from=b /x /x'],
  ['FROM a:1 AS b\nRUN apk add x=1\nFROM scratch\nCOPY --from=b /x /x'],
  ['FROM a:1 AS b\nRUN apk add x=1\nFROM b', 'PackageCacheKept: apk add'],
];

describe('rules about files', () => {
  for (const [text, ...findings] of FILES) {
    it(JSON.stringify(text), () => assert.deepEqual(found(text), findings));
  }
});

const twice = (comment: string) => `${base}${comment}\nRUN sudo a\nRUN sudo b`;
const COMMENTS: readonly (readonly [text: string, ...findings: string[]])[] = [
  [twice('# check=skip=SudoInRun'), 'SudoInRun: sudo'],
  [twice('# check=skip=DL3004'), 'SudoInRun: sudo'],
  [twice('# hadolint ignore=DL3004'), 'SudoInRun: sudo'],
  [twice('# hadolint ignore = DL3008, DL3004 # because'), 'SudoInRun: sudo'],
  [twice('# hadolint ignore=SudoInRun'), 'SudoInRun: sudo'],
  [twice('# hadolint ignore=DL3008'), 'SudoInRun: sudo', 'SudoInRun: sudo'],
  [twice('# hadolint ignores=DL3004'), 'SudoInRun: sudo', 'SudoInRun: sudo'],
  [twice('# hadolint global ignore=DL3004')],
  [`# hadolint stage ignore=DL3004\n${twice('')}\nFROM a:1\nRUN sudo c`, 'SudoInRun: sudo'],
  [`# check=skip=all\n${twice('')}`],
  [`# check=skip=all;experimental=SudoInRun\n${twice('')}`, 'SudoInRun: sudo', 'SudoInRun: sudo'],
  ['FROM a:1\n# hadolint ignore=DL4003\nCMD ["a"]\nCMD ["b"]'],
  ['FROM a:1\n# hadolint ignore=DL4004\nCMD ["a"]\nCMD ["b"]', 'MultipleInstructionsDisallowed: CMD ["a"]'],
];

describe('comments and options', () => {
  for (const [text, ...findings] of COMMENTS) {
    it(JSON.stringify(text), () => assert.deepEqual(found(text), findings));
  }
  it('a rule is asked for in the file', () => {
    assert.deepEqual(found(`# check=experimental=DL3004\n${twice('')}`, { rules: [] }).length, 2);
    assert.deepEqual(found(`# check=experimental=all\n${twice('')}`, { rules: [] }), []);
  });
  it('the build argument stands in for the directive', () => {
    const buildArgs = { BUILDKIT_DOCKERFILE_CHECK: 'skip=SudoInRun' };
    assert.deepEqual(found(`# check=skip=MaintainerDeprecated\n${twice('MAINTAINER x')}`, { buildArgs }), [
      'MaintainerDeprecated: MAINTAINER',
    ]);
  });
  it('groups, names and numbers choose', () => {
    const names = (group: string) => LINT_RULES.filter((rule) => rule.group === group).map(({ name }) => name);
    assert.deepEqual([...chooseRules(['recommended'])], names('recommended'));
    assert.deepEqual([...chooseRules(['strict'])], [...names('recommended'), ...names('strict')]);
    assert.deepEqual([...chooseRules(['DL3003', 'SudoInRun'])], ['CdInRun', 'SudoInRun']);
    assert.throws(
      () => chooseRules(['SudoInRum']),
      (error) => isBuilderError(error, 'usage.invalid') && error.hint === 'did you mean SudoInRun?',
    );
  });
});

describe('a check', () => {
  it('tells what a build would refuse', () => {
    const { findings, errors, failsBuild } = checkText('FROM scratch\nRNU x');
    assert.deepEqual(
      [findings, errors.map(({ code }) => code), failsBuild],
      [[], ['dockerfile.unknown-instruction'], true],
    );
    assert.deepEqual(
      checkText('FROM scratch\nEXPOSE 99999\nSTOPSIGNAL NOPE').errors.map(({ span }) => span?.start),
      [20, 37],
    );
  });
  it('does not blame what the base image may mend', () => {
    assert.deepEqual(checkText('FROM a:1\nEXPOSE ${PORT:?}\nENV A=$UNKNOWN').errors, []);
    assert.deepEqual(found('FROM a:1\nENV A=$UNKNOWN'), []);
    assert.deepEqual(found('FROM a:1\nARG VERSION=1\nENV A=$VERSOIN'), ['UndefinedVar: $VERSOIN']);
    assert.deepEqual(found('FROM scratch\nENV A=$UNKNOWN'), ['UndefinedVar: $UNKNOWN']);
  });
  it('looks at the target and what it needs alone', () => {
    const text = 'FROM a:1 AS one\nRUN sudo a\nFROM a:1 AS two\nRUN sudo b';
    assert.equal(found(text).length, 2);
    assert.equal(found(text, { target: 'two' }).length, 1);
    assert.throws(
      () => found(text, { target: 'three' }),
      (error) => isBuilderError(error, 'dockerfile.stage-not-found'),
    );
  });
});
