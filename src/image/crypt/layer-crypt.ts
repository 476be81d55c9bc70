/** Encrypting and decrypting the layers of an image while they are copied. */
import type { KeyObject } from 'node:crypto';
import { verified } from '../../archive/verify.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import {
  decryptedLayerAnnotations,
  decryptedLayerType,
  encryptedLayerType,
  JWE_ANNOTATION,
  keyWrappings,
  PUBLIC_OPTIONS_ANNOTATION,
} from '../../spec/encrypted-layer.ts';
import type { Bytes } from '../../spec/target.ts';
import { readPrivateKey, readRecipient } from './key-file.ts';
import { MAX_RECIPIENTS, unwrapSecret, wrapSecret } from './key-wrap.ts';
import {
  decryptContent,
  encryptContent,
  KEY_BYTES,
  LAYER_CIPHER,
  type LayerSecret,
  MAC_BYTES,
  NONCE_BYTES,
} from './layer-cipher.ts';

/** What is asked for on command lines, and files of keys are named by. */
export interface EncryptionOptions {
  /** `jwe:FILE`, a public key each: every one of them will open the layers. */
  readonly encryptionKeys?: readonly string[] | undefined;
  /** Positions of layers, from the bottom, negative ones from the top; default all. */
  readonly encryptLayers?: readonly number[] | undefined;
}

/** A layer that can be read. */
export interface OpenedLayer {
  /** Without what tells of encryption. Digest and size are still those of the encrypted bytes. */
  readonly descriptor: Descriptor;
  /** @param encrypted is verified by the descriptor of the encrypted layer */
  decrypt(encrypted: Bytes): Bytes;
}

export interface SealedContent {
  readonly mediaType: string;
  readonly content: Bytes;
  /** Once the content has been read to its end. */
  annotations(): Promise<Readonly<Record<string, string>>>;
}

/** Encrypts layers, for whoever holds one of the keys. */
export class LayerEncrypter {
  readonly #recipients: readonly KeyObject[];
  readonly #positions: readonly number[] | undefined;

  constructor(recipients: readonly KeyObject[], positions: readonly number[] | undefined) {
    this.#recipients = recipients;
    this.#positions = positions === undefined || positions.length === 0 ? undefined : positions;
  }

  /** Which of so many layers are encrypted. @throws `usage.invalid` for a position there is none at */
  chosen(count: number): ReadonlySet<number> {
    if (this.#positions === undefined) return new Set(Array.from({ length: count }, (_, i) => i));
    return new Set(
      this.#positions.map((position) => {
        const index = position < 0 ? count + position : position;
        if (index >= 0 && index < count) return index;
        throw new BuilderError(
          'usage.invalid',
          `cannot encrypt the layer ${position}: the image has ${count} layer${count === 1 ? '' : 's'}`,
        );
      }),
    );
  }

  /** @param mediaType of the content as it is. @param annotations that the layer has anyway */
  seal(content: Bytes, mediaType: string, annotations: Readonly<Record<string, string>> | undefined): SealedContent {
    const encryption = encryptContent(content);
    return {
      mediaType: encryptedLayerType(mediaType),
      content: encryption.content,
      annotations: async () => {
        const { mac, plainDigest } = encryption.end();
        const { key, nonce } = encryption.secret;
        const secret = { symkey: base64(key), digest: plainDigest, cipheroptions: { nonce: base64(nonce) } };
        const known = { cipher: LAYER_CIPHER, hmac: base64(mac), cipheroptions: {} };
        const wrapped = await wrapSecret(Buffer.from(JSON.stringify(secret)), this.#recipients);
        return {
          ...annotations,
          [JWE_ANNOTATION]: base64(Buffer.from(wrapped)),
          [PUBLIC_OPTIONS_ANNOTATION]: base64(Buffer.from(JSON.stringify(known))),
        };
      },
    };
  }
}

/** Decrypts layers with whichever key fits. */
export class LayerDecrypter {
  readonly #keys: readonly KeyObject[];

  constructor(keys: readonly KeyObject[]) {
    this.#keys = keys;
  }

  /** Without keys, encrypted layers are refused. */
  get hasKeys(): boolean {
    return this.#keys.length > 0;
  }

  /** @throws `layer.encrypted` when no key opens it, `layer.invalid` when what tells of its encryption is malformed */
  async open(layer: Descriptor): Promise<OpenedLayer> {
    const { annotations: _, ...rest } = layer;
    const annotations = decryptedLayerAnnotations(layer.annotations);
    const known = publicOptions(layer);
    const secret = await this.#secretOf(layer, known.nonce);
    return {
      descriptor: {
        ...rest,
        mediaType: decryptedLayerType(layer.mediaType),
        ...(annotations === undefined ? {} : { annotations }),
      },
      decrypt: (encrypted) =>
        decryptContent(verified(encrypted, layer, `layer ${layer.digest}`), secret, known.mac, `layer ${layer.digest}`),
    };
  }

