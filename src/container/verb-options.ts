/** What the verbs of the library take and give. Paths may be relative to `cwd` of the builder. */

import type { EncryptionOptions } from '../image/crypt/layer-crypt.ts';
import type { Emit } from '../report/event.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { HealthConfig } from '../spec/image-config.ts';
import type { Compression, ImageFormat, LayerCompression } from '../spec/media-type.ts';
import type { Platform } from '../spec/platform.ts';
import type { Isolation, NetworkMode } from '../spec/process-spec.ts';
import type { Cancellable } from '../spec/target.ts';
import type { SigningOptions } from '../trust/signer.ts';
import type { RunDefaults } from './working-container.ts';

/** Where the store is and what surrounds the builder. Every default is the machine's. */
export interface BuilderOptions extends Cancellable {
  readonly root?: string;
  readonly runroot?: string;
  readonly driver?: 'overlay' | 'vfs';
  /** Where images, layers and remembered steps are, instead of below `root`; '' for none, whatever storage.conf says. */
  readonly imageStore?: string;
  /** Working containers are forgotten with `runroot`, which a reboot empties. */
  readonly transientStore?: boolean;
  /** `KEY=VALUE` of containers-storage.conf(5), such as `overlay.mountopt=nodev`, instead of those of storage.conf. */
  readonly storageOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly emit?: Emit;
  readonly registriesConf?: string;
  readonly registriesConfDir?: string;
  /** File of aliases that were chosen by hand, instead of the user's own. */
  readonly shortNameAliasConf?: string;
  /** policy.json instead of the machine's; a relative path starts at `cwd`. */
  readonly signaturePolicy?: string;
  /** File in the form of mounts.conf, instead of the machine's. */
  readonly defaultMountsFile?: string;
}

/** How to talk to registries. */
export interface RegistryOptions {
  /** undefined: as registries.conf says. */
  readonly tlsVerify?: boolean;
  readonly certDir?: string;
  readonly authfile?: string;
  readonly creds?: { readonly username: string; readonly password: string };
  readonly retries?: number;
  readonly retryDelayMs?: number;
}

export interface BlobCacheOptions {
  /** Directory of blobs that outlives the store; made if it is missing. */
  readonly blobCache?: string;
}

export type PullPolicy = 'always' | 'missing' | 'never' | 'newer';

export interface PullOptions extends RegistryOptions, BlobCacheOptions, Cancellable {
  /** `FILE[:PASSPHRASE]`, private keys that open encrypted layers; the passphrase may be `file=FILE` or `fd=N`. */
  readonly decryptionKeys?: readonly string[];
  readonly policy?: PullPolicy;
  readonly platform?: Platform;
  readonly allTags?: boolean;
  readonly quiet?: boolean;
}

export interface FromOptions extends PullOptions {
  /** Name of the container; default `<base>-working-container[-n]`. */
  readonly name?: string;
  readonly format?: ImageFormat;
  readonly run?: RunDefaults;
  readonly suffix?: string;
}

export interface RunOptions extends RunDefaults, Cancellable {
  readonly user?: string;
  readonly cwd?: string;
  /** `K=V`, bare `K` (from the caller), `K*` (all with that prefix), `*`. */
  readonly envAdd?: readonly string[];
  readonly hostname?: string;
  readonly terminal?: boolean;
  /** `--mount` specifications. */
  readonly mounts?: readonly string[];
  readonly contextDir?: string;
  readonly addHistory?: boolean;
  readonly stdin?: 'inherit' | 'ignore';
  /** Default: the process's own streams. */
  readonly stdout?: (chunk: Uint8Array) => void;
  readonly stderr?: (chunk: Uint8Array) => void;
}

