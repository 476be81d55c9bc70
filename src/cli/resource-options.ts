/** `--memory`, `--cpu-*`, `--cpuset-*` and `--cgroup-parent`: what control groups hold steps to. */
import type { RunDefaults } from '../index.ts';
import { parseSize } from './duration.ts';
import type { Flags } from './flags.ts';
import { UsageError } from './usage-error.ts';

type Resources = NonNullable<RunDefaults['resources']>;

/** @throws UsageError for a size, a list or a number that makes no sense */
export function resourceOptions(flags: Flags): Pick<RunDefaults, 'resources'> {
  const memory = flags.string('memory');
  const swap = flags.string('memory-swap');
  const all: { readonly [K in keyof Resources]-?: Resources[K] | undefined } = {
    memoryBytes: memory === undefined ? undefined : parseSize(memory, '--memory'),
    memorySwapBytes: swap === undefined ? undefined : swap === '-1' ? -1 : parseSize(swap, '--memory-swap'),
    cpuShares: notNegative(flags, 'cpu-shares'),
    cpuPeriodUs: notNegative(flags, 'cpu-period'),
    cpuQuotaUs: flags.int('cpu-quota'),
    cpusetCpus: list(flags, 'cpuset-cpus'),
    cpusetMems: list(flags, 'cpuset-mems'),
    cgroupParent: flags.string('cgroup-parent'),
  };
  const { memoryBytes, memorySwapBytes } = all;
  if (memorySwapBytes !== undefined && memorySwapBytes !== -1 && memorySwapBytes < (memoryBytes ?? 0)) {
    throw new UsageError('--memory-swap is memory and swap together, so it cannot be less than --memory');
  }
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return given.length === 0 ? {} : { resources: Object.fromEntries(given) };
}

function notNegative(flags: Flags, name: string): number | undefined {
  const value = flags.int(name);
  if (value !== undefined && value < 0) throw new UsageError(`--${name} must not be negative: ${value}`);
  return value;
}

/** `0-2,4`. */
function list(flags: Flags, name: string): string | undefined {
  const text = flags.string(name);
  if (text === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  throw new UsageError(`invalid list "${text}" for --${name}: expected a form like 0-2,4`);
}
