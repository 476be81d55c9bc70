import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluatePlan } from '../../../src/dockerfile/evaluate-plan.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { listTargets, outline } from '../../../src/dockerfile/outline.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import {
  findTarget,
  neededStages,
  type PlanOptions,
  planStages,
  type StagePlan,
} from '../../../src/dockerfile/stages.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };

function plan(text: string, options: Partial<PlanOptions> = {}): StagePlan {
  const instructions = buildInstructions(parseDockerfile({ name: 'Dockerfile', text }));
  return planStages(instructions, { platforms: { build: amd64, target: amd64 }, ...options });
}

const bases = (p: StagePlan) => p.stages.map(({ base }) => base);

test('FROM names an earlier stage before any image, whatever the case', () => {
  assert.deepEqual(bases(plan('FROM alpine AS Build\nFROM BUILD\nFROM later\nFROM scratch AS later')), [
    { kind: 'image', reference: 'alpine' },
    { kind: 'stage', index: 0 },
    { kind: 'image', reference: 'later' },
    { kind: 'scratch' },
  ]);
});

test('FROM expands global arguments, which may refer to earlier ones and be given', () => {
  const text = 'ARG A=alp\nARG B=${A}ine\nFROM $B:${V:-1}';
  assert.equal(plan(text).stages[0]!.baseText, 'alpine:1');
  assert.equal(plan(text, { buildArgs: new Map([['A', 'x']]) }).stages[0]!.baseText, 'xine:1');
});

test('of two stages of one name the nearest above is used', () => {
  const { stages } = plan('FROM scratch AS a\nFROM scratch AS a\nFROM scratch\nCOPY --from=a x y\nFROM scratch AS a');
  assert.deepEqual(
    stages[2]!.dependencies.map(({ index }) => index),
    [1],
  );
});

test('a target needs its base, its copies, its mounts and what triggers read', () => {
  const text =
    'FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS c\nFROM scratch AS unused\nFROM a AS d\nONBUILD COPY --from=c x y\n' +
    'FROM d AS e\nRUN --mount=from=b,target=/m x';
  const p = plan(text);
  assert.deepEqual(neededStages(p, findTarget(p)), [0, 1, 2, 4, 5]);
  assert.deepEqual(neededStages(p, findTarget(p, 'D')), [0, 4]);
});

test('targets are found by name and by index', () => {
  const p = plan('FROM scratch AS one\nFROM scratch AS two');
  assert.deepEqual([findTarget(p), findTarget(p, 'ONE'), findTarget(p, '1')], [1, 0, 1]);
  assert.throws(
    () => findTarget(p, 'tow'),
    (error) => isBuilderError(error, 'dockerfile.stage-not-found') && error.hint === 'did you mean two?',
  );
});

test('mounts know names but no indexes', () => {
  assert.deepEqual(plan('FROM scratch\nFROM scratch\nRUN --mount=from=0,target=/m x').stages[1]!.dependencies, []);
});

test('a stage that needs a later one fails only when it is needed itself', () => {
  const p = plan('FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nFROM scratch');
  assert.deepEqual(neededStages(p, 2), [2]);
  assert.throws(
    () => neededStages(p, 0),
    (error) => isBuilderError(error) && /needs to be defined before stage a/.test(error.message),
  );
});

test('cycles are told with the stages they go through', () => {
  const text = 'FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nRUN --mount=from=a,target=/m x';
  assert.throws(
    () => plan(text),
    (error) => isBuilderError(error) && error.message.endsWith('a needs b needs a'),
  );
});

test('named contexts replace stages and images, in any spelling of an image', () => {
  const contexts = new Set(['alpine', 'dep', 'src']);
  const p = plan('FROM docker.io/library/alpine:latest\nFROM busybox AS dep\nRUN x\nFROM dep\nCOPY --from=src a b', {
    contexts,
  });
  assert.deepEqual(bases(p), [
    { kind: 'context', name: 'alpine' },
    { kind: 'context', name: 'dep' },
    { kind: 'context', name: 'dep' },
  ]);
  assert.deepEqual(p.stages[1]!.instructions, []);
});

test('platforms may be variables and are checked', () => {
  assert.deepEqual(plan('FROM --platform=$BUILDPLATFORM a').stages[0]!.platform, amd64);
  assert.throws(
    () => plan('FROM --platform=a/b/c/d a'),
    (error) => isBuilderError(error, 'dockerfile.syntax'),
  );
  assert.throws(
    () => plan('FROM --platform=$nope a'),
    (error) => isBuilderError(error, 'dockerfile.syntax'),
  );
});

test('targets and outline tell what a build takes', () => {
  const p = plan(
    '# V the version\nARG V=1\n# base what others start from\nFROM scratch AS base\nARG V\nARG OWN=x$V\nFROM base AS app\n' +
      'RUN --mount=type=secret,id=k --mount=type=ssh x\nRUN --mount=type=secret,id=k,required y',
  );
  assert.deepEqual(
    listTargets(p).map(({ name, description, isDefault }) => [name, description, isDefault]),
    [
      ['base', 'what others start from', false],
      ['app', undefined, true],
    ],
  );
  const { args, secrets, ssh } = outline(p, evaluatePlan(p), 1);
  assert.deepEqual(
    args.map(({ name, value, description }) => [name, value, description]),
    [
      ['V', '1', 'the version'],
      ['OWN', 'x1', undefined],
    ],
  );
  assert.deepEqual(
    [secrets, ssh].map((list) => list.map(({ id, required }) => [id, required])),
    [[['k', true]], [['default', false]]],
  );
});
