/** What the inputs of a build came to, collected while it runs, for the lock file that is written at its end. */
import type { FetchedInput } from '../attest/build-facts.ts';
import { BuilderError } from '../report/builder-error.ts';
import { withoutCredentials } from './build-inputs.ts';
import type { Lock, LockedImage } from './lock-file.ts';

export class LockRecord {
  readonly #images = new Map<string, LockedImage>();
  readonly #http = new Map<string, string>();
  readonly #git = new Map<string, string>();

  /** @throws `lock.mismatch` when the image was another one before */
  image(found: LockedImage): void {
    const what = imageText(found);
    const before = this.#images.get(what)?.digest;
    requireSame(what, before, found.digest);
    this.#images.set(what, found);
  }

  /** @throws `lock.mismatch` when the same place gave something else before */
  fetched(input: FetchedInput): void {
    if (input.kind === 'http' && input.digest !== undefined) keep(this.#http, input.url, input.digest);
    if (input.kind === 'git') keep(this.#git, input.url, input.commit);
  }

  get lock(): Lock {
    return {
      images: [...this.#images.values()],
      http: [...this.#http].map(([url, digest]) => ({ url, digest })),
      git: [...this.#git].map(([url, commit]) => ({ url, commit })),
    };
  }
}

/** An image and the platform it is wanted for, for messages. */
export function imageText({ reference, platform }: Pick<LockedImage, 'reference' | 'platform'>): string {
  return `the image ${reference} for ${platform}`;
}

function keep(known: Map<string, string>, place: string, found: string): void {
  const url = withoutCredentials(place);
  requireSame(url, known.get(url), found);
  known.set(url, found);
}

/** One lock cannot hold both, and which of them the image has would be chance. */
function requireSame(what: string, before: string | undefined, found: string): void {
  if (before === undefined || before === found) return;
  throw new BuilderError('lock.mismatch', `cannot lock ${what}: while it was built, it was ${before} and ${found}`, {
    hint: 'it changed just now; build again',
    facts: { locked: before, found },
  });
}
