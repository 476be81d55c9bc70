/** A GnuPG home of a test: keys without passphrase, of any age, and signatures of image statements by them. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, command, tryCommand } from './command.ts';

export class GpgHome implements Disposable {
  readonly folder: string;
  readonly #identity: CommandOptions;

  /** @param folder of the account that signs, mode 0700 @param identity who that is */
  constructor(folder: string, identity: CommandOptions) {
    this.folder = folder;
    this.#identity = { ...identity, env: { ...identity.env, GNUPGHOME: folder } };
  }

  #gpg(args: readonly string[], input?: Buffer): string {
    return command('gpg', ['--batch', '--yes', ...args], {
      ...this.#identity,
      ...(input === undefined ? {} : { input }),
    });
  }

  /**
   * Makes a signing key and gives its fingerprint.
   * @param o validity as gpg takes it; the moment it is made, `20200101T000000`; the passphrase
   */
  makeKey(
    name: string,
    o: { readonly validity?: string; readonly at?: string; readonly passphrase?: string } = {},
  ): string {
    const time = o.at === undefined ? [] : ['--faked-system-time', `${o.at}!`];
    const passphrase = ['--pinentry-mode', 'loopback', '--passphrase', o.passphrase ?? ''];
    this.#gpg([...time, ...passphrase, '--quick-generate-key', name, 'ed25519', 'sign', o.validity ?? 'never']);
    const listing = this.#gpg(['--list-keys', '--with-colons', `=${name}`]);
    return /^fpr:+([0-9A-F]{40}):/m.exec(listing)![1]!;
  }

  /** Takes a key back with the certificate gpg made with it. */
  revoke(fingerprint: string): void {
    const [file] = readdirSync(join(this.folder, 'openpgp-revocs.d')).filter((name) => name.startsWith(fingerprint));
    const text = readFileSync(join(this.folder, 'openpgp-revocs.d', file!), 'utf8').replace(
      ':-----BEGIN',
      '-----BEGIN',
    );
    this.#gpg(['--import'], Buffer.from(text));
  }

  /** Writes the public key to a file and gives its path. */
  exportKey(fingerprint: string, file: string, o: { readonly armored?: boolean } = {}): string {
    this.#gpg([...(o.armored === true ? ['--armor'] : []), '--output', file, '--export', fingerprint]);
    return file;
  }

  /** The signed statement that an image is called so, as a file of a signature store. @param at as for `makeKey` */
  sign(fingerprint: string, digest: string, reference: string, file: string, at?: string): void {
    const statement = {
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type: 'atomic container signature',
      },
      optional: { creator: 'a test' },
    };
    // Whoever wrote it before: gpg replaces files, it does not rename.
    rmSync(file, { force: true });
    writeFileSync(`${file}.json`, JSON.stringify(statement), { mode: 0o644 });
    const time = at === undefined ? [] : ['--faked-system-time', `${at}!`];
    this.#gpg([...time, '--local-user', fingerprint, '--output', file, '--sign', `${file}.json`]);
  }

  /** Makes the agent forget what it was told. */
  forgetPassphrases(): void {
    tryCommand('gpgconf', ['--kill', 'all'], this.#identity);
  }

  /** Process ids of agents that serve this home. */
  agents(): readonly string[] {
    const { stdout } = tryCommand('pgrep', ['-f', `gpg-agent --homedir ${this.folder}`]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  [Symbol.dispose](): void {
    tryCommand('gpgconf', ['--kill', 'all'], this.#identity);
  }
}