export interface CopyOptions extends RegistryOptions, BlobCacheOptions, Cancellable {
  /** As of `PullOptions`, for `from`. */
  readonly decryptionKeys?: readonly string[];
  readonly chown?: string;
  readonly chmod?: string;
  /** Copy from this working container or image instead of the caller's file system. */
  readonly from?: string;
  readonly contextDir?: string;
  readonly ignoreFile?: string;
  readonly exclude?: readonly string[];
  readonly parents?: boolean;
  readonly link?: boolean;
  readonly checksum?: string;
  /** Seconds since the epoch: mtime of everything copied. */
  readonly timestamp?: number;
  readonly noFollowSymlinks?: boolean;
  readonly allowEmptyWildcard?: boolean;
  readonly allowWildcard?: boolean;
  readonly addHistory?: boolean;
}

/**
 * Changes of a container's configuration, applied in a fixed order whatever the order of the members.
 * Lists of `k=v`: `k-` unsets, `-` alone clears. Absent members change nothing; an empty `cmd` clears.
 */
export interface ConfigChanges {
  readonly annotation?: readonly string[];
  readonly arch?: string;
  readonly author?: string;
  /** JSON array or shell words. */
  readonly cmd?: string;
  readonly comment?: string;
  readonly createdBy?: string;
  readonly domainname?: string;
  /** JSON array = exec form; anything else becomes `["/bin/sh","-c",TEXT]`. */
  readonly entrypoint?: string;
  readonly env?: readonly string[];
  /** `CMD …`, `CMD-SHELL …`, `NONE`, JSON. */
  readonly healthcheck?: string;
  readonly healthcheckOptions?: Pick<
    HealthConfig,
    'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval' | 'Retries'
  >;
  readonly historyComment?: string;
  readonly hostname?: string;
  readonly label?: readonly string[];
  readonly onbuild?: readonly string[];
  readonly os?: string;
  readonly osFeature?: readonly string[];
  readonly osVersion?: string;
  readonly port?: readonly string[];
  readonly shell?: string;
  readonly stopSignal?: string;
  readonly unsetAnnotation?: readonly string[];
  readonly unsetLabel?: readonly string[];
  readonly user?: string;
  readonly variant?: string;
  readonly volume?: readonly string[];
  readonly workingDir?: string;
  readonly addHistory?: boolean;
}

export interface CommitOptions
  extends RegistryOptions,
    BlobCacheOptions,
    SigningOptions,
    EncryptionOptions,
    Cancellable {
  readonly format?: ImageFormat;
  readonly squash?: boolean;
  /** Seconds since the epoch for `created`, history and all new layer mtimes. */
  readonly timestamp?: number;
  /** Seconds since the epoch for `created` and history only. */
  readonly sourceDateEpoch?: number;
  /** Clamp mtimes in new layers to `sourceDateEpoch`. */
  readonly rewriteTimestamp?: boolean;
  readonly annotations?: readonly string[];
  readonly unsetAnnotations?: readonly string[];
  readonly unsetEnv?: readonly string[];
  readonly omitHistory?: boolean;
  /** `io.buildah.version` label; default true unless a timestamp is given. */
  readonly identityLabel?: boolean;
  readonly createdAnnotation?: boolean;
  /** Instructions of a Dockerfile that change the config, applied in order after everything else. */
  readonly changes?: readonly string[];
  /** JSON file with the execution part of an image config: what it says counts. */
  readonly configFile?: string;
  /** `source[:destination]`: files put into the image as a layer of their own. */
  readonly addFiles?: readonly string[];
  /** Name of a list that the image is put into; it is made when there is none. */
  readonly manifest?: string;
  /** Of what is sent elsewhere; layers in the store are never compressed. */
  readonly compression?: LayerCompression;
  readonly compressionLevel?: number;
  readonly forceCompression?: boolean;
  /** Preset of Buildah's or `spdx`, `cyclonedx`: format of the bill of materials. */
  readonly sbom?: string;
  /** File for the bill of materials. */
  readonly sbomOutput?: string;
  /** File for its package URLs, one a line. */
  readonly sbomPurlOutput?: string;
  /** The same as files of the image, in a layer of their own. */
  readonly sbomImageOutput?: string;
  readonly sbomImagePurlOutput?: string;
  /** Delete the working container afterwards. */
  readonly rm?: boolean;
  readonly quiet?: boolean;
}

