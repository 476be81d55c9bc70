/** Concrete steps: what one instruction does, with every variable filled in. Executors read these and nothing else. */
import type { Span } from '../report/source-file.ts';
import type { EditConfig } from '../spec/image-config.ts';
import type { UndefinedUse } from './build-args.ts';
import type { DeviceRequest } from './instructions/device.ts';
import type { StageInstruction } from './instructions.ts';
import type { ResolvedMount } from './run-mount.ts';
import type { Source } from './stages.ts';

export interface StepBase {
  readonly instruction: StageInstruction;
  readonly span: Span;
  /** Fired by the base image or base stage. */
  readonly isTrigger: boolean;
  /** The line as written, continuation lines joined, heredocs as ` (first line...)`: what follows `STEP 2/3: `. */
  readonly stepText: string;
  /** Unset variables the instruction uses. */
  readonly undefinedUses: readonly UndefinedUse[];
}

export interface RunStep extends StepBase {
  readonly kind: 'run';
  /** The process to run, shell included. */
  readonly argv: readonly string[];
  /** The stage's, whether the command uses it or not: `['/bin/sh', '-c']`. */
  readonly shell: readonly string[];
  /** `K=V`: the image's variables and the stage's arguments, the later of two of a name winning. */
  readonly env: readonly string[];
  /** Proxy settings given as build arguments and not declared: environment, but in no key and no history. */
  readonly proxyEnv: readonly string[];
  /** Declared arguments with a value, sorted by name. */
  readonly args: readonly { readonly name: string; readonly value: string }[];
  readonly workdir: string;
  /** As in the config: `''`, name or id, `user:group`. */
  readonly user: string;
  readonly mounts: readonly StepMount[];
  /** Every VOLUME so far, of the file and of its base: absolute, clean, sorted, none inside another. */
  readonly volumes: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly devices: readonly DeviceRequest[];
  /** A heredoc with a shebang: a file to show read-only at this path, executable, while the command runs. */
  readonly script: { readonly path: string; readonly content: string; readonly mode: number } | undefined;
  /** Text of the history entry. @param suffix what tells mounted content apart, e.g. `:sha256:…` for each bind mount */
  createdBy(suffix?: string): string;
}

/** A mount and where its content comes from: undefined for the build context, or for types that have no source. */
export type StepMount = ResolvedMount & { readonly content: Source | undefined };

export interface StepSource {
  readonly text: string;
  readonly span: Span;
}

/** A file made from a heredoc; mode 0644, owner root unless told otherwise. */
export interface StepInlineFile {
  readonly name: string;
  readonly content: string;
}

interface CopyStepBase extends StepBase {
  readonly inlineFiles: readonly StepInlineFile[];
  /** Absolute and clean. */
  readonly destination: string;
  /** The destination ended in `/` or `/.`, or was `.` or empty: what is copied goes inside. */
  readonly intoDirectory: boolean;
  /** `user[:group]`, names or ids. */
  readonly chown: string | undefined;
  /** Octal 0 to 7777 or symbolic; checked. */
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly excludes: readonly string[];
  /** Text of the history entry. */
  createdBy(content: ContentSummary): string;
}

/** What was copied, as Buildah names it in history: `file:` or `dir:` and a digest. */
export interface ContentSummary {
  readonly kind: 'file' | 'dir' | 'multi' | 'empty';
  /** Hex digits without an algorithm; empty for `empty`. */
  readonly hex: string;
}

export interface CopyStep extends CopyStepBase {
  readonly kind: 'copy';
  /** The build context when undefined. */
  readonly from: Source | undefined;
  /** Patterns below the root of `from`. */
  readonly sources: readonly StepSource[];
  readonly parents: boolean;
}

export interface AddStep extends CopyStepBase {
  readonly kind: 'add';
  readonly sources: readonly AddSource[];
  readonly checksum: string | undefined;
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

export type AddSource = StepSource & { readonly kind: 'local' | 'http' | 'git' };

export interface WorkdirStep extends StepBase {
  readonly kind: 'workdir';
  /** Absolute and clean; to be made with its parents, mode 0755, unless it is `/`. */
  readonly path: string;
  /** Who owns directories that are made: USER as in the config. */
  readonly owner: string;
  readonly edit: EditConfig;
  readonly createdBy: string;
}

export interface ConfigStep extends StepBase {
  readonly kind: 'config';
  readonly edit: EditConfig;
  readonly createdBy: string;
}

/** ARG: changes what later steps see, nothing in the image. */
export interface ArgStep extends StepBase {
  readonly kind: 'arg';
  readonly names: readonly string[];
  readonly createdBy: string;
}

export type Step = RunStep | CopyStep | AddStep | WorkdirStep | ConfigStep | ArgStep;
