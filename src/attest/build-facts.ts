/**
 * What a build tells of itself, as plain values: the build fills them in, `provenance.ts` makes SLSA's words of them.
 * Nothing here may hold a secret: of secrets and agents only the ids are known, and build arguments are left out of
 * the short form.
 */
import type { Descriptor } from '../spec/descriptor.ts';
import type { Platform } from '../spec/platform.ts';

export interface BuildFacts {
  /** Who vouches for the build, a URI; empty when nobody said (`builder-id`). */
  readonly builderId: string;
  /** Names this run of the builder. Not written when the provenance is to be reproducible. */
  readonly invocationId: string;
  /** RFC 3339, UTC. Not written when the provenance is to be reproducible. */
  readonly startedOn?: string;
  readonly finishedOn?: string;
  /** Platform of the machine that built, which is not that of the image. */
  readonly builderPlatform: Platform;
  /** Where the Dockerfile came from. */
  readonly source: BuildSource;
  /** What was asked for. */
  readonly request: BuildRequestFacts;
  /** Everything fetched, in any order; equal ones are written once. */
  readonly inputs: readonly FetchedInput[];
  /**
   * Whether `inputs` is all the build read: false with a local context, whose files have no name elsewhere, and
   * after a RUN that could reach the network.
   */
  readonly hasAllInputs: boolean;
  /** Whether no step could reach the network. */
  readonly isHermetic: boolean;
  /** The user's promise that the same inputs give the same image (`reproducible=true`). */
  readonly isReproducible: boolean;
  /** Version control of the context, where it is known. */
  readonly vcs?: { readonly source?: string; readonly revision?: string };
  /** The Dockerfile itself; in the long form only. */
  readonly dockerfile?: { readonly filename: string; readonly text: string };
  /** In the order they ran or were found in the cache; in the long form only. */
  readonly steps: readonly BuildStepFacts[];
}

export interface BuildSource {
  /** Of a remote context, credentials taken out; absent for a local one. */
  readonly uri?: string;
  readonly digest?: DigestSet;
  /** Path of the Dockerfile in the source. */
  readonly path: string;
}

export interface BuildRequestFacts {
  /** Stage that was built, when one was named. */
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Named contexts: name and place, credentials taken out. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Names of local directories read: `context`, `dockerfile`, names of `--build-context`. */
  readonly locals: readonly string[];
  readonly secrets: readonly { readonly id: string; readonly isOptional: boolean }[];
  readonly agents: readonly { readonly id: string; readonly isOptional: boolean }[];
}

export type FetchedInput =
  /** `reference` as written in the Dockerfile; `digest` of the manifest or index it meant. */
  | { readonly kind: 'image'; readonly reference: string; readonly digest?: string; readonly platform?: Platform }
  /** `commit` is a SHA-1 or SHA-256 in hex. */
  | { readonly kind: 'git'; readonly url: string; readonly commit: string }
  /** `digest` of the body. */
  | { readonly kind: 'http'; readonly url: string; readonly digest?: string };

export interface BuildStepFacts {
  /** Unique in the build, such as `0.3`: stage and instruction. */
  readonly id: string;
  /** The instruction as shown: `RUN make`. */
  readonly name: string;
  /** Stage it belongs to: name or index. */
  readonly stage: string;
  /** Ids of steps whose result it reads. */
  readonly inputs: readonly string[];
  readonly isCached: boolean;
  /** First and last line in the Dockerfile, from 1. */
  readonly lines?: readonly [first: number, last: number];
  /** Layer it made, if one. */
  readonly layer?: Descriptor;
}

/** Algorithm in SLSA's spelling (`sha256`, `sha1`) to hex. */
export type DigestSet = Readonly<Record<string, string>>;