export interface CommitResult {
  /** 64 hex digits. */
  readonly id: string;
  readonly manifest: Descriptor;
  readonly configDigest: Digest;
  /** The full name given, if any. */
  readonly name: string | undefined;
  /** False when the image went to a transport other than the local store. */
  readonly stored: boolean;
}

export interface PushOptions extends RegistryOptions, BlobCacheOptions, SigningOptions, EncryptionOptions, Cancellable {
  readonly format?: ImageFormat;
  readonly compression?: LayerCompression;
  readonly compressionLevel?: number;
  readonly forceCompression?: boolean;
  /** All instances of an index. */
  readonly all?: boolean;
  /** Of an index, the index alone: its images are at the destination already. */
  readonly indexOnly?: boolean;
  /** With `all`: every image in these compressions as well, as further entries. */
  readonly addCompression?: readonly Compression[];
  readonly quiet?: boolean;
}

/** What to read for questions about a Dockerfile that is not built. */
export interface DockerfileOptions extends Cancellable {
  /** Directory, Containerfile path, URL, git URL or `-`; default the current directory. */
  readonly context?: string;
  readonly files?: readonly string[];
  readonly target?: string;
  /** `K=V`, or bare `K` from the environment. */
  readonly buildArgs?: readonly string[];
  readonly buildArgFiles?: readonly string[];
  /** `name=place`: only the names count. */
  readonly buildContexts?: readonly string[];
  readonly ignoreFile?: string;
  readonly platform?: Platform;
  /** As those of a build; logins for a context that is fetched may be among them. */
  readonly secrets?: readonly string[];
  readonly ssh?: readonly string[];
}

export interface CheckOptions extends DockerfileOptions {
  /**
   * Rules beyond BuildKit's: `recommended` (the default), `strict`, names, or hadolint's numbers; `buildkit` for none.
   */
  readonly rules?: readonly string[];
  /** Each file by itself; otherwise several are one, as in a build. */
  readonly separately?: boolean;
}

/** Files of the caller as an entry of a list. */
export interface ArtifactOptions {
  /** Default `application/vnd.unknown.artifact.v1`. */
  readonly artifactType?: string;
  /** File whose content is the config; default the empty one. */
  readonly configFile?: string;
  /** Default `application/vnd.oci.empty.v1+json`. */
  readonly configType?: string;
  /** Of every file; default told from name and content. */
  readonly layerType?: string;
  /** The image it is about. */
  readonly subject?: string;
  /** Files do not say their names. */
  readonly excludeTitles?: boolean;
  /** `k=v` of the manifest. */
  readonly manifestAnnotations?: readonly string[];
}

/** What a list says of an entry; absent members change nothing. */
export interface ListEntryOptions extends RegistryOptions {
  /** Of an image that is a list itself, every image. */
  readonly all?: boolean;
  /** Which image of a list; default the one for this machine. */
  readonly platform?: Platform;
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
  readonly features?: readonly string[];
  /** `k=v` */
  readonly annotations?: readonly string[];
}

