/** `--security-opt`: what a run is kept from, beyond its capabilities. */
import { BuilderError } from '../report/builder-error.ts';

export interface Security {
  readonly seccomp: string | undefined;
  readonly noNewPrivileges: boolean;
  readonly mask: readonly string[];
  readonly unmask: readonly string[];
}

/** The options as one value. @throws `usage.invalid`, `usage.unsupported` */
export function securityOptions(options: readonly string[]): Security {
  let seccomp: string | undefined;
  let noNewPrivileges = false;
  const mask: string[] = [];
  const unmask: string[] = [];
  for (const option of options) {
    const at = option.search(/[=:]/);
    const name = at === -1 ? option : option.slice(0, at);
    const value = at === -1 ? '' : option.slice(at + 1);
    if (name === 'seccomp') seccomp = value;
    else if (name === 'no-new-privileges') noNewPrivileges = value !== 'false';
    else if (name === 'mask') mask.push(...value.split(':'));
    else if (name === 'unmask') unmask.push(...value.split(':'));
    else if (name === 'label' && value === 'disable') continue;
    else if (name === 'apparmor' && value === 'unconfined') continue;
    else if (name === 'label' || name === 'apparmor') {
      throw new BuilderError(
        'usage.unsupported',
        `--security-opt ${option} is not supported: no ${name} confinement is applied here`,
      );
    } else throw new BuilderError('usage.invalid', `invalid security option ${JSON.stringify(option)}`);
  }
  return { seccomp, noNewPrivileges, mask, unmask };
}
