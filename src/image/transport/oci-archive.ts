/** `oci-archive:FILE[:name]`: a tar of an OCI image layout. */
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { CleanupStack } from '../../sys/dispose.ts';
import { makeDirectories } from '../../sys/make-directories.ts';
import { packArchive, readArchiveFile, unpackArchive } from './archive-file.ts';
import type { BlobDirectory } from './blob-directory.ts';
import { OciLayout, refusePosition } from './oci-layout.ts';
import { makePrivateDirectory } from './private-directory.ts';
import { type OpenTarget, splitLocation, type Transport } from './transport.ts';

/** The only members a layout needs; all others stay outside. */
const MEMBER = /^(?:oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/;

export const ociArchiveTransport: Transport = {
  scheme: 'oci-archive',
  async open(location, access, o = {}) {
    const { path, name } = splitLocation(location);
    return access === 'write' ? OciArchive.create(path, name) : OciArchive.open(path, name, o);
  },
};

export class OciArchive implements OpenTarget {
  readonly requiredFormat = 'oci' as const;
  readonly #file: string;
  readonly #directory: string;
  readonly #layout: OciLayout;
  readonly #cleanup: CleanupStack;
  /** Set once an image is whole in it: until then nothing is written. */
  #isComplete = false;

  private constructor(file: string, directory: string, layout: OciLayout, cleanup: CleanupStack) {
    this.#file = file;
    this.#directory = directory;
    this.#layout = layout;
    this.#cleanup = cleanup;
  }

  static async open(file: string, name: string, o: Cancellable): Promise<OciArchive> {
    await using stack = new CleanupStack();
    const { path } = stack.use(await makePrivateDirectory());
    const layout = join(path, 'layout');
    makeDirectories(join(layout, 'blobs/sha256'));
    for (const [member, { path: from }] of await unpackArchive(await readArchiveFile(file), file, path, o)) {
      if (MEMBER.test(member)) await rename(from, join(layout, member));
    }
    return new OciArchive(file, layout, await OciLayout.open(layout, name, { isDurable: false }), stack.move());
  }

  static async create(file: string, name: string): Promise<OciArchive> {
    refusePosition(file, name);
    await using stack = new CleanupStack();
    // Where there is an archive already, its images stay in it.
    if ((await stat(file).catch(() => undefined))?.isFile() === true) {
      const archive = stack.use(await OciArchive.open(file, name, {}));
      stack.move();
      return archive;
    }
    const { path } = stack.use(await makePrivateDirectory());
    return new OciArchive(file, path, await OciLayout.create(path, name, { isDurable: false }), stack.move());
  }

  imageNames(): Promise<readonly string[]> {
    return this.#layout.imageNames();
  }

  resolve(name: string): Promise<Descriptor> {
    return this.#layout.resolve(name);
  }

  exists(d: Descriptor): Promise<boolean> {
    return this.#layout.exists(d);
  }

  open(d: Descriptor): Promise<Bytes> {
    return this.#layout.open(d);
  }

  push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    return this.#layout.push(expected, content, o);
  }

  pushUnsized(content: Bytes, o: Cancellable = {}): ReturnType<BlobDirectory['pushUnsized']> {
    return this.#layout.pushUnsized(content, o);
  }

  async tag(d: Descriptor, name: string): Promise<void> {
    await this.#layout.tag(d, name);
    this.#isComplete = true;
  }

  /** Writes the archive, if an image was completed in it, and removes what was temporary. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#cleanup;
    if (!this.#isComplete) return;
    this.#isComplete = false;
    await packArchive(this.#directory, this.#file);
  }
}
