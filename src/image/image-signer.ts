/**
 * Signatures of what a transfer leaves at its destination: those that come along with unchanged images, and new ones.
 * Whether they can be kept is found out before anything is sent, and they are written after the name, as readers expect.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Emit } from '../report/event.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { TransportName } from '../spec/image-name.ts';
import type { ImageSignature } from '../spec/image-signature.ts';
import { formatReference, parseReference, type QualifiedReference, qualify } from '../spec/reference.ts';
import { locationIdentity } from '../trust/policy-scope.ts';
import { openSigners, type Signer, type SignerSurroundings, type SigningOptions } from '../trust/signer.ts';
import { type HoldsSignatures, holdsSignatures } from './admission.ts';

/** Optional power of a place that is written: it keeps signatures. */
export interface KeepsSignatures {
  /** @throws `signature.failed` when signatures of one of these kinds have no place */
  requireSignatureStore(formats: readonly ImageSignature['format'][]): Promise<void>;
  /** Keeps these signatures of a manifest that is there. */
  putSignatures(manifest: Digest, signatures: readonly ImageSignature[]): Promise<void>;
}

export interface ImageSignerOptions extends SignerSurroundings {
  readonly transport: TransportName;
  readonly location: string;
  readonly signing: SigningOptions;
  /** The name to sign, where the destination's own is not it. */
  readonly identity?: string | undefined;
  /** Signatures of the source that go along. */
  readonly from?: object | undefined;
  /** Why a signed image cannot stay as it is; undefined when it can. */
  readonly change?: string | undefined;
  readonly emit: Emit;
}

export class ImageSigner {
  readonly #place: object;
  readonly #o: ImageSignerOptions;
  readonly #from: HoldsSignatures | undefined;
  readonly #signers: readonly Signer[];
  readonly #reference: string;
  readonly #kept = new Map<Digest, readonly ImageSignature[]>();
  readonly #sent = new Set<Digest>();

  private constructor(place: object, o: ImageSignerOptions, signers: readonly Signer[], reference: string) {
    this.#place = place;
    this.#o = o;
    this.#from = o.from !== undefined && holdsSignatures(o.from) ? o.from : undefined;
    this.#signers = signers;
    this.#reference = reference;
  }

  /** @throws `signature.failed` when a key is missing or the place keeps no signatures */
  static async open(place: object, o: ImageSignerOptions): Promise<ImageSigner> {
    const isSigning = o.signing.signBy !== undefined || o.signing.signBySigstorePrivateKey !== undefined;
    if (!isSigning) return new ImageSigner(place, o, [], '');
    const name = `${o.transport}:${o.transport === 'docker' ? '//' : ''}${o.location}`;
    if (!keepsSignatures(place)) {
      throw new BuilderError('signature.failed', `cannot sign ${name}: ${o.transport}: keeps no signatures`);
    }
    const reference = signedReference(o, name);
    const signers = await openSigners(o.signing, o);
    await place.requireSignatureStore(signers.map(({ format }) => format));
    return new ImageSigner(place, o, signers, formatReference(reference));
  }

  /**
   * Whether the source has signatures of the manifest: they go along, so it must stay as it is.
   * @throws `signature.failed` when they cannot
   */
  async isBound({ digest }: Descriptor): Promise<boolean> {
    const found = (await this.#from?.signaturesOf(digest)) ?? [];
    if (found.length === 0) return false;
    const { change, transport } = this.#o;
    const why = keepsSignatures(this.#place) ? change : `${transport}: keeps none`;
    if (why !== undefined) throw cannotKeep(digest, why);
    if (keepsSignatures(this.#place)) await this.#place.requireSignatureStore(found.map(({ format }) => format));
    this.#kept.set(digest, found);
    return true;
  }

  /** A manifest or index that is at the destination now. */
  sent({ digest }: Descriptor): void {
    this.#sent.add(digest);
  }

  /** Signs what was sent and keeps all signatures. */
  async finish(): Promise<void> {
    for (const digest of this.#sent) {
      const signatures = [...(this.#kept.get(digest) ?? [])];
      for (const signer of this.#signers) {
        const label = `Creating signature: Signing image using ${signer.name}`;
        this.#o.emit({ type: 'transfer', id: `${signer.format} ${digest}`, label, state: 'done' });
        signatures.push(await signer.sign({ digest, reference: this.#reference }));
      }
      if (signatures.length === 0 || !keepsSignatures(this.#place)) continue;
      await this.#place.putSignatures(digest, signatures);
    }
  }
}

/** @throws `signature.failed`: a signature without a name would say nothing */
function signedReference(o: ImageSignerOptions, name: string): QualifiedReference {
  if (o.identity !== undefined) {
    const reference = qualify(parseReference(o.identity), 'docker.io');
    if (reference.tag !== undefined || reference.digest !== undefined) return reference;
    throw new BuilderError('signature.failed', `cannot sign as ${o.identity}: it has neither tag nor digest`);
  }
  const { reference } = locationIdentity(o.transport, o.location);
  if (reference !== undefined) return reference;
  throw new BuilderError('signature.failed', `cannot sign ${name}: the image has no name there`, {
    hint: 'image copy takes a name with --sign-identity',
  });
}

/** The refusal to change an image whose signatures go along. */
export function cannotKeep(digest: Digest, why: string): BuilderError {
  return new BuilderError('signature.failed', `destination: the signatures of ${digest} cannot be kept: ${why}`, {
    hint: 'leave them behind with --remove-signatures',
    facts: { side: 'destination' },
  });
}

function keepsSignatures(place: object): place is KeepsSignatures {
  return 'putSignatures' in place && typeof place.putSignatures === 'function';
}
