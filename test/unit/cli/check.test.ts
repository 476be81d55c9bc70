/** `check`, `build --check` and `build --call`, on the real library with files of their own; no store is opened. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as library from '../../../src/index.ts';
import { type Outcome, slipway } from './fake-program.ts';

const FILE = `# VERSION of the base
ARG VERSION=12.7
# build compiles the program
FROM debian:$VERSION AS build
MAINTAINER me
RUN sudo make

FROM --platform=linux/arm64 scratch AS final-arm64
ARG TOKENS
RUN --mount=type=secret,id=key,required --mount=type=ssh --mount=type=cache,target=/c make
CMD run
`;

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'slipway-check-'));
  const files: Record<string, string> = {
    Dockerfile: FILE,
    clean: 'FROM scratch\nCMD ["run"]\n',
    broken: 'FROM scratch\nRNU x\n',
    quiet: '# check=skip=all\nFROM scratch\nMAINTAINER me\n',
    copies: 'FROM scratch\nCOPY secret.txt /\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  writeFileSync(join(dir, '.dockerignore'), '*.txt\n');
  mkdirSync(join(dir, 'empty'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

function run(...argv: readonly string[]): Promise<Outcome> {
  const here =
    <T>(ask: (o: T) => unknown) =>
    (o: T): unknown =>
      ask({ ...o, cwd: dir });
  const { positionOf, VERSION } = library;
  const [check, listTargets] = [here(library.check), here(library.listTargets)];
  const outlineTarget = here(library.outlineTarget);
  return slipway(argv, { library: { positionOf, VERSION, check, listTargets, outlineTarget } });
}

describe('check', () => {
  it('shows each finding with its place, and counts', async () => {
    const { code, stdout, stderr } = await run('check');
    assert.equal(
      stdout,
      `warning: MAINTAINER is deprecated in favor of a label
 --> Dockerfile:5:1 [MaintainerDeprecated]
  |
5 | MAINTAINER me
  | ^^^^^^^^^^
help: use LABEL org.opencontainers.image.authors=…
see: https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/

warning: sudo changes user, environment and signals on the way
 --> Dockerfile:6:5 [SudoInRun]
  |
6 | RUN sudo make
  |     ^^^^
help: switch with USER around the RUN
see: docs/rules/SudoInRun.md

warning: CMD in shell form keeps signals from the program
  --> Dockerfile:11:1 [JSONArgsRecommended]
   |
11 | CMD run
   | ^^^^^^^
help: write CMD ["program", "argument"]
see: https://docs.docker.com/go/dockerfile/rule/json-args-recommended/

Dockerfile: 3 warnings (1 JSONArgsRecommended, 1 MaintainerDeprecated, 1 SudoInRun)
`,
    );
    assert.deepEqual([code, stderr], [1, '']);
  });

  const CODES: readonly (readonly [code: number, last: string, ...argv: string[]])[] = [
    [0, 'clean: no warnings', 'check', '-f', 'clean'],
    [0, 'quiet: no warnings', 'check', '-f', 'quiet'],
    [1, 'broken: 1 error', 'check', '-f', 'broken'],
    [1, 'clean, broken: 1 error', 'check', '-f', 'clean', '-f', 'broken'],
    [1, 'copies: 1 warning (1 CopyIgnoredFile)', 'check', '-f', 'copies'],
    [
      0,
      'copies: no warnings',
      'check',
      '-f',
      'copies',
      '--build-arg',
      'BUILDKIT_DOCKERFILE_CHECK=skip=CopyIgnoredFile',
    ],
    [1, 'Dockerfile: 2 warnings (1 JSONArgsRecommended, 1 MaintainerDeprecated)', 'check', '--target', 'final-arm64'],
    [1, 'Dockerfile: 2 warnings (1 JSONArgsRecommended, 1 MaintainerDeprecated)', 'check', '--rules', 'buildkit', '.'],
    [1, 'Dockerfile: 2 warnings (1 JSONArgsRecommended, 1 MaintainerDeprecated)', 'build', '--check', '.'],
    [
      0,
      'Dockerfile: 2 warnings (1 JSONArgsRecommended, 1 MaintainerDeprecated)',
      'bud',
      '--call=check,ignorestatus=true',
    ],
    [1, 'broken: 1 error', 'bud', '--call=lint,ignorestatus=true', '-f', 'broken'],
    [0, 'clean: no warnings', 'bud', '--check', '-f', 'clean', '.'],
  ];
  for (const [code, last, ...argv] of CODES) {
    it(`${argv.join(' ')} gives ${code}`, async () => {
      const { stdout, ...outcome } = await run(...argv);
      assert.deepEqual([outcome.code, stdout.trimEnd().split('\n').at(-1)], [code, last]);
    });
  }

  const REFUSED: readonly (readonly [message: string, ...argv: string[]])[] = [
    ['there is no rule "SudoInRum"', 'check', '--rules', 'SudoInRum'],
    ['unknown format "xml"', 'check', '--format', 'xml'],
    ['target stage "nope" could not be found', 'check', '--target', 'nope'],
    ['no Containerfile or Dockerfile found', 'check', 'empty'],
    ['the build context "nowhere" does not exist', 'check', 'nowhere'],
    ['unknown method "outlines" of --call', 'bud', '--call=outlines'],
    ['invalid field "format=xml" in --call', 'bud', '--call=check,format=xml'],
    ['unknown instruction "RNU"', 'bud', '--call=targets', '-f', 'broken'],
  ];
  for (const [message, ...argv] of REFUSED) {
    it(`${argv.join(' ')} is refused`, async () => {
      const { code, stdout, stderr } = await run(...argv);
      assert.deepEqual([code, stdout, stderr.includes(message)], [125, '', true], stderr);
    });
  }

  it('--call=build builds', async () => {
    assert.deepEqual(
      (await run('build', '--call=build')).calls.map(({ verb }) => verb),
      ['build'],
    );
  });
});

describe('for programs', () => {
  it('check gives JSON', async () => {
    const { stdout, code } = await run('check', '-f', 'broken', '-f', 'copies', '--format', 'json');
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), {
      schema: 1,
      files: [
        {
          file: 'broken',
          failsBuild: true,
          errors: [
            {
              code: 'dockerfile.unknown-instruction',
              message: 'unknown instruction "RNU"',
              hint: 'did you mean RUN?',
              start: { line: 2, column: 1 },
              end: { line: 2, column: 4 },
            },
          ],
          findings: [],
        },
        {
          file: 'copies',
          failsBuild: false,
          errors: [],
          findings: [
            {
              rule: 'CopyIgnoredFile',
              severity: 'warning',
              message: 'COPY of "secret.txt", which .dockerignore line 1 leaves out',
              description: 'COPY and ADD should not name files that the ignore file leaves out',
              group: 'buildkit',
              hadolint: [],
              url: 'https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/',
              page: 'docs/rules/CopyIgnoredFile.md',
              start: { line: 2, column: 6 },
              end: { line: 2, column: 16 },
            },
          ],
        },
      ],
      summary: { errors: 1, warnings: 1, rules: { CopyIgnoredFile: 1 } },
    });
  });

  it('check gives SARIF 2.1.0', async () => {
    const { stdout } = await run('check', '-f', 'broken', '-f', 'Dockerfile', '--format', 'sarif');
    const { version, runs } = JSON.parse(stdout);
    assert.equal(version, '2.1.0');
    const [{ tool, columnKind, results }] = runs;
    assert.deepEqual([runs.length, columnKind, tool.driver.name], [1, 'utf16CodeUnits', 'slipway']);
    for (const { ruleId, ruleIndex } of results) assert.equal(tool.driver.rules[ruleIndex].id, ruleId);
    assert.deepEqual(
      (results as SarifResult[]).map(({ ruleId, level, message, locations }) => [
        ruleId,
        level,
        typeof message.text,
        locations[0]?.physicalLocation,
      ]),
      [
        ['dockerfile.unknown-instruction', 'error', 'string', sarifPlace('broken', 2, 1, 4)],
        ['MaintainerDeprecated', 'warning', 'string', sarifPlace('Dockerfile', 5, 1, 11)],
        ['SudoInRun', 'warning', 'string', sarifPlace('Dockerfile', 6, 5, 9)],
        ['JSONArgsRecommended', 'warning', 'string', sarifPlace('Dockerfile', 11, 1, 8)],
      ],
    );
  });

  it('build --call=check gives what BuildKit gives', async () => {
    const { stdout } = await run('bud', '--call=check,format=json', '-f', 'copies');
    assert.deepEqual(JSON.parse(stdout), {
      warnings: [
        {
          ruleName: 'CopyIgnoredFile',
          description: 'COPY and ADD should not name files that the ignore file leaves out',
          url: 'https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/',
          detail: 'COPY of "secret.txt", which .dockerignore line 1 leaves out',
          location: { ranges: [{ start: { line: 2 }, end: { line: 2 } }] },
        },
      ],
      sources: [
        {
          filename: 'copies',
          data: Buffer.from('FROM scratch\nCOPY secret.txt /\n').toString('base64'),
          language: 'Dockerfile',
        },
      ],
    });
    const broken = JSON.parse((await run('bud', '--call=check,format=json', '-f', 'broken')).stdout);
    assert.deepEqual(
      [broken.warnings, broken.buildError],
      [[], { message: 'unknown instruction "RNU"', location: { ranges: [{ start: { line: 2 }, end: { line: 2 } }] } }],
    );
  });

  it('targets are listed', async () => {
    assert.equal(
      (await run('bud', '--call=targets')).stdout,
      `TARGET                DESCRIPTION
build                 compiles the program
final-arm64 (default) \n`,
    );
    const { targets } = JSON.parse((await run('bud', '--call=targets,format=json')).stdout);
    assert.deepEqual(targets, [
      { name: 'build', description: 'compiles the program', base: 'debian:12.7', location: at(4) },
      { name: 'final-arm64', default: true, base: 'scratch', platform: 'linux/arm64', location: at(8) },
    ]);
  });

  it('a target is outlined', async () => {
    assert.equal(
      (await run('bud', '--call=outline', '--build-arg', 'TOKENS=3')).stdout,
      `TARGET: final-arm64

BUILD ARG   VALUE   DESCRIPTION
VERSION     12.7    of the base
TOKENS      3       \n
SECRET   REQUIRED
key      true

SSH       REQUIRED
default   \n
`,
    );
    const { name, args, secrets, ssh, cache } = JSON.parse((await run('bud', '--call=outline,format=json')).stdout);
    assert.deepEqual(
      { name, args, secrets, ssh, cache },
      {
        name: 'final-arm64',
        args: [
          { name: 'VERSION', description: 'of the base', value: '12.7', location: at(2) },
          { name: 'TOKENS', location: at(9) },
        ],
        secrets: [{ name: 'key', required: true, location: at(10) }],
        ssh: [{ name: 'default', location: at(10) }],
        cache: [{ ID: '/c', location: at(10) }],
      },
    );
  });
});

interface SarifResult {
  readonly ruleId: string;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly { readonly physicalLocation: object }[];
}

const at = (line: number): object => ({ ranges: [{ start: { line }, end: { line } }] });

function sarifPlace(uri: string, line: number, startColumn: number, endColumn: number): object {
  return { artifactLocation: { uri }, region: { startLine: line, startColumn, endLine: line, endColumn } };
}
