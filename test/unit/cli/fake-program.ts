/** Runs command lines against a library that only remembers what it was asked for. */
import { PassThrough } from 'node:stream';
import { TextOutput } from '../../../src/cli/output/output.ts';
import { runProgram } from '../../../src/cli/run-program.ts';
import type { BuilderOptions, Emit, ImageSummary } from '../../../src/index.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import { suggest } from '../../../src/report/suggestion.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../../src/spec/platform.ts';

export interface Call {
  readonly verb: string;
  readonly args: readonly unknown[];
}

type Verb = (emit: Emit, ...args: never[]) => unknown;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly Call[];
  readonly opened: BuilderOptions | undefined;
  readonly loadedLibrary: boolean;
}

/** @param verbs what the builder's verbs give; a verb that is not named gives undefined */
export async function slipway(
  argv: readonly string[],
  o: {
    verbs?: Readonly<Record<string, Verb>>;
    library?: Readonly<Record<string, unknown>>;
    env?: Readonly<Record<string, string>>;
    stdin?: string;
    /** Standard input is a terminal. */
    answers?: boolean;
    tty?: boolean;
    columns?: number;
    now?: number;
    signal?: AbortSignal;
  } = {},
): Promise<Outcome> {
  const calls: Call[] = [];
  let opened: BuilderOptions | undefined;
  let loadedLibrary = false;
  const openBuilder = (options: BuilderOptions): unknown => {
    opened = options;
    return new Proxy(
      {},
      {
        get: (_, verb) => {
          if (verb === 'then') return undefined;
          if (verb === Symbol.asyncDispose) return async () => {};
          return async (...args: never[]) => {
            calls.push({ verb: String(verb), args });
            return o.verbs?.[String(verb)]?.(options.emit ?? (() => {}), ...args);
          };
        },
      },
    );
  };
  const stdin = new PassThrough();
  stdin.end(o.stdin ?? '');
  if (o.answers === true) Object.assign(stdin, { isTTY: true });
  const size = { isTty: o.tty ?? false, columns: o.columns ?? 80 };
  const [stdout, stderr] = [new TextOutput(size), new TextOutput(size)];
  const code = await runProgram({
    argv,
    env: o.env ?? {},
    cwd: '/',
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout,
    stderr,
    signal: o.signal ?? new AbortController().signal,
    now: () => o.now ?? 0,
    library: async () => {
      loadedLibrary = true;
      return { openBuilder, suggest, formatPlatform, hostPlatform, parsePlatform, ...o.library } as never;
    },
  });
  return { code, stdout: stdout.text, stderr: stderr.text, calls, opened, loadedLibrary };
}

export function notKnown(what: string): BuilderError {
  return new BuilderError('container.not-known', `reading build container "${what}": container not known`);
}

const HOUR = 3_600_000;
export const NOW = Date.parse('2026-11-21T10:00:00Z');

/** An image of `hours` ago. */
export function imageRow(
  id: string,
  names: readonly string[],
  hours = 2,
  more: Partial<ImageSummary> = {},
): ImageSummary {
  return {
    id: id.repeat(64).slice(0, 64),
    names,
    digest: `sha256:${'d'.repeat(64)}`,
    created: new Date(NOW - hours * HOUR).toISOString().replace('.000Z', '.123456789Z'),
    sizeBytes: 3_974_000,
    readOnly: false,
    dangling: names.length === 0,
    intermediate: false,
    labels: {},
    isIndex: false,
    containers: [],
    ...more,
  } as ImageSummary;
}
