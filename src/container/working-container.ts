/**
 * A working container: the record of a root filesystem under construction and of the image it will become. It outlives
 * processes, so it is a plain value in a file; holding it locked or mounted is somebody else's disposable.
 */
import type { Descriptor } from '../spec/descriptor.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import type { Isolation, NamespaceKind, NetworkMode, ProcessResources, ResourceLimit } from '../spec/process-spec.ts';

/** How RUN behaves in this container unless a single run says otherwise. */
export interface RunDefaults {
  readonly isolation?: Isolation;
  readonly runtime?: string;
  readonly runtimeFlags?: readonly string[];
  readonly network?: NetworkMode;
  readonly addCapabilities?: readonly string[];
  readonly dropCapabilities?: readonly string[];
  readonly addHosts?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly noHosts?: boolean;
  readonly noHostname?: boolean;
  /** Proxy variables of the caller reach the process; default true. */
  readonly httpProxy?: boolean;
  readonly limits?: readonly ResourceLimit[];
  readonly shmSizeBytes?: number;
  /** `seccomp=…`, `no-new-privileges`, `mask=…`, `unmask=…`, `apparmor=…`, `label=…` */
  readonly securityOptions?: readonly string[];
  /** `source:target[:options]` */
  readonly volumes?: readonly string[];
  /** `host[:container[:rwm]]`, or names of CDI devices. */
  readonly devices?: readonly string[];
  /** Where CDI devices are described; the system's own places unless told. */
  readonly cdiDirectories?: readonly string[];
  /** `private` (the default), `host`, or the path of a namespace's file. */
  readonly namespaces?: Readonly<Partial<Record<NamespaceKind, string>>>;
  /** Further groups of processes: names of the image's /etc/group, ids, or `keep-groups`. */
  readonly addGroups?: readonly string[];
  readonly resources?: ProcessResources;
  readonly cgroupManager?: 'cgroupfs' | 'systemd';
  /** Directories of hooks for OCI runtimes. */
  readonly hooksDirectories?: readonly string[];
  /** Where the runtime of that name may be; the first that exists. */
  readonly runtimePaths?: readonly string[];
  /** What capabilities are added to and dropped from; the usual set unless told. Without CAP_. */
  readonly baseCapabilities?: readonly string[];
  /** `name=value` of settings the kernel keeps for each namespace; OCI runtimes only. */
  readonly sysctls?: readonly string[];
  /** What /etc/hosts begins with: a path, `image`, or `none`; the host's own unless told. */
  readonly baseHosts?: string;
  /** Address of the host for `host.containers.internal`. */
  readonly hostAddress?: string;
  /** The host name is the container's name instead of its id. */
  readonly nameAsHostname?: boolean;
  /** Exchange the root without pivot_root(2), for hosts whose own root is a ramdisk. */
  readonly noPivot?: boolean;
}

export interface BaseImage {
  /** As asked for and resolved: `docker.io/library/alpine:latest`; '' for a nameless one. */
  readonly name: string;
  /** 64 hex digits: the config digest. */
  readonly id: string;
  /** Digest of the manifest. */
  readonly digest: string;
  readonly manifest: Descriptor;
}

export interface WorkingContainer {
  readonly version: 1;
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  /** undefined: made from scratch. */
  readonly base: BaseImage | undefined;
  /** Layers of the base, bottom first, as its manifest lists them. */
  readonly baseLayers: readonly Descriptor[];
  /** Snapshot of the base; undefined for no layers. */
  readonly baseSnapshot: string | undefined;
  /** Raw config of the base, kept byte for byte by digest in the store; undefined for scratch. */
  readonly baseConfig: ImageConfig | undefined;
  /** What the image will say. */
  readonly config: ImageConfig;
  readonly annotations: Readonly<Record<string, string>>;
  readonly format: ImageFormat;
  /** Entries for config-only steps, before and after the layer's own entry. */
  readonly historyBefore: readonly HistoryEntry[];
  readonly historyAfter: readonly HistoryEntry[];
  readonly createdBy: string | undefined;
  readonly historyComment: string | undefined;
  readonly run: RunDefaults;
  /** Where `mount` left it mounted; undefined when it is not. */
  readonly mountPoint: string | undefined;
}
