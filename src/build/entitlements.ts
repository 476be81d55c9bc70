/** What a Dockerfile may ask for beyond its sandbox, granted with `--allow`. @see BuildKit, "Entitlements" */
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';

export interface Entitlements {
  /** `RUN --security=insecure` */
  readonly insecure: boolean;
  /** `RUN --network=host` in a build that is cut off from the host's network. */
  readonly hostNetwork: boolean;
  /** Whether `RUN --device` may have this CDI device, by its full name `vendor/class=name`. */
  allowsDevice(name: string): boolean;
}

const NAMES = ['security.insecure', 'network.host', 'device'];

/** @param grants `security.insecure`, `network.host`, `device`, `device=vendor/class[=name]`. @throws `usage.invalid` */
export function parseEntitlements(grants: readonly string[]): Entitlements {
  const devices: string[] = [];
  const names = new Set<string>();
  for (const text of grants) {
    const device = /^device=(.+)$/.exec(text)?.[1];
    if (device !== undefined) devices.push(device.replace(/=\*$/, ''));
    else if (NAMES.includes(text)) names.add(text);
    else {
      const near = suggest(text, NAMES);
      throw new BuilderError('usage.invalid', `there is nothing called ${JSON.stringify(text)} to allow`, {
        hint: near === undefined ? `write one of ${NAMES.join(', ')}` : `did you mean ${near}?`,
      });
    }
  }
  return {
    insecure: names.has('security.insecure'),
    hostNetwork: names.has('network.host'),
    allowsDevice: (name) =>
      names.has('device') || devices.some((granted) => name === granted || name.startsWith(`${granted}=`)),
  };
}
