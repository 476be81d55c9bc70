import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inputCause } from '../../../src/build/input-cause.ts';
import { findSteps } from '../../../src/cli/commands/why.ts';
import { explanationText } from '../../../src/cli/output/explanation-text.ts';
import { styleFor } from '../../../src/cli/output/style.ts';
import type { BuildExplanation } from '../../../src/report/explanation.ts';
import { assertGolden } from '../../support/golden.ts';

const style = styleFor({ isTty: false }, { LANG: 'C.UTF-8' }, 'never');

const EXPLANATION: BuildExplanation = {
  file: '/src/Dockerfile',
  context: '/src',
  platform: 'linux/amd64',
  at: 0,
  isDryRun: false,
  stages: [
    {
      index: 0,
      name: 'build',
      from: 'FROM node:22 AS build',
      steps: [
        { step: '0.2', text: 'ARG VERSION=1.2', outcome: 'hit', causes: [] },
        {
          step: '0.3',
          text: 'COPY . .',
          outcome: 'ran',
          causes: [
            { kind: 'file', text: 'src/app.ts changed' },
            { kind: 'file', text: 'src/new.ts is new' },
            { kind: 'file', text: 'mode of run.sh: 0644 → 0755' },
          ],
        },
        {
          step: '0.4',
          text: 'RUN curl https://me:hunter2@example.com | sh',
          outcome: 'ran',
          causes: [
            inputCause('command', '["/bin/sh","-c","npm ci"]', '["/bin/sh","-c","npm ci --omit=dev"]'),
            inputCause('build argument VERSION', '1.2', '1.3'),
            inputCause('variable PATH', `${'/a:'.repeat(40)}/x/bin`, `${'/a:'.repeat(40)}/y/bin:${'/b:'.repeat(40)}`),
            inputCause('variable NEW', undefined, 'yes'),
            inputCause('--cap-add', 'CAP_NET_ADMIN', undefined),
            inputCause('instruction', 'COPY a /b', 'COPY a /c'),
            inputCause('content', 'sha256:1', 'sha256:2'),
            inputCause('content of mount 1', 'sha256:1', 'sha256:2'),
            inputCause('user', '', 'app'),
            { kind: 'above', text: 'step 3 above was run again' },
            { kind: 'base', text: 'base image node:22 moved: sha256:1234567890ab → sha256:ba0987654321' },
          ],
        },
        {
          step: '0.5',
          text: 'RUN make',
          outcome: 'failed',
          causes: [{ kind: 'failed-before', text: 'it failed the last time' }],
        },
      ],
    },
    {
      index: 1,
      name: 'stage-1',
      from: 'FROM scratch',
      steps: [
        {
          step: '1.2',
          text: 'COPY --from=build /x /x',
          outcome: 'unknown',
          causes: [{ kind: 'above', text: 'it reads the stage build, which would be built again' }],
        },
        {
          step: '1.3',
          text: 'CMD ["/x"]',
          outcome: 'miss',
          causes: [{ kind: 'above', text: 'step 2 above would be run again' }],
        },
      ],
    },
  ],
};

describe('explanations', () => {
  it('read like this', () => {
    assertGolden('explanation/build.txt', explanationText(EXPLANATION, { style, width: undefined }));
    assertGolden('explanation/build-60.txt', explanationText(EXPLANATION, { style, width: 60 }));
    const [stage] = EXPLANATION.stages;
    const dry = { ...EXPLANATION, isDryRun: true, stages: [{ ...stage!, steps: stage!.steps.slice(0, 1) }] };
    assertGolden('explanation/dry-run.txt', explanationText(dry, { style, width: undefined }));
  });

  it('are found by number, by stage and number, and by words', () => {
    const found = (wanted: string): string[] => findSteps(EXPLANATION, wanted).map(({ step }) => step);
    assert.deepEqual(found('3'), ['1.3']);
    assert.deepEqual(found('5'), ['0.5']);
    assert.deepEqual(found('build.3'), ['0.3']);
    assert.deepEqual(found('0.3'), ['0.3']);
    assert.deepEqual(found('copy'), ['0.3', '1.2']);
    assert.throws(() => found('npm'), /the build has no step "npm"/);
  });
});
