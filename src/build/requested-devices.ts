/** `RUN --device`: the CDI devices a step names, as far as the caller grants them. */
import type { RunStep } from '../dockerfile/step.ts';
import { BuilderError, located } from '../report/builder-error.ts';
import type { Emit } from '../report/event.ts';
import {
  CDI_DIRECTORIES,
  type CdiDevice,
  type DeviceEdits,
  deviceEdits,
  findCdiDevices,
  noCdiDevice,
  readCdiDevices,
} from '../run/cdi.ts';
import type { Entitlements } from './entitlements.ts';

/**
 * @throws `usage.invalid` for a device that is not granted, `run.start-failed` for a required one that is not there; one
 *   that is not required is left out with a warning
 */
export async function requestedDevices(
  step: RunStep,
  allowed: Entitlements,
  directories: readonly string[] = CDI_DIRECTORIES,
  emit: Emit,
): Promise<DeviceEdits | undefined> {
  if (step.devices.length === 0) return undefined;
  const all = await readCdiDevices(directories);
  const found: CdiDevice[] = [];
  for (const { name, required } of step.devices) {
    const devices = findCdiDevices(name, all);
    for (const device of devices) refuseUngranted(device, allowed, step);
    found.push(...devices);
    if (devices.length > 0) continue;
    const missing = noCdiDevice(name, all, directories);
    if (required) throw located(missing, step.span);
    emit({ type: 'warning', code: 'device.missing', text: `${missing.message}; the step runs without it` });
  }
  return deviceEdits(found);
}

function refuseUngranted({ name, isOpen }: CdiDevice, allowed: Entitlements, step: RunStep): void {
  if (isOpen || allowed.allowsDevice(name)) return;
  throw new BuilderError('usage.invalid', `RUN --device may not have ${name} in this build`, {
    span: step.span,
    hint: `if the Dockerfile may use it, pass --allow device=${name}`,
  });
}
