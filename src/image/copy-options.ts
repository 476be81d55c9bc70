/** What a copy can be asked for besides source and destination. */
import type { Emit } from '../report/event.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId } from '../spec/digest.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import type { Platform } from '../spec/platform.ts';
import type { Bytes, Cancellable } from '../spec/target.ts';
import type { Admit } from './admission.ts';
import type { LayerDecrypter, LayerEncrypter } from './crypt/layer-crypt.ts';

type LayerAnnotations = Readonly<Record<string, string>> | undefined;

/** What takes a layer's place at the destination. */
export type LayerReplacement =
  /** Content of known digest, as a blob kept from an earlier push is. */
  | { readonly descriptor: Descriptor; open(): Promise<Bytes> }
  /** Content that is made while it is sent; its digest is known at its end. */
  | {
      readonly mediaType: string;
      readonly content: Bytes;
      /** Asked for when the content has ended. */
      readonly annotations?: () => LayerAnnotations | Promise<LayerAnnotations>;
    };

export interface SourceLayer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
  /** Position in the manifest, 0 is the lowest layer. */
  readonly index: number;
  /** Bytes whose digest and size, or whose MAC, are checked at their end. */
  open(): Promise<Bytes>;
}

/** undefined leaves the layer as it is. */
export type TransformLayer = (layer: SourceLayer, o: Cancellable) => Promise<LayerReplacement | undefined>;

/** What a transfer has to know about signatures. */
export interface CopySignatures {
  /** Whether a manifest or index of the source must reach the destination unchanged. */
  isBound(d: Descriptor): Promise<boolean>;
  sent(d: Descriptor): void;
}

export interface CopyOptions extends Cancellable {
  /** Judges every single image of the source once its manifest is here; nothing of one it refuses is copied. */
  readonly admit?: Admit | undefined;
  /** Asked of every image and list whether signatures bind it to its bytes, and told what the destination has. */
  readonly signatures?: CopySignatures | undefined;
  /**
   * Which images of an index; default the one for this machine. One platform gives a single image, several an index;
   * `none` the index alone, whose images the destination has.
   */
  readonly platforms?: readonly Platform[] | 'all' | 'none' | undefined;
  /** Blobs moved at the same time, default 6. */
  readonly concurrency?: number | undefined;
  readonly emit?: Emit | undefined;
  /** Refuses whatever would change a manifest. */
  readonly preserveDigests?: boolean | undefined;
  /** Media types at the destination; default those of the source, or what the destination requires. */
  readonly format?: ImageFormat | undefined;
  /** Called for every layer before it is looked for at the destination. */
  readonly transformLayer?: TransformLayer | undefined;
  /** Opens encrypted layers; without one they are copied as they are. */
  readonly decrypter?: LayerDecrypter | undefined;
  /** Encrypts the layers it chooses, unless they are encrypted already. Manifests become OCI's. */
  readonly encrypter?: LayerEncrypter | undefined;
  /** Other repositories of the destination's registry whose blobs may be mounted. */
  readonly mountFrom?: readonly string[] | undefined;
  /** Attempts after the first for a blob that broke off on its way, default 3. */
  readonly retries?: number | undefined;
  readonly retryDelayMs?: number | undefined;
}
