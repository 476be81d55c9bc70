/** What steps read, as the named inputs of their keys. Pure. */
import type { RunStep, StepMount } from '../dockerfile/step.ts';
import { digestOf } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { StepInput } from '../store/step-table.ts';

export { stepKey } from './build-cache.ts';

export function filesystemInput(chain: string | undefined): StepInput {
  return { name: 'filesystem', value: chain ?? 'scratch' };
}

/** For steps of configuration alone: the config before, without times and history. */
export function configInputs(config: ImageConfig, chain: string | undefined): StepInput[] {
  const { created: _, history: __, rootfs: ___, ...rest } = config;
  return [filesystemInput(chain), { name: 'config', value: digestOf(JSON.stringify(rest)) }];
}

/** A RUN reads its root, its command and environment, and what is bound into it; nothing of secrets, agents, caches. */
export function runInputs(
  step: RunStep,
  chain: string | undefined,
  platform: string,
  mounted: readonly StepInput[],
): StepInput[] {
  return [
    filesystemInput(chain),
    { name: 'command', value: JSON.stringify(step.argv) },
    ...(step.script === undefined ? [] : [{ name: 'script', value: digestOf(step.script.content) as string }]),
    { name: 'working directory', value: step.workdir },
    { name: 'user', value: step.user },
    { name: 'platform', value: platform },
    { name: 'network', value: step.network },
    { name: 'security', value: step.security },
    ...step.env.map((entry) => {
      const at = entry.indexOf('=');
      return { name: `variable ${entry.slice(0, at)}`, value: entry.slice(at + 1) };
    }),
    ...step.mounts.map((mount, i) => ({ name: `mount ${i + 1}`, value: mountText(mount) })),
    ...mounted,
  ];
}

/** The shape of a mount without what it holds. */
function mountText(mount: StepMount): string {
  const { span: _, content: __, ...shape } = mount;
  return JSON.stringify(shape);
}
