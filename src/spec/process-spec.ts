/** A process to run in a root filesystem, everything resolved: ids are numbers, paths absolute. */

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, without `gid`. */
  readonly groups: readonly number[];
}

export interface ResourceLimit {
  /** `nofile`, `nproc`, … as in prlimit(1). */
  readonly name: string;
  /** -1 means unlimited. */
  readonly soft: number;
  readonly hard: number;
}

/** Something to show inside the container while a process runs. Sources are absolute paths outside. */
export type RunMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** `rprivate`, `rslave`, `shared`, …; absent means rprivate */
      readonly propagation?: string;
      readonly options?: readonly ('nosuid' | 'nodev' | 'noexec' | 'norecurse')[];
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      readonly mode?: number;
      readonly readOnly?: boolean;
    }
  /** Writes go to a throwaway layer over `source`. */
  | { readonly type: 'overlay'; readonly source: string; readonly target: string };

/**
 * What is asked for: the caller's network, none but the loopback, or one of its own, connected by whichever helper works
 * or by the one named; `ns:` goes before the path of a namespace's file.
 */
export type NetworkMode = 'host' | 'none' | 'private' | 'pasta' | 'slirp4netns' | `ns:${string}`;
/** What a process gets: `namespace` is the path of a network namespace's file. */
export type ProcessNetwork = 'host' | 'none' | { readonly namespace: string };
export type Isolation = 'oci' | 'rootless' | 'chroot';

/** What a process is cut off from unless somebody says otherwise. */
export type NamespaceKind = 'cgroup' | 'ipc' | 'pid' | 'uts';
/** The caller's, or one that has a file; without an entry a process has one of its own. */
export type SharedNamespaces = Readonly<Partial<Record<NamespaceKind, 'host' | { readonly path: string }>>>;

/** What a control group holds a process to. Absent members set nothing. */
export interface ProcessResources {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1 is no limit. */
  readonly memorySwapBytes?: number;
  /** Relative weight, 1024 being what everybody has. */
  readonly cpuShares?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuQuotaUs?: number;
  /** Lists such as `0-2,4`. */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** Path of the cgroup to be below, or with `systemd` the name of a slice. */
  readonly cgroupParent?: string;
}

export interface ProcessSpec {
  readonly args: readonly string[];
  /** `K=V`, in order; nothing else reaches the process. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: ProcessUser;
  readonly terminal: boolean;
  readonly hostname?: string;
  readonly mounts: readonly RunMount[];
  readonly network: ProcessNetwork;
  /** Full names without CAP_, upper case, sorted: the bounding, permitted and effective set. */
  readonly capabilities: readonly string[];
  readonly limits: readonly ResourceLimit[];
  /** Path of a profile, `unconfined`, or undefined for the default one. */
  readonly seccomp?: string;
  readonly noNewPrivileges: boolean;
  readonly shmSizeBytes: number;
  readonly maskPaths?: readonly string[];
  readonly unmaskPaths?: readonly string[];
  readonly devices?: readonly { readonly source: string; readonly target: string; readonly permissions: string }[];
  readonly readOnlyRoot?: boolean;
  /** Programs of the host that prepare the container; only OCI runtimes run them. */
  readonly hooks?: readonly ProcessHook[];
  readonly namespaces?: SharedNamespaces;
  /** Settings the kernel keeps for each namespace; only OCI runtimes make them. */
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly resources?: ProcessResources;
  /** Groups of the caller stay; only crun can leave them. */
  readonly keepGroups?: boolean;
}

/** A hook of the runtime specification. */
export interface ProcessHook {
  /** `createRuntime`, `createContainer`, `startContainer`, … */
  readonly stage: string;
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: string };
