/** A command as a value, and what its body is given. */
import type { Builder, Emit } from '../index.ts';
import type { Flags } from './flags.ts';
import type { Option, ValueKind } from './option.ts';
import type { Output } from './output/output.ts';

/** The public library; loaded only when a body asks for it. */
export type Library = typeof import('../index.ts');

/** How many positional words a command takes, and what it says otherwise. */
export interface Positionals {
  readonly min: number;
  readonly max: number;
  /** The sentence for too few. */
  readonly few?: string;
  /** The sentence for too many. */
  readonly many?: string;
  /** Words beginning with `-` after the first positional: refused as misplaced flags, or ordinary words. */
  readonly dashes: 'refuse' | 'words';
  readonly complete?: ValueKind;
}

export interface Command {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** Positional part of the usage line: `CONTAINER [IMAGE]`. */
  readonly usage: string;
  /** One paragraph for help; the summary alone when absent. */
  readonly description?: string;
  readonly positionals: Positionals;
  /** Whether flags may follow positionals. */
  readonly interspersed: boolean;
  readonly options: readonly Option[];
  readonly examples: readonly string[];
  readonly hidden: boolean;
  readonly load: () => Promise<CommandBody>;
}

/** Gives the exit code. Failures are thrown. */
export type CommandBody = (c: CommandContext) => Promise<number>;

export interface CommandContext {
  readonly command: Command;
  readonly flags: Flags;
  readonly args: readonly string[];
  /** Number of args before a `--`; undefined when there was none. */
  readonly dashAt: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted by SIGINT, SIGTERM or a closed output. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly library: () => Promise<Library>;
  /** Opens the store as the global flags say. Without `emit`, notes and warnings go to stderr. */
  readonly open: (emit?: Emit) => Promise<Builder>;
}
