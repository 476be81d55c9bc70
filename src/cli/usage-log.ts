/** `--rusage-logfile`: what each step used of the machine, a line each, in a file instead of the display. */
import { appendFileSync, closeSync, openSync } from 'node:fs';
import type { BuildEvent } from '../index.ts';
import type { CommandContext } from './command.ts';
import { usageText } from './output/usage-text.ts';
import { UsageError } from './usage-error.ts';

/** Takes out of events what it writes. */
export interface UsageLog extends Disposable {
  take(event: BuildEvent): BuildEvent;
}

/** @throws UsageError without `--log-rusage`; the system's error where the file cannot be written */
export function usageLog({ flags }: CommandContext): UsageLog | undefined {
  const path = flags.string('rusage-logfile');
  if (path === undefined) return undefined;
  if (!flags.on('log-rusage')) throw new UsageError('cannot use --rusage-logfile without --log-rusage');
  const fd = openSync(path, 'w');
  return {
    take: (event) => {
      if (event.type !== 'step-finished' || event.usage === undefined) return event;
      const { usage, ...rest } = event;
      appendFileSync(fd, `${usageText(usage)}\n`);
      return rest;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}
