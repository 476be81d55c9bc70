/** Flags about registries and platforms that several commands share. */
import { type Option, option } from '../option.ts';

/** How to reach and trust a registry. */
export const REGISTRY_FLAGS: readonly Option[] = [
  option('--authfile str FILE', 'credentials file', { complete: 'file' }),
  option('--cert-dir str DIR', 'certificates for TLS to registries', { tier: 'P1', complete: 'directory' }),
  option('--creds str USER[:PASS]', 'credentials for the registry'),
  option('--tls-verify bool', 'require HTTPS and check certificates', { default: 'true' }),
  option('--signature-policy str FILE', 'policy.json that says which images are trusted', {
    tier: 'P1',
    complete: 'file',
  }),
];

/** What happens when a transfer fails halfway. */
export const RETRY_FLAGS: readonly Option[] = [
  option('--retry int N', 'further attempts when a transfer fails', { tier: 'P1', default: '3' }),
  option('--retry-delay str DURATION', 'time between attempts, such as 2s', { tier: 'P1' }),
];

export const PLATFORM_FLAGS: readonly Option[] = [
  option('--platform csv OS/ARCH', 'platform to choose: os/arch[/variant]'),
  option('--arch|--override-arch str ARCH', 'architecture to choose'),
  option('--os|--override-os str OS', 'operating system to choose', { tier: 'P1' }),
  option('--variant str VARIANT', 'variant of the architecture', { tier: 'P1' }),
];

export const PULL_FLAGS: readonly Option[] = [
  option('--pull str POLICY', 'always, missing, never or newer', {
    bare: 'always',
    default: 'missing',
    choices: ['always', 'missing', 'never', 'newer'],
  }),
  option('--pull-always bool', 'same as --pull=always', { tier: 'P2', hidden: true }),
  option('--pull-never bool', 'same as --pull=never', { tier: 'P2', hidden: true }),
];

/** For stores that do not last. */
export const BLOB_CACHE_FLAGS: readonly Option[] = [
  option('--blob-cache str DIR', 'take blobs from a directory, and keep them there', {
    tier: 'P2',
    hidden: true,
    complete: 'directory',
  }),
];

/** Of whatever sends images. */
export const ENCRYPTION_FLAGS: readonly Option[] = [
  option('--encryption-key csv jwe:FILE', 'encrypt layers for the owner of this public key', { tier: 'P2' }),
  option('--encrypt-layer ints N', 'encrypt this layer alone; negative counts from the top', { tier: 'P2' }),
];

/** Of whatever reads images. */
export const DECRYPTION_FLAGS: readonly Option[] = [
  option('--decryption-key csv FILE[:PASS]', 'private key that opens encrypted layers', { tier: 'P2' }),
];

/** What is asked for happens anyway. */
export const NO_SIGNATURES: readonly Option[] = [
  option('--remove-signatures bool', 'the store keeps no signatures', { tier: 'P1', hidden: true }),
];
