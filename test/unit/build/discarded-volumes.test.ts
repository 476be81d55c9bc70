import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stepKey } from '../../../src/build/build-cache.ts';
import { discardedVolumes } from '../../../src/build/discarded-volumes.ts';
import { discardInputs, runInputs } from '../../../src/build/step-inputs.ts';
import { evaluatePlan } from '../../../src/dockerfile/evaluate-plan.ts';
import { buildInstructions } from '../../../src/dockerfile/instructions.ts';
import { parseDockerfile } from '../../../src/dockerfile/parser.ts';
import { planStages } from '../../../src/dockerfile/stages.ts';
import type { RunStep } from '../../../src/dockerfile/step.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import type { ImageConfig } from '../../../src/spec/image-config.ts';
import { hostPlatform } from '../../../src/spec/platform.ts';

/** The last instruction of a stage on a base that declares volumes. */
function runOf(body: string, inherited: readonly string[] = []): RunStep {
  const parsed = parseDockerfile({ name: 'Dockerfile', text: `FROM base\n${body}\n` });
  const plan = planStages(buildInstructions(parsed), {
    platforms: { build: hostPlatform(), target: hostPlatform() },
    contexts: new Set(),
  });
  const base: ImageConfig = {
    ...hostPlatform(),
    config: { Volumes: Object.fromEntries(inherited.map((path) => [path, {}])) },
    rootfs: { type: 'layers', diff_ids: [] },
  };
  return evaluatePlan(plan, { baseConfig: () => base })
    .at(-1)!
    .steps.at(-1)!.step as RunStep;
}

describe('volumes of a RUN', () => {
  it('are those of the base and of the lines above it, clean, none inside another', () => {
    assert.deepEqual(runOf('RUN a').volumes, []);
    assert.deepEqual(runOf('RUN a', ['/base/']).volumes, ['/base']);
    assert.deepEqual(runOf('VOLUME /b /a/../c\nVOLUME rel\nRUN a', ['/b/inside', '/bb']).volumes, [
      '/b',
      '/bb',
      '/c',
      '/rel',
    ]);
    assert.deepEqual(runOf('VOLUME / /a\nRUN a').volumes, ['/']);
  });

  it('are left alone where a mount hides them', () => {
    const discarded = (body: string, volumes: readonly string[] = []) => discardedVolumes(runOf(body), { volumes });
    assert.deepEqual(discarded('VOLUME /a/b /c\nRUN x'), ['/a/b', '/c']);
    assert.deepEqual(discarded('VOLUME /a/b /c\nRUN --mount=type=cache,target=/a x'), ['/c']);
    assert.deepEqual(discarded('VOLUME /a/b /c\nRUN --mount=type=tmpfs,target=/a/b/ x'), ['/c']);
    assert.deepEqual(discarded('VOLUME /a/b /c\nRUN --mount=type=tmpfs,target=/a/b/below x'), ['/a/b', '/c']);
    assert.deepEqual(discarded('VOLUME /a/b /c\nRUN --mount=type=secret,id=s,env=S x', ['/tmp:/c:ro']), ['/a/b']);
  });

  it('are left alone where the kernel shows its own files', () => {
    const step = runOf('VOLUME /sys/fs/cgroup /dev/shm /proc /system /d\nRUN x');
    assert.deepEqual(discardedVolumes(step, {}), ['/d', '/system']);
  });

  it('cannot be the whole root', () => {
    const step = runOf('VOLUME /\nRUN x');
    assert.throws(
      () => discardedVolumes(step, {}),
      (error) => isBuilderError(error, 'usage.invalid') && error.span === step.span,
    );
  });

  it('belong to the key under the old rule alone', () => {
    const key = (body: string, isOld: boolean): string => {
      const step = runOf(body);
      const inputs = runInputs(step, undefined, 'linux/amd64', {}, []);
      return stepKey([...inputs, ...(isOld ? discardInputs(discardedVolumes(step, {})) : [])]).digest;
    };
    assert.equal(key('RUN x', true), key('RUN x', false));
    assert.equal(key('VOLUME /a\nRUN x', false), key('RUN x', false));
    assert.notEqual(key('VOLUME /a\nRUN x', true), key('RUN x', true));
    assert.notEqual(key('VOLUME /a\nRUN x', true), key('VOLUME /b\nRUN x', true));
  });
});
