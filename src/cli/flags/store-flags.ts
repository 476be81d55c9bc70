/** Flags of the commands that list, move and remove images and containers. */
import { type Option, option } from '../option.ts';
import { PROGRESS_FLAG } from './build-flags.ts';
import { COMPRESSION_FLAGS, FORMAT_FLAG } from './image-flags.ts';
import {
  BLOB_CACHE_FLAGS,
  DECRYPTION_FLAGS,
  ENCRYPTION_FLAGS,
  NO_SIGNATURES,
  PLATFORM_FLAGS,
  REGISTRY_FLAGS,
  RETRY_FLAGS,
} from './registry-flags.ts';
import { SIGNING_FLAGS } from './signing-flags.ts';

const AUTH_FILES: readonly Option[] = [
  option('--authfile str FILE', 'credentials file', { complete: 'file' }),
  option('--compat-auth-file str FILE', "credentials file in docker's form", { tier: 'P1', complete: 'file' }),
];

export const IMAGES_FLAGS: readonly Option[] = [
  option('-a,--all bool', 'intermediate images too'),
  option('-f,--filter csv KEY=VALUE', 'show only matching images'),
  option('-q,--quiet bool', 'ids only'),
  option('--json bool', 'print JSON'),
  option('--format str TEMPLATE', 'Go template for each image'),
  option('--digests bool', 'show digests', { tier: 'P1' }),
  option('--no-trunc bool', 'full ids'),
  option('-n,--noheading bool', 'no headings'),
  option('--history bool', 'a column with all names of an image', { tier: 'P2' }),
];

export const CONTAINERS_FLAGS: readonly Option[] = [
  option('-a,--all bool', 'accepted; all containers here are working containers'),
  option('-f,--filter str KEY=VALUE', 'id=, name= or ancestor=, separated by commas', { tier: 'P1' }),
  option('-q,--quiet bool', 'ids only'),
  option('--json bool', 'print JSON'),
  option('--format str TEMPLATE', 'Go template for each container'),
  option('--notruncate bool', 'full ids'),
  option('-n,--noheading bool', 'no headings'),
];

export const INSPECT_FLAGS: readonly Option[] = [
  option('-f,--format str TEMPLATE', 'Go template'),
  option('-t,--type str TYPE', 'container, image or manifest', { choices: ['container', 'image', 'manifest'] }),
  option('--layers bool', 'what each layer of an image holds and wastes'),
  option('--json bool', 'with --layers: JSON'),
];

export const PULL_COMMAND_FLAGS: readonly Option[] = [
  option('-a,--all-tags bool', 'every tag of the repository', { tier: 'P1' }),
  option('--policy str POLICY', 'missing, always, ifnewer or never', {
    default: 'missing',
    choices: ['missing', 'always', 'ifnewer', 'never'],
  }),
  option('-q,--quiet bool', 'no progress'),
  PROGRESS_FLAG,
  ...PLATFORM_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...BLOB_CACHE_FLAGS,
  ...DECRYPTION_FLAGS,
  ...NO_SIGNATURES,
];

export const PUSH_FLAGS: readonly Option[] = [
  option('--all bool', 'all images of a list'),
  option('-f,--format str FORMAT', 'oci or v2s2', { choices: ['oci', 'v2s2'] }),
  option('--digestfile str FILE', 'write the digest of the manifest to a file', { complete: 'file' }),
  option('--rm|--purge bool', 'remove the list afterwards', { tier: 'P1' }),
  option('-q,--quiet bool', 'no progress'),
  PROGRESS_FLAG,
  ...COMPRESSION_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...BLOB_CACHE_FLAGS,
  ...ENCRYPTION_FLAGS,
  ...NO_SIGNATURES,
  ...SIGNING_FLAGS,
];

export const HISTORY_FLAGS: readonly Option[] = [
  option('-H,--human bool', 'ages and sizes in words', { default: 'true' }),
  option('--no-trunc bool', 'whole ids and commands'),
  option('-q,--quiet bool', 'ids only'),
  option('--json bool', 'print JSON'),
  option('--format str TEMPLATE', 'json, or a Go template for each step'),
  ...PLATFORM_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
];

export const REBASE_FLAGS: readonly Option[] = [
  option('--onto str IMAGE', 'the new base', { complete: 'image' }),
  option('--old-base str IMAGE', 'the base it has; default what the image says it was built from', {
    complete: 'image',
  }),
  option('-t,--tag strs NAME', 'name of the result'),
  FORMAT_FLAG,
  option('--timestamp int SECONDS', 'time of the image'),
  option('--source-date-epoch int SECONDS', 'time of the image', { tier: 'P1', env: 'SOURCE_DATE_EPOCH' }),
  option('-q,--quiet bool', 'no progress'),
  PROGRESS_FLAG,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
];

export const DIFF_FLAGS: readonly Option[] = [
  option('-s,--size bool', 'how much larger or smaller files are'),
  option('--ignore-times bool', 'leave out what differs in its time alone'),
  option('--json bool', 'print JSON'),
  option('--format str FORMAT', 'json'),
];

export const LOGIN_FLAGS: readonly Option[] = [
  option('-u,--username str NAME', 'user'),
  option('-p,--password str TEXT', 'password, for all to see: better --password-stdin'),
  option('--password-stdin bool', 'read the password from standard input'),
  option('--get-login bool', 'print who is logged in', { tier: 'P1' }),
  option('--cert-dir str DIR', 'certificates for TLS to the registry', { tier: 'P1', complete: 'directory' }),
  option('--tls-verify bool', 'require HTTPS and check certificates', { default: 'true' }),
  ...AUTH_FILES,
  option('-v,--verbose bool', 'say where the credentials were written', { tier: 'P2' }),
];

export const LOGOUT_FLAGS: readonly Option[] = [
  option('-a,--all bool', 'forget every registry', { tier: 'P1' }),
  ...AUTH_FILES,
];
