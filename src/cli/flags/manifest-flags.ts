/** Flags of the `manifest` commands. */
import { type Option, option, refused } from '../option.ts';
import { PROGRESS_FLAG } from './build-flags.ts';
import { COMPRESSION_FLAGS, NO_SIGNING } from './image-flags.ts';
import { NO_SIGNATURES, REGISTRY_FLAGS, RETRY_FLAGS } from './registry-flags.ts';

const ALL = option('--all bool', 'of an image that is a list, every image');
const ANNOTATION = option('--annotation csv K=V', 'annotation', { tier: 'P1' });
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
  ...refused(
    'lists hold images alone',
    '--artifact bool',
    '--artifact-annotation csv',
    '--artifact-config str',
    '--artifact-config-type str',
    '--artifact-exclude-titles bool',
    '--artifact-layer-type str',
    '--artifact-subject str',
    '--artifact-type str',
  ),
];

export const MANIFEST_ANNOTATE_FLAGS: readonly Option[] = [
  ANNOTATION,
  option('--index bool', 'change the list itself', { tier: 'P1' }),
  option('--subject str IMAGE', 'what the list is about', { tier: 'P2', complete: 'image' }),
  ...PLATFORM,
];

export const MANIFEST_INSPECT_FLAGS: readonly Option[] = [INSECURE, ...REGISTRY_FLAGS];

export const MANIFEST_PUSH_FLAGS: readonly Option[] = [
  option('--all bool', 'push the images too', { default: 'true', unsupported: ['false'] }),
  option('-f,--format str FORMAT', 'oci or v2s2', { choices: ['oci', 'v2s2'] }),
  option('--digestfile str FILE', 'write the digest of the list to a file', { complete: 'file' }),
  option('--rm|--purge bool', 'remove the list afterwards', { tier: 'P1' }),
  option('-q,--quiet bool', 'no progress'),
  INSECURE,
  PROGRESS_FLAG,
  ...COMPRESSION_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...refused('each image is pushed in one form', '--add-compression strs'),
  ...NO_SIGNATURES,
  ...NO_SIGNING,
];
