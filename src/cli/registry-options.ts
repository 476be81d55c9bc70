/** From flags to the library's registry, platform and pull options. */
import { access } from 'node:fs/promises';
import type { EncryptionOptions, Platform, PullPolicy, RegistryOptions } from '../index.ts';
import type { CommandContext } from './command.ts';
import { parseDuration } from './duration.ts';
import { promptSecret } from './prompt.ts';
import { UsageError, unsupportedFlag } from './usage-error.ts';

/** Reads the flags of REGISTRY_FLAGS and, where the command has them, RETRY_FLAGS. */
export async function registryOptions(c: CommandContext, withRetry = true): Promise<RegistryOptions> {
  const { flags } = c;
  const creds = flags.string('creds');
  return {
    ...(await tlsOptions(c)),
    ...(creds === undefined ? {} : { creds: await parseCreds(creds, c) }),
    ...(withRetry ? retryOptions(c) : {}),
  };
}

/** What `--src-…` or `--dest-…` flags say of one side of a copy; empty for what both sides share. */
export async function sideOptions(c: CommandContext, side: 'src' | 'dest'): Promise<RegistryOptions> {
  const { flags } = c;
  const creds = flags.string(`${side}-creds`);
  const authfile = flags.string(`${side}-authfile`);
  const certDir = flags.string(`${side}-cert-dir`);
  const tlsVerify = flags.bool(`${side}-tls-verify`);
  if (authfile !== undefined) await requireFile(authfile);
  return {
    ...(creds === undefined ? {} : { creds: await parseCreds(creds, c) }),
    ...(authfile === undefined ? {} : { authfile }),
    ...(certDir === undefined ? {} : { certDir }),
    ...(tlsVerify === undefined ? {} : { tlsVerify }),
  };
}

/** `--authfile`, `--cert-dir` and `--tls-verify`, which `login` has too. */
export async function tlsOptions(
  c: CommandContext,
): Promise<Pick<RegistryOptions, 'authfile' | 'certDir' | 'tlsVerify'>> {
  const authfile = c.flags.string('authfile');
  const certDir = c.flags.string('cert-dir');
  const tlsVerify = c.flags.bool('tls-verify');
  // A credentials file that is named must exist, except where it is about to be written.
  if (authfile !== undefined && c.command.name !== 'login') await requireFile(authfile);
  return {
    ...(authfile === undefined ? {} : { authfile }),
    ...(certDir === undefined ? {} : { certDir }),
    // Only an explicit value overrides what registries.conf says about the registry.
    ...(tlsVerify === undefined ? {} : { tlsVerify }),
  };
}

/** The flag of BLOB_CACHE_FLAGS. */
export function blobCacheOption({ flags }: CommandContext): { readonly blobCache?: string } {
  const blobCache = flags.string('blob-cache');
  return blobCache === undefined ? {} : { blobCache };
}

/** What every command has that reads images: REGISTRY_FLAGS, RETRY_FLAGS, BLOB_CACHE_FLAGS, DECRYPTION_FLAGS. */
export async function sourceOptions(
  c: CommandContext,
): Promise<RegistryOptions & { readonly blobCache?: string; readonly decryptionKeys?: readonly string[] }> {
  return { ...(await registryOptions(c)), ...blobCacheOption(c), ...decryptionOptions(c) };
}

/** The flags of ENCRYPTION_FLAGS. */
export function encryptionOptions({ flags }: CommandContext): EncryptionOptions {
  const encryptionKeys = flags.strings('encryption-key');
  const encryptLayers = flags.ints('encrypt-layer');
  return {
    ...(encryptionKeys === undefined ? {} : { encryptionKeys }),
    ...(encryptLayers === undefined ? {} : { encryptLayers }),
  };
}

/** The flags of DECRYPTION_FLAGS. */
export function decryptionOptions({ flags }: CommandContext): { readonly decryptionKeys?: readonly string[] } {
  const decryptionKeys = flags.strings('decryption-key');
  return decryptionKeys === undefined ? {} : { decryptionKeys };
}

