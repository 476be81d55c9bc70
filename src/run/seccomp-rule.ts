/** A seccomp profile as its JSON says it. */

/** One entry of `syscalls`, with what this program reads of it. */
export interface ProfileRule {
  readonly names?: readonly string[];
  readonly name?: string;
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly ProfileArgument[] | null;
  readonly includes?: ProfileFilter;
  readonly excludes?: ProfileFilter;
}

export interface ProfileArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

export interface ProfileFilter {
  readonly arches?: readonly string[];
  readonly caps?: readonly string[];
  readonly minKernel?: string;
}

export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly syscalls?: readonly ProfileRule[];
}
