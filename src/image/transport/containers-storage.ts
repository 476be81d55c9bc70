/** `containers-storage:…`: the images of Podman, Buildah and CRI-O, through skopeo or podman and a private directory. */
import { join } from 'node:path';
import { BuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, hexOf } from '../../spec/digest.ts';
import type { ImageSignature } from '../../spec/image-signature.ts';
import { isIndex } from '../../spec/media-type.ts';
import { hostPlatform } from '../../spec/platform.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { CleanupStack } from '../../sys/dispose.ts';
import type { KeepsSignatures } from '../image-signer.ts';
import { readImage } from '../read-image.ts';
import { writeWhole } from './blob-directory.ts';
import { directoryTransport, type SignableTarget } from './directory.ts';
import { makePrivateDirectory } from './private-directory.ts';
import { parseStorageImage, type StorageImage } from './storage-image.ts';
import { ACCEPTING_POLICY, findStorageTool, runStorageTool } from './storage-tool.ts';
import type { OpenOptions, OpenTarget, Transport } from './transport.ts';

export const containersStorageTransport: Transport = {
  scheme: 'containers-storage',
  async open(location, access, o = {}) {
    const image = parseStorageImage(location);
    return access === 'write' ? openForWriting(image, o) : openForReading(image, o);
  },
};

type Environment = Readonly<Record<string, string | undefined>>;

const environmentOf = (o: OpenOptions): Environment => o.registry?.env ?? process.env;
const signalOf = (o: OpenOptions): AbortSignal | undefined => o.signal ?? o.registry?.signal;

async function openForReading(image: StorageImage, o: OpenOptions): Promise<OpenTarget> {
  const what = `read containers-storage:${image.location}`;
  const tool = findStorageTool(what);
  await using stack = new CleanupStack();
  const { path } = stack.use(await makePrivateDirectory());
  const directory = join(path, 'image');
  for (const args of tool.read(image, directory)) {
    await runStorageTool(tool.path, args, what, environmentOf(o), signalOf(o));
  }
  return new StorageDirectory(image, await directoryTransport.open(directory, 'read', o), stack.move());
}

async function openForWriting(image: StorageImage, o: OpenOptions): Promise<OpenTarget> {
  const what = `write containers-storage:${image.location}`;
  if (image.id !== undefined) {
    throw new BuilderError('reference.invalid', `cannot ${what}: an id is not a name an image can get`);
  }
  const tool = findStorageTool(what);
  await using stack = new CleanupStack();
  const { path } = stack.use(await makePrivateDirectory());
  const policy = join(path, 'policy.json');
  await writeWhole(policy, ACCEPTING_POLICY, { isDurable: false });
  const directory = join(path, 'image');
  const inner = await directoryTransport.open(directory, 'write', o);
  return new StorageDirectory(image, inner, stack.move(), async () => {
    const { manifest } = await readImage(inner, '', hostPlatform(), signalOf(o));
    const named = { ...image, configId: hexOf(manifest.config.digest) };
    for (const args of tool.write(named, directory, policy)) {
      await runStorageTool(tool.path, args, what, environmentOf(o), signalOf(o));
    }
  });
}

/** The directory on the way; once an image is whole in it, disposing hands it on. */
class StorageDirectory implements OpenTarget, KeepsSignatures {
  readonly unpacksLayers = true;
  readonly imageName: string | undefined;
  readonly #inner: SignableTarget;
  readonly #cleanup: CleanupStack;
  readonly #deliver: (() => Promise<void>) | undefined;
  #isComplete = false;

  constructor(image: StorageImage, inner: SignableTarget, cleanup: CleanupStack, deliver?: () => Promise<void>) {
    this.imageName = image.name ?? '';
    this.#inner = inner;
    this.#cleanup = cleanup;
    this.#deliver = deliver;
  }

  resolve(name: string, o?: Cancellable): Promise<Descriptor> {
    return this.#inner.resolve(name, o);
  }

  exists(d: Descriptor, o?: Cancellable): Promise<boolean> {
    return this.#inner.exists(d, o);
  }

  open(d: Descriptor, o?: Cancellable): Promise<Bytes> {
    return this.#inner.open(d, o);
  }

  requireSignatureStore(formats: readonly ImageSignature['format'][]): Promise<void> {
    return this.#inner.requireSignatureStore(formats);
  }

  putSignatures(manifest: Digest, signatures: readonly ImageSignature[]): Promise<void> {
    return this.#inner.putSignatures(manifest, signatures);
  }

  push(expected: Descriptor, content: Bytes, o?: Cancellable): Promise<void> {
    return this.#inner.push(expected, content, o);
  }

  async tag(d: Descriptor, name: string, o?: Cancellable): Promise<void> {
    if (isIndex(d.mediaType)) {
      throw new BuilderError(
        'transport.unsupported',
        'a list of images cannot be copied to containers-storage:, which takes single images',
        { hint: 'choose one with --platform' },
      );
    }
    await this.#inner.tag(d, name, o);
    this.#isComplete = this.#deliver !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#cleanup;
    if (!this.#isComplete) return;
    this.#isComplete = false;
    await this.#deliver?.();
  }
}