async function requireFile(path: string): Promise<void> {
  try {
    await access(path);
  } catch {
    throw new UsageError(`credential file is not accessible: "${path}": no such file or directory`);
  }
}

async function parseCreds(text: string, c: CommandContext): Promise<{ username: string; password: string }> {
  const colon = text.indexOf(':');
  const username = colon === -1 ? text : text.slice(0, colon);
  if (username === '') throw new UsageError('credentials need a user name: --creds USER[:PASS]');
  const password = colon === -1 ? await promptSecret('Password: ', c) : text.slice(colon + 1);
  return { username, password };
}

function retryOptions({ flags }: CommandContext): Pick<RegistryOptions, 'retries' | 'retryDelayMs'> {
  const retries = flags.int('retry');
  const delay = flags.string('retry-delay');
  if (retries !== undefined && retries < 0) throw new UsageError(`--retry must not be negative: ${retries}`);
  return {
    ...(retries === undefined ? {} : { retries }),
    ...(delay === undefined ? {} : { retryDelayMs: parseDuration(delay, '--retry-delay') / 1e6 }),
  };
}

/** The platform asked for by `--platform`, or `--os`, `--arch` and `--variant`; undefined for the host's. */
export async function platformOption(c: CommandContext): Promise<{ platform?: Platform }> {
  const [platform, another] = await platformList(c);
  if (another !== undefined) {
    throw unsupportedFlag('--platform', c.command.name, 'several platforms at once; run it once for each');
  }
  return platform === undefined ? {} : { platform };
}

/** All platforms asked for, each once; empty for the host's. */
export async function platformList(c: CommandContext): Promise<readonly Platform[]> {
  const { flags } = c;
  // An empty word is as good as none.
  const [os, arch, variant] = ['os', 'arch', 'variant'].map((name) => flags.string(name) || undefined);
  const wanted = flags.strings('platform') ?? [];
  const isSplit = os !== undefined || arch !== undefined || variant !== undefined;
  if (wanted.length > 0 && isSplit) {
    throw new UsageError('invalid --platform may not be used with --os, --arch, or --variant');
  }
  if (wanted.length === 0 && !isSplit) return [];
  const { formatPlatform, hostPlatform, parsePlatform } = await c.library();
  const host = hostPlatform();
  const split = [os ?? 'linux', arch ?? host.architecture, variant].filter((part) => part !== undefined).join('/');
  const platforms = (wanted.length > 0 ? wanted : [split]).map((text) => {
    const platform = text === 'local' ? host : parsePlatform(text);
    if (platform !== undefined) return platform;
    throw new UsageError(`invalid platform syntax for "${text}" (use OS/ARCH[/VARIANT][,...])`);
  });
  return [...new Map(platforms.map((platform) => [formatPlatform(platform), platform])).values()];
}

const POLICIES: Readonly<Record<string, PullPolicy>> = {
  always: 'always',
  true: 'always',
  missing: 'missing',
  ifmissing: 'missing',
  false: 'missing',
  newer: 'newer',
  ifnewer: 'newer',
  never: 'never',
};

/** `--pull` and its old forms; the last word wins over the old ones. */
export function pullPolicy(c: CommandContext, flag: 'pull' | 'policy'): PullPolicy | undefined {
  const text = c.flags.string(flag);
  if (text !== undefined) {
    const policy = POLICIES[text.trim().toLowerCase()];
    if (policy === undefined) {
      throw new UsageError(`unsupported pull policy "${text}"`, {
        near: {
          word: text,
          candidates: ['always', 'missing', 'never', flag === 'pull' ? 'newer' : 'ifnewer'],
          prefix: '',
        },
      });
    }
    return policy;
  }
  if (flag === 'policy') return undefined;
  if (c.flags.on('pull-always')) return 'always';
  return c.flags.on('pull-never') ? 'never' : undefined;
}
