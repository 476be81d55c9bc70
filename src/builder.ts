/**
 * The façade of the library: `openBuilder` opens a store and gives the verbs. The command line is one user of it.
 */
import type {
  BuilderOptions,
  BuildOptions,
  BuildResult,
  CommitOptions,
  CommitResult,
  ConfigChanges,
  ContainerSummary,
  CopyOptions,
  FromOptions,
  ImageSummary,
  InfoReport,
  Inspection,
  LoginOptions,
  PullOptions,
  PushOptions,
  RemovedImage,
  RunOptions,
} from './container/verb-options.ts';
import type { WorkingContainer } from './container/working-container.ts';
import type { ExitStatus } from './spec/process-spec.ts';

/** The verbs. Containers are named by name or id (or an unambiguous beginning of it), images by name, id or digest. */
export interface Builder extends AsyncDisposable {
  readonly root: string;
  readonly runroot: string;
  readonly driver: 'overlay' | 'vfs';
  from(image: string, o?: FromOptions): Promise<WorkingContainer>;
  /** Runs a command; a non-zero exit is a value, not an error. */
  run(container: string, args: readonly string[], o?: RunOptions): Promise<ExitStatus>;
  /** Gives the bare hex digest of what was added. */
  copy(
    container: string,
    sources: readonly string[],
    destination?: string,
    o?: CopyOptions,
  ): Promise<{ readonly digest: string }>;
  add(
    container: string,
    sources: readonly string[],
    destination?: string,
    o?: CopyOptions,
  ): Promise<{ readonly digest: string }>;
  config(container: string, changes: ConfigChanges): Promise<WorkingContainer>;
  /** `image` may carry a transport; none makes a nameless image. */
  commit(container: string, image?: string, o?: CommitOptions): Promise<CommitResult>;
  /** Mounts and leaves it mounted; mounting twice gives the same path. */
  mount(container: string): Promise<string>;
  umount(container: string): Promise<{ readonly id: string }>;
  containers(): Promise<readonly ContainerSummary[]>;
  container(nameOrId: string): Promise<WorkingContainer>;
  /** Removes a working container and gives its id. */
  rm(container: string): Promise<{ readonly id: string }>;
  rename(container: string, newName: string): Promise<void>;
  images(): Promise<readonly ImageSummary[]>;
  image(nameOrId: string): Promise<ImageSummary>;
  tag(image: string, newNames: readonly string[]): Promise<void>;
  rmi(image: string, o?: { force?: boolean }): Promise<RemovedImage>;
  /** Removes dangling images, with `all` every image no container uses. */
  prune(o?: { all?: boolean; force?: boolean }): Promise<RemovedImage>;
  inspect(nameOrId: string, type?: 'container' | 'image' | 'manifest'): Promise<Inspection>;
  /** Gives the ids of what is now in the store. */
  pull(image: string, o?: PullOptions): Promise<readonly string[]>;
  push(image: string, destination?: string, o?: PushOptions): Promise<{ readonly digest: string }>;
  login(registry: string, o: LoginOptions): Promise<void>;
  build(o: BuildOptions): Promise<BuildResult>;
  info(): Promise<InfoReport>;
}

export type { BuilderOptions };