  async #secretOf(layer: Descriptor, nonce: Uint8Array | undefined): Promise<LayerSecret> {
    const wrapped = layer.annotations?.[JWE_ANNOTATION];
    if (this.#keys.length === 0) {
      throw encrypted(layer, 'and no key to open it is given', 'give the private key with --decryption-key FILE');
    }
    if (wrapped === undefined) {
      throw encrypted(
        layer,
        `for keys of ${keyWrappings(layer.annotations).join(', ') || 'nobody'}, which cannot be used here`,
      );
    }
    const parts = wrapped.split(',');
    if (parts.length > MAX_RECIPIENTS) throw malformed(layer, `its key is wrapped more than ${MAX_RECIPIENTS} times`);
    for (const part of parts) {
      const opened = await unwrapSecret(Buffer.from(part, 'base64').toString('utf8'), this.#keys);
      if (opened !== undefined) return secretIn(opened, nonce, layer);
    }
    throw encrypted(layer, this.#keys.length === 1 ? 'and the key does not open it' : 'and none of the keys opens it');
  }
}

function encrypted({ digest }: Descriptor, why: string, hint?: string): BuilderError {
  const details = { facts: { layer: digest }, ...(hint === undefined ? {} : { hint }) };
  return new BuilderError('layer.encrypted', `the layer ${digest} is encrypted, ${why}`, details);
}

/** What the sender wrapped: anybody can encrypt for a public key, so nothing of it is believed unseen. */
function secretIn(opened: Uint8Array, publicNonce: Uint8Array | undefined, layer: Descriptor): LayerSecret {
  const { symkey, cipheroptions } = objectIn(Buffer.from(opened).toString('utf8'), layer);
  const key = bytesOf(symkey);
  const nonce = publicNonce ?? nonceIn(cipheroptions);
  if (key?.length === KEY_BYTES && nonce?.length === NONCE_BYTES) return { key, nonce };
  throw malformed(layer, 'its key or nonce has not the right length');
}

/** What everybody may know of a layer. The nonce is usually wrapped with the key. */
function publicOptions(layer: Descriptor): { readonly mac: Uint8Array; readonly nonce: Uint8Array | undefined } {
  const text = Buffer.from(layer.annotations?.[PUBLIC_OPTIONS_ANNOTATION] ?? '', 'base64').toString('utf8');
  const { cipher, hmac, cipheroptions } = objectIn(text === '' ? '{}' : text, layer);
  if (cipher !== LAYER_CIPHER) {
    throw malformed(layer, `its cipher is ${JSON.stringify(cipher ?? '')}, not ${LAYER_CIPHER}`);
  }
  const mac = bytesOf(hmac);
  if (mac?.length === MAC_BYTES) return { mac, nonce: nonceIn(cipheroptions) };
  throw malformed(layer, 'it has no MAC of the right length');
}

function nonceIn(options: unknown): Uint8Array | undefined {
  return bytesOf((options as { readonly nonce?: unknown } | null | undefined)?.nonce);
}

function objectIn(text: string, layer: Descriptor): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The text may hold secrets: the reason, which quotes it, goes no further.
  }
  throw malformed(layer, 'what tells of its encryption is not JSON');
}

function malformed({ digest }: Descriptor, why: string): BuilderError {
  return new BuilderError('layer.invalid', `cannot decrypt the layer ${digest}: ${why}`);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytesOf = (value: unknown): Buffer | undefined =>
  typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;

/**
 * The encrypter that is asked for, if one is.
 * @throws `usage.invalid`, `usage.unsupported`, `key.invalid`
 */
export function layerEncrypter(
  { encryptionKeys = [], encryptLayers = [] }: EncryptionOptions,
  cwd: string,
): LayerEncrypter | undefined {
  if (encryptionKeys.length > 0) {
    return new LayerEncrypter(
      encryptionKeys.map((text) => readRecipient(text, cwd)),
      encryptLayers,
    );
  }
  if (encryptLayers.length === 0) return undefined;
  throw new BuilderError('usage.invalid', '--encrypt-layer needs --encryption-key: for whom are the layers encrypted?');
}

/** @param texts as `--decryption-key` takes them. @throws `usage.invalid`, `usage.unsupported`, `key.invalid` */
export function layerDecrypter(texts: readonly string[], cwd: string): LayerDecrypter {
  return new LayerDecrypter(texts.map((text) => readPrivateKey(text, cwd)));
}
