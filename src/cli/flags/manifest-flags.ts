/** Flags of the `manifest` commands. */
import { type Option, option } from '../option.ts';
import { PROGRESS_FLAG } from './build-flags.ts';
import { COMPRESSION_FLAGS } from './image-flags.ts';
import { NO_SIGNATURES, REGISTRY_FLAGS, RETRY_FLAGS } from './registry-flags.ts';
import { SIGNING_FLAGS } from './signing-flags.ts';

const ALL = option('--all bool', 'of an image that is a list, every image');
const ANNOTATION = option('--annotation csv K=V', 'annotation', { tier: 'P1' });
const MEDIA_TYPE_EMPTY = 'application/vnd.oci.empty.v1+json';
/** An older spelling of --tls-verify=false. */
const INSECURE = option('--insecure bool', 'neither HTTPS nor checked certificates', { tier: 'P2', hidden: true });

const PLATFORM: readonly Option[] = [
  option('--os|--override-os str OS', 'operating system'),
  option('--arch|--override-arch str ARCH', 'architecture'),
  option('--variant str VARIANT', 'variant of the architecture'),
  option('--os-version str VERSION', 'version of the operating system', { tier: 'P2' }),
  option('--os-features csv NAME', 'features of the operating system', { tier: 'P2' }),
  option('--features csv NAME', 'features of the processor', { tier: 'P2' }),
];

export const MANIFEST_CREATE_FLAGS: readonly Option[] = [
  ALL,
  option('--amend bool', 'add to the list if there is one'),
  option('--replace bool', 'take the name from whatever has it', { tier: 'P1' }),
  ANNOTATION,
  option('--os|--override-os str OS', 'operating system to choose', { tier: 'P2', hidden: true }),
  option('--arch|--override-arch str ARCH', 'architecture to choose', { tier: 'P2', hidden: true }),
  INSECURE,
  ...REGISTRY_FLAGS,
];

export const MANIFEST_ADD_FLAGS: readonly Option[] = [
  ALL,
  ANNOTATION,
  ...PLATFORM,
  INSECURE,
  ...REGISTRY_FLAGS,
  option('--artifact bool', 'the words are files, which become one artifact', { tier: 'P2' }),
  option('--artifact-type str TYPE', 'what the artifact is', { tier: 'P2' }),
  option('--artifact-config str FILE', 'its config', { tier: 'P2', complete: 'file' }),
  option('--artifact-config-type str TYPE', 'media type of the config', { tier: 'P2', default: MEDIA_TYPE_EMPTY }),
  option('--artifact-layer-type str TYPE', 'media type of the files', { tier: 'P2' }),
  option('--artifact-exclude-titles bool', 'leave out the names of the files', { tier: 'P2' }),
  option('--artifact-subject str IMAGE', 'what the artifact is about', { tier: 'P2', complete: 'image' }),
  option('--artifact-annotation csv K=V', 'annotation of the artifact', { tier: 'P2' }),
];

export const MANIFEST_ANNOTATE_FLAGS: readonly Option[] = [
  ANNOTATION,
  option('--index bool', 'change the list itself', { tier: 'P1' }),
  option('--subject str IMAGE', 'what the list is about', { tier: 'P2', complete: 'image' }),
  ...PLATFORM,
];

export const MANIFEST_INSPECT_FLAGS: readonly Option[] = [INSECURE, ...REGISTRY_FLAGS];

export const MANIFEST_PUSH_FLAGS: readonly Option[] = [
  option('--all bool', 'push the images too, not the list alone', { default: 'true' }),
  option('-f,--format str FORMAT', 'oci or v2s2', { choices: ['oci', 'v2s2'] }),
  option('--digestfile str FILE', 'write the digest of the list to a file', { complete: 'file' }),
  option('--rm|--purge bool', 'remove the list afterwards', { tier: 'P1' }),
  option('--add-compression strs NAME', 'push the images in this compression too', {
    tier: 'P2',
    choices: ['gzip', 'zstd'],
  }),
  option('-q,--quiet bool', 'no progress'),
  INSECURE,
  PROGRESS_FLAG,
  ...COMPRESSION_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...NO_SIGNATURES,
  ...SIGNING_FLAGS,
];