export interface BuildOptions extends RegistryOptions, BlobCacheOptions, SigningOptions, Cancellable {
  /** As of `PullOptions`, for the images the build reads. */
  readonly decryptionKeys?: readonly string[];
  /** Directory, Containerfile path, URL, git URL or `-`; default the current directory. */
  readonly context?: string;
  /** Containerfiles; several are concatenated. */
  readonly files?: readonly string[];
  readonly tags?: readonly string[];
  readonly target?: string;
  /** `K=V`, or bare `K` from the environment. */
  readonly buildArgs?: readonly string[];
  readonly buildArgFiles?: readonly string[];
  /** Words for `cpp`, through which Containerfiles go whose names end in `.in`; $BUILDAH_CPPFLAGS come first. */
  readonly cppFlags?: readonly string[];
  /** `name=place` */
  readonly buildContexts?: readonly string[];
  readonly ignoreFile?: string;
  readonly labels?: readonly string[];
  readonly annotations?: readonly string[];
  readonly env?: readonly string[];
  readonly unsetEnv?: readonly string[];
  readonly unsetLabels?: readonly string[];
  readonly unsetAnnotations?: readonly string[];
  /** Commit and look up each step. */
  readonly layers?: boolean;
  readonly noCache?: boolean;
  /** Steps remembered for longer are run again; 0 reuses nothing. */
  readonly cacheTtlMs?: number;
  /** `REPOSITORY`, `IMAGE`, `type=registry,ref=…`, `type=local,src=…`: steps remembered elsewhere. */
  readonly cacheFrom?: readonly string[];
  /** `REPOSITORY`, `type=registry,ref=…`, `type=local,dest=…`, `type=inline`: where steps are kept besides the store. */
  readonly cacheTo?: readonly string[];
  /** Ends with the event `explained`. */
  readonly explain?: boolean;
  readonly jobs?: number;
  readonly skipUnusedStages?: boolean;
  /** The machine's own when empty. One image is built for each. */
  readonly platforms?: readonly Platform[];
  /** Instead of `platforms`: every platform for which all base images can be had. */
  readonly allPlatforms?: boolean;
  /** Name of a list that the images are put into; it is made when there is none. */
  readonly manifest?: string;
  readonly from?: string;
  readonly pull?: PullPolicy;
  /**
   * Lock file: written by a build that succeeds, read by one with `locked`; then the default is `slipway.lock` in the
   * context directory.
   */
  readonly lock?: string;
  /** Build with what the lock file says and nothing else. */
  readonly locked?: boolean;
  /** Rules in BuildKit's JSON about what may be read, and what is read in its place. */
  readonly sourcePolicyFile?: string;
  readonly format?: ImageFormat;
  readonly squash?: boolean;
  readonly timestamp?: number;
  readonly sourceDateEpoch?: number;
  readonly rewriteTimestamp?: boolean;
  readonly identityLabel?: boolean;
  readonly omitHistory?: boolean;
  readonly createdAnnotation?: boolean;
  readonly inheritLabels?: boolean;
  readonly inheritAnnotations?: boolean;
  /** `id=…,src=…|env=…` */
  readonly secrets?: readonly string[];
  /** `default|id[=socket|key,…]` */
  readonly ssh?: readonly string[];
  /** Granted to the Dockerfile: `security.insecure`, `network.host`, `device`, `device=vendor/class[=name]`. */
  readonly allow?: readonly string[];
  /** Added to every RUN. */
  readonly mounts?: readonly string[];
  readonly run?: RunDefaults;
  /** Every RUN has the standard input of this process, is run in any case, and one at a time unless `jobs` says more. */
  readonly stdin?: boolean;
  /** What a RUN writes below a VOLUME, of the file so far or of the base, is thrown away. */
  readonly compatVolumes?: boolean;
  /** On the terminal of this process, open a shell where a RUN failed; the build fails when it ends. */
  readonly debugShell?: boolean;
  /** Leave a working container where a step failed; `facts.container` of the error names it. */
  readonly keepFailed?: boolean;
  /** Tell with the end of each step what the machine was used for meanwhile. */
  readonly usage?: boolean;
  /** Send the event `timings` when the build is over. */
  readonly timings?: boolean;
  /** File for a trace in the Trace Event Format; written whole, also when the build fails. */
  readonly trace?: string;
  /** Files for reports, `.html` or `.json`; written whole, also when the build fails. */
  readonly reports?: readonly string[];
  /** `DIR`, `-`, `type=local|tar|oci|docker,dest=…`, `type=image|registry,name=…`, `type=cacheonly` */
  readonly outputs?: readonly string[];
  /** Of what is sent elsewhere; layers in the store are never compressed. */
  readonly compression?: LayerCompression;
  readonly compressionLevel?: number;
  readonly forceCompression?: boolean;
  /** Keep an image of every stage below the target. */
  readonly saveStages?: boolean;
  /** Label those with the stage's name and base. */
  readonly stageLabels?: boolean;
  /** `K[=V]`: labels of those alone. */
  readonly layerLabels?: readonly string[];
  readonly osVersion?: string;
  /** A name that ends with `-` is taken away. */
  readonly osFeatures?: readonly string[];
  /** `type=sbom|provenance[,…]` */
  readonly attest?: readonly string[];
  /** `true`, `false`, `spdx`, `cyclonedx`, fields of `attest`; or a preset of Buildah's for the files below. */
  readonly sbom?: string;
  /** `true`, `false`, or fields of `attest`. */
  readonly provenance?: string;
  /** File for the bill of materials itself. */
  readonly sbomOutput?: string;
  /** File for its package URLs, one a line. */
  readonly sbomPurlOutput?: string;
  /** The same as files of the image, in a layer of their own. */
  readonly sbomImageOutput?: string;
  readonly sbomImagePurlOutput?: string;
  readonly quiet?: boolean;
  /** What always happens: no container outlives a build. */
  readonly forceRm?: boolean;
  /** false is refused: builds make no working containers that could be kept. */
  readonly rm?: boolean;
}

