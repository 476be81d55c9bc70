/**
 * What the launch pad is told: values only, so that they cross to its thread. Descriptors are shared by all threads;
 * those in a plan belong to the main thread, which closes them when the pad is gone.
 */
import type { NamespaceKind } from '../spec/process-spec.ts';
import type { WaitResult } from '../sys/spawn.ts';

export type PlannedMount =
  | {
      readonly type: 'tree';
      /** From `cloneMountTree`. */
      readonly treeFd: number;
      readonly isDirectory: boolean;
      readonly target: string;
      /** Attributes of mount_setattr(2), added recursively. */
      readonly attributes: number;
      /** MS_* propagation flags of mount(2). */
      readonly propagation: number;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly options: string; readonly readOnly: boolean }
  | { readonly type: 'overlay'; readonly treeFd: number; readonly target: string };

export interface LaunchPlan {
  /** The root filesystem, from `cloneMountTree`. */
  readonly rootFd: number;
  /** A directory on disk for the upper layers of throwaway mounts, from `cloneMountTree`; only when needed. */
  readonly scratchFd: number | undefined;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly hostname: string | undefined;
  readonly mounts: readonly PlannedMount[];
  readonly devices: readonly { readonly treeFd: number; readonly target: string }[];
  readonly newNetwork: boolean;
  /** A network namespace to enter, open. */
  readonly networkFd: number | undefined;
  /** Further namespaces to enter: their files, open, and what they are. */
  readonly enter: readonly { readonly fd: number; readonly kind: Exclude<NamespaceKind, 'pid'> }[];
  readonly shmSizeBytes: number;
  readonly maskPaths: readonly string[];
  readonly readOnlyPaths: readonly string[];
  readonly readOnlyRoot: boolean;
  /** Capability numbers. */
  readonly capabilities: readonly number[];
  /** Classic BPF, or undefined for none. */
  readonly seccomp: Uint8Array | undefined;
  readonly noNewPrivileges: boolean;
  readonly noPivot: boolean;
  /** What becomes 0, 1 and 2; empty with a terminal. */
  readonly fds: readonly number[];
  readonly terminal: boolean;
  /** Hold the process before its first instruction until the main thread has set its limits. */
  readonly holdForLimits: boolean;
}

export interface PadSettings {
  /** Directory of the host that the pad may cover, in its own mount namespace, to build on. */
  readonly workshop: string;
  /** Namespaces of the caller that the pad stays in. */
  readonly kept: readonly NamespaceKind[];
  /** One `Int32` of `PAD_STATE`, shared by both threads. */
  readonly state: SharedArrayBuffer;
  /** Kernel files to hide and to make read-only while warming; a plan that wants them differently undoes it. */
  readonly maskPaths: readonly string[];
  readonly readOnlyPaths: readonly string[];
  /** Group that owns terminals, when it is mapped. */
  readonly ttyGroup: number | undefined;
  /** Whether the host's env(1) has --ignore-signal. */
  readonly envIgnoresSignals: boolean;
  /** What the keeper reads from; it ends when the main thread closes the other end. The pad closes this one. */
  readonly keeperReadFd: number;
  /** The other end, to talk to it once; stays open. */
  readonly keeperWriteFd: number;
}

export type PadMessage =
  | { readonly type: 'ready'; readonly threadId: number; readonly keeperPid: number }
  /** The process runs (or, when held, is about to). */
  | { readonly type: 'started'; readonly pid: number; readonly terminalFd: number | undefined }
  /** The process has ended; what it left behind is to be ended by closing the keeper's pipe. */
  | { readonly type: 'exited' }
  | { readonly type: 'hold'; readonly gateFd: number }
  /** The process and everything it started are gone. */
  | { readonly type: 'ended'; readonly status: WaitResult }
  | {
      readonly type: 'failed';
      /** What was being done. */
      readonly step: string;
      readonly message: string;
      readonly errno: string | undefined;
    };

/**
 * Where the pad is. Node ends threads when the program exits, and a thread that is inside a foreign call then brings the
 * whole program down; so the pad says when it is `busy`, and an exiting program waits or, before that, says `stopped`.
 */
export const PAD_STATE = { idle: 0, busy: 1, stopped: 2 } as const;
