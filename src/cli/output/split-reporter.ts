/** A log for each platform of a build, and one for what belongs to none of them. */
import { appendFileSync, closeSync, openSync } from 'node:fs';
import type { BuildEvent, Emit } from '../../index.ts';
import type { Output } from './output.ts';
import type { Ending, Reporter } from './reporter.ts';
import { stageOfEvent } from './stage-of-event.ts';

/** The reporter of one platform, and its file. */
interface PlatformLog {
  /** `linux/arm64`, as stages and lines of several platforms begin; '' when there is one. */
  readonly prefix: string;
  readonly reporter: Reporter;
  readonly fd: number;
}

export class SplitReporter implements Reporter {
  readonly #main: Reporter;
  readonly #logfile: string;
  readonly #make: (output: Output) => Reporter;
  #logs: readonly PlatformLog[] = [];

  /**
   * @param main for what belongs to no platform
   * @param logfile its file, with which the names of the others begin
   * @param make a reporter that writes to a file
   */
  constructor(main: Reporter, logfile: string, make: (output: Output) => Reporter) {
    this.#main = main;
    this.#logfile = logfile;
    this.#make = make;
  }

  readonly emit: Emit = (event) => {
    if (event.type === 'build-started') this.#begin(event);
    else if (event.type === 'steps-planned') this.#plan(event);
    else (this.#logOf(event)?.reporter ?? this.#main).emit(event);
  };

  finish(ending: Ending = {}): void {
    for (const { reporter, fd } of this.#logs) {
      reporter.finish(ending);
      closeSync(fd);
    }
    this.#logs = [];
    this.#main.finish(ending);
  }

  /** Platforms are known only now: a build may find them out by itself. */
  #begin(event: Extract<BuildEvent, { type: 'build-started' }>): void {
    const platforms = event.platform.split(',');
    for (const platform of platforms) {
      const fd = openSync(logName(this.#logfile, platform, platforms), 'w');
      const prefix = platforms.length === 1 ? '' : platform;
      const log = { prefix, fd, reporter: this.#make(fileOutput(fd)) };
      this.#logs = [...this.#logs, log];
      log.reporter.emit({ ...event, platform, stages: event.stages.filter(({ id }) => isOf(log, id)) });
    }
    this.#main.emit({ ...event, stages: [] });
  }

  #plan(event: Extract<BuildEvent, { type: 'steps-planned' }>): void {
    for (const log of this.#logs) {
      log.reporter.emit({ ...event, steps: event.steps.filter(({ stage }) => isOf(log, stage)) });
    }
  }

  /** What belongs to no stage tells its platform at the beginning of the line, if it has one. */
  #logOf(event: BuildEvent): PlatformLog | undefined {
    const [first, ...others] = this.#logs;
    if (first === undefined || others.length === 0) return first;
    const stage = stageOfEvent(event);
    const text = event.type === 'step-line' ? event.text : '';
    return this.#logs.find((log) => (stage !== undefined && isOf(log, stage)) || text.startsWith(`[${log.prefix}] `));
  }
}

function isOf({ prefix }: PlatformLog, stage: string): boolean {
  return prefix === '' || stage.startsWith(`${prefix} `);
}

/** `FILE_os_arch` as with Buildah, whose logs of arm/v6 and arm/v7 are one file: there the variant follows. */
export function logName(logfile: string, platform: string, platforms: readonly string[]): string {
  const [os, architecture, variant] = platform.split('/');
  const stem = `${os}/${architecture}`;
  const isShared = platforms.some((other) => other !== platform && `${other}/`.startsWith(`${stem}/`));
  const words = [logfile, os, architecture, ...(isShared && variant !== undefined ? [variant] : [])];
  return words.join('_');
}

/** Written at once: the reader's log is whole even if this program is killed. */
function fileOutput(fd: number): Output {
  return {
    write: (data) => appendFileSync(fd, data),
    flush: () => Promise.resolve(),
    isTty: false,
    columns: 80,
    rows: 24,
  };
}