/** Which build to explain: the last one of this context, and of this Dockerfile where several were built with it. */
export interface WhyOptions {
  /** Directory or URL; default the working directory. */
  readonly context?: string;
  /** `-` for standard input. */
  readonly file?: string;
}

/** One image of a build. */
export interface BuiltImage {
  /** 64 hex digits. */
  readonly id: string;
  readonly manifest: Descriptor;
  readonly platform: Platform;
}

/** What a build came to: its image, the last of several, or with `manifest` the list. */
export interface BuildResult {
  /** 64 hex digits; undefined when nothing was committed. */
  readonly id: string | undefined;
  readonly manifest: Descriptor | undefined;
  readonly names: readonly string[];
  /** In the order of the platforms. */
  readonly images: readonly BuiltImage[];
}

/** One row of `images`. */
export interface ImageSummary {
  /** 64 hex digits. */
  readonly id: string;
  readonly names: readonly string[];
  /** Digest of the manifest or index. */
  readonly digest: Digest;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  /** Bytes of all layers, unpacked where known. */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Nameless and the parent of nothing. */
  readonly dangling: boolean;
  readonly intermediate: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly isIndex: boolean;
  /** Ids of working containers made from it. */
  readonly containers: readonly string[];
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
  /** Always true: all containers of this store are builders. */
  readonly builder: true;
  readonly mountPoint: string | undefined;
  readonly created: string;
}

export interface RemovedImage {
  readonly untagged: readonly string[];
  /** Ids of images removed, newly dangling parents included. */
  readonly removed: readonly string[];
}

/** Result of looking at a container, image or index; `json` has Buildah's shape and key order. */
export interface Inspection {
  readonly type: 'container' | 'image' | 'manifest';
  readonly json: Readonly<Record<string, unknown>>;
}

export interface InfoReport {
  readonly host: Readonly<Record<string, unknown>>;
  readonly store: Readonly<Record<string, unknown>>;
  readonly isolation: {
    readonly chosen: Isolation;
    readonly why: string;
    readonly runtime?: string;
    /** What is tried first for `--network private`; absent when nothing is installed. */
    readonly networkHelper?: string;
  };
}

export interface LoginOptions extends RegistryOptions, Cancellable {
  readonly username: string;
  readonly password: string;
  readonly compatAuthFile?: string;
}

export type { NetworkMode };
