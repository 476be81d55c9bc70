/** Where images are signed and checked: a rig with trust settings of its own, keys, a registry and a store of signatures. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Account } from './account.ts';
import type { CommandResult } from './command.ts';
import { GpgHome } from './gpg-home.ts';
import { RegistryServer } from './registry-server.ts';
import { Rig } from './rig.ts';

/** The registry speaks plain HTTP. */
export const PLAIN = '--tls-verify=false';

export class TrustPlace implements AsyncDisposable {
  readonly rig: Rig;
  readonly registry: RegistryServer;
  readonly gpg: GpgHome;
  readonly config: string;
  readonly store: string;

  static async open(account: Account): Promise<TrustPlace> {
    return new TrustPlace(await Rig.open({ account }), await RegistryServer.start());
  }

  private constructor(rig: Rig, registry: RegistryServer) {
    this.rig = rig;
    this.registry = registry;
    this.config = rig.makeFolder('config');
    this.store = rig.makeFolder('signatures');
    const { uid, gid } = rig.account;
    this.gpg = new GpgHome(rig.makeFolder('gpg'), { uid, gid, env: rig.env, cwd: this.store });
    rig.makeFolder('config/containers');
    rig.makeFolder('config/containers/registries.d');
    this.lookaside(`file://${this.store}`);
  }

  get env(): NodeJS.ProcessEnv {
    return { ...this.rig.env, XDG_CONFIG_HOME: this.config, GNUPGHOME: this.gpg.folder };
  }

  get registriesD(): string {
    return join(this.config, 'containers/registries.d');
  }

  get policyFile(): string {
    return join(this.config, 'containers/policy.json');
  }

  /** @param more further lines of the registry's section */
  lookaside(url: string, more = ''): void {
    writeFileSync(
      join(this.registriesD, 'a.yaml'),
      `docker:\n  ${this.registry.host}:\n    lookaside: ${url}\n${more}`,
    );
  }

  /** The policy: `requirement` for the registry, everything else is rejected. */
  policy(requirement: object, transports: object = {}): void {
    const text = {
      default: [{ type: 'reject' }],
      transports: { docker: { [this.registry.host]: [requirement] }, ...transports },
    };
    writeFileSync(this.policyFile, JSON.stringify(text, undefined, 1));
  }

  image(text: string): string {
    return `${this.registry.host}/${text}`;
  }

  slipway(...words: readonly string[]): CommandResult {
    return this.rig.try(words, { env: this.env });
  }

  skopeo(...words: readonly string[]): string {
    return this.rig.command('skopeo', ['--insecure-policy', '--registries.d', this.registriesD, ...words], {
      env: this.env,
    });
  }

  digestOf(image: string): string {
    return this.skopeo('inspect', PLAIN, '--format', '{{.Digest}}', `docker://${this.image(image)}`).trim();
  }

  /** The file for a signature of an image, its folder made. */
  signatureFile(repository: string, digest: string, number = 1): string {
    const file = join(this.store, `${repository}@${digest.replace(':', '=')}`, `signature-${number}`);
    mkdirSync(dirname(file), { recursive: true });
    this.rig.give(dirname(file));
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gpg[Symbol.dispose]();
    await this.rig[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
  }
}
