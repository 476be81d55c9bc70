/** Flags of the `image` commands. */
import { type Option, option } from '../option.ts';
import { PROGRESS_FLAG } from './build-flags.ts';
import { COMPRESSION_FLAGS } from './image-flags.ts';
import { DECRYPTION_FLAGS, ENCRYPTION_FLAGS, PLATFORM_FLAGS, REGISTRY_FLAGS, RETRY_FLAGS } from './registry-flags.ts';
import { SIGNING_FLAGS } from './signing-flags.ts';

const side = (prefix: 'src' | 'dest', place: string): readonly Option[] => [
  option(`--${prefix}-authfile str FILE`, `credentials file for the ${place}`, { tier: 'P1', complete: 'file' }),
  option(`--${prefix}-cert-dir str DIR`, `certificates for TLS to the ${place}`, { tier: 'P1', complete: 'directory' }),
  option(`--${prefix}-creds str USER[:PASS]`, `credentials for the ${place}`),
  option(`--${prefix}-tls-verify bool`, `require HTTPS and check certificates of the ${place}`, { default: 'true' }),
];

const PLATFORM = PLATFORM_FLAGS.map((flag) =>
  flag.name === 'os' || flag.name === 'variant' ? { ...flag, aliases: [`override-${flag.name}`] } : flag,
);

/** What skopeo calls the flags about compression. */
const SKOPEO_NAMES: Readonly<Record<string, string>> = {
  'compression-format': 'dest-compress-format',
  'compression-level': 'dest-compress-level',
  'force-compression': 'dest-force-compress-format',
  'disable-compression': 'dest-decompress',
};

export const IMAGE_COPY_FLAGS: readonly Option[] = [
  option('-a,--all bool', 'every image of a list'),
  option('--preserve-digests bool', 'fail rather than change a manifest'),
  option('-f,--format str FORMAT', 'oci or v2s2', { choices: ['oci', 'v2s2'] }),
  option('--additional-tag strs NAME', 'a further name at the destination'),
  option('--digestfile str FILE', 'write the digest of the manifest to a file', { complete: 'file' }),
  option('-q,--quiet bool', 'no progress'),
  PROGRESS_FLAG,
  ...COMPRESSION_FLAGS.map((flag) => ({ ...flag, aliases: [SKOPEO_NAMES[flag.name]!] })),
  ...PLATFORM,
  ...REGISTRY_FLAGS,
  ...side('src', 'source'),
  ...side('dest', 'destination'),
  ...RETRY_FLAGS.map((flag) => (flag.name === 'retry' ? { ...flag, aliases: ['retry-times'] } : flag)),
  ...ENCRYPTION_FLAGS,
  ...DECRYPTION_FLAGS,
  option('--remove-signatures bool', 'leave the signatures of the source behind'),
  option('--sign-identity str NAME', 'the name to sign; default the destination', { tier: 'P2' }),
  ...SIGNING_FLAGS,
];

export const IMAGE_INSPECT_FLAGS: readonly Option[] = [
  option('--raw bool', 'the bytes of the manifest or list, with --config of the config'),
  option('--config bool', 'the config of the image'),
  option('-f,--format str TEMPLATE', 'Go template'),
  option('-n,--no-tags bool', 'do not ask for the tags of the repository'),
  ...PLATFORM,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
];

export const IMAGE_PLACE_FLAGS: readonly Option[] = [...REGISTRY_FLAGS, ...RETRY_FLAGS];
