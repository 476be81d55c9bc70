/** Flags of `from`, `run`, `copy`, `add`, `config` and `commit`. */
import { ignored, type Option, option } from '../option.ts';
import { COMPRESSION_FLAGS, FORMAT_FLAG, IMAGE_FLAGS, REFUSED_IMAGE_FLAGS, SBOM_FILE_FLAGS } from './image-flags.ts';
import {
  BLOB_CACHE_FLAGS,
  DECRYPTION_FLAGS,
  ENCRYPTION_FLAGS,
  NO_SIGNATURES,
  PLATFORM_FLAGS,
  PULL_FLAGS,
  REGISTRY_FLAGS,
  RETRY_FLAGS,
} from './registry-flags.ts';
import { FROM_RUN_FLAGS, RUN_RUN_FLAGS } from './run-flags.ts';
import { SIGNING_FLAGS } from './signing-flags.ts';

const ADD_HISTORY = option('--add-history bool', 'add an entry to the image history', {
  tier: 'P1',
  env: 'BUILDAH_HISTORY',
});

export const FROM_FLAGS: readonly Option[] = [
  option('--name str NAME', 'name of the container'),
  option('--cidfile str FILE', 'write the container id to a file', { complete: 'file' }),
  FORMAT_FLAG,
  option('-q,--quiet bool', 'no progress'),
  option('--suffix str SUFFIX', 'replaces working-container in the name', { tier: 'P2', hidden: true }),
  ...PLATFORM_FLAGS,
  ...PULL_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...FROM_RUN_FLAGS,
  ...BLOB_CACHE_FLAGS,
  ...DECRYPTION_FLAGS,
];

export const RUN_FLAGS: readonly Option[] = [
  option('-t,--terminal|--tty bool', 'give the command a terminal; default when stdin is one'),
  option('-e,--env strs K[=V]', 'environment variable for this run'),
  option('--user str USER[:GROUP]', 'user for this run'),
  option('--workingdir str DIR', 'working directory for this run'),
  option('--hostname str NAME', 'host name inside', { tier: 'P1' }),
  option('--mount strs SPEC', 'type=bind|tmpfs|cache|secret,…'),
  option('--contextdir str DIR', 'where sources of bind mounts are looked for', { tier: 'P1', complete: 'directory' }),
  option('--valid-exit-codes ints N[,N]', 'exit codes that count as success', { tier: 'P2', default: '0' }),
  ADD_HISTORY,
  ...RUN_RUN_FLAGS,
  option('--no-pivot bool', 'do without pivot_root, on hosts that run from a ramdisk', {
    tier: 'P2',
  }),
];

const COPY_ADD: readonly Option[] = [
  option('--chown str USER[:GROUP]', 'owner of what is copied'),
  option('--chmod str MODE', 'mode of what is copied: 0644, or u=rwX,go=rX'),
  option('--from str NAME', 'copy from another container or image', { complete: 'image' }),
  option('--contextdir str DIR', 'where sources are looked for', { tier: 'P1', complete: 'directory' }),
  option('--ignorefile str FILE', 'ignore file; needs --contextdir', { tier: 'P1', complete: 'file' }),
  option('--exclude csv PATTERN', 'leave matching files out', { tier: 'P1' }),
  option('--checksum str DIGEST', 'digest a remote source must have', { tier: 'P1' }),
  option('--link bool', 'store the result as a layer of its own', { tier: 'P1' }),
  option('--no-follow-symlinks bool', 'copy a symbolic link as one', { tier: 'P1' }),
  option('--timestamp int SECONDS', 'time of everything copied', { tier: 'P1' }),
  option('--allow-empty-wildcard bool', 'a pattern may match nothing', { tier: 'P2' }),
  option('--allow-wildcard bool', 'expand patterns in sources', { tier: 'P2', default: 'true' }),
  option('-q,--quiet bool', 'do not print the digest'),
  ADD_HISTORY,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...BLOB_CACHE_FLAGS,
  ...DECRYPTION_FLAGS,
  ...NO_SIGNATURES,
];

export const ADD_FLAGS: readonly Option[] = COPY_ADD;
export const COPY_FLAGS: readonly Option[] = [
  option('--parents bool', 'keep leading directories of sources', { tier: 'P1' }),
  ...COPY_ADD,
];

export const CONFIG_FLAGS: readonly Option[] = [
  option('--cmd str WORDS', 'default command: JSON array or words'),
  option('--entrypoint str WORDS', 'entry point: JSON array or shell text'),
  option('-e,--env strs K=V', 'environment variable; K- removes it, - all'),
  option('-l,--label strs K=V', 'label; K- removes it, - all'),
  option('-a,--annotation strs K=V', 'annotation; K- removes it, - all'),
  option('-u,--user str USER[:GROUP]', 'default user'),
  option('--workingdir str DIR', 'working directory'),
  option('-p,--port csv N[/PROTO]', 'exposed port; P- removes it, - all'),
  option('-v,--volume csv PATH', 'volume; V- removes it, - all'),
  option('--stop-signal str SIGNAL', 'signal that stops it', { tier: 'P1' }),
  option('--shell str WORDS', 'shell of RUN', { tier: 'P1' }),
  option('--onbuild csv TEXT', 'instruction for derived builds', { tier: 'P2' }),
  option('--healthcheck str TEXT', 'CMD …, CMD-SHELL … or NONE', { tier: 'P1' }),
  option('--healthcheck-interval str DURATION', 'time between checks', { tier: 'P1' }),
  option('--healthcheck-timeout str DURATION', 'time a check may take', { tier: 'P1' }),
  option('--healthcheck-start-period str DURATION', 'time before failures count', { tier: 'P1' }),
  option('--healthcheck-start-interval str DURATION', 'time between checks in it', { tier: 'P2' }),
  option('--healthcheck-retries int N', 'failures that make it unhealthy', { tier: 'P1' }),
  option('--author str TEXT', 'author of the image'),
  option('--created-by str TEXT', 'how the history says it was made', { tier: 'P1' }),
  option('--history-comment str TEXT', 'comment of the history entry', { tier: 'P1' }),
  option('--comment str TEXT', 'comment of the image', { tier: 'P2' }),
  option('--hostname str NAME', 'host name', { tier: 'P2' }),
  option('--domainname str NAME', 'domain name', { tier: 'P2' }),
  option('--arch str ARCH', 'architecture of the image', { tier: 'P1' }),
  option('--os str OS', 'operating system of the image', { tier: 'P1' }),
  option('--os-version str TEXT', 'version of the operating system', { tier: 'P2' }),
  option('--os-feature strs NAME', 'feature of the operating system; F- removes it, - all', { tier: 'P2' }),
  option('--variant str VARIANT', 'variant of the architecture', { tier: 'P1' }),
  option('--unsetlabel csv KEY', 'remove a label', { tier: 'P1' }),
  option('--unsetannotation csv KEY', 'remove an annotation', { tier: 'P1' }),
  ADD_HISTORY,
];

export const COMMIT_FLAGS: readonly Option[] = [
  FORMAT_FLAG,
  option('--rm bool', 'remove the container afterwards'),
  option('-q,--quiet bool', 'no progress'),
  option('-c,--change strs INSTRUCTION', 'change the config by a Containerfile instruction', { tier: 'P1' }),
  option('--config str FILE', 'JSON with settings to merge into the config', { tier: 'P1', complete: 'file' }),
  option('--add-file strs SRC[:DEST]', 'put a file into the image, as a layer', { tier: 'P1', complete: 'file' }),
  option('--manifest str LIST', 'put the image into a list', { tier: 'P1', complete: 'image' }),
  ...IMAGE_FLAGS,
  ...COMPRESSION_FLAGS,
  ...REGISTRY_FLAGS,
  option('--omit-timestamp bool', 'same as --timestamp 0', { tier: 'P2', hidden: true }),
  option('--reference-time str FILE', 'take the time from a file', { tier: 'P2', hidden: true, complete: 'file' }),
  option('--sbom str PRESET', 'preset of Buildah that says the format of the SBOM', { tier: 'P2' }),
  ...SBOM_FILE_FLAGS,
  ...SIGNING_FLAGS,
  ...REFUSED_IMAGE_FLAGS,
  ...BLOB_CACHE_FLAGS,
  ...ENCRYPTION_FLAGS,
  // Policies for images of SBOM scanners: none is ever needed.
  option('--pull str POLICY', 'no image is needed', { bare: 'always', tier: 'P2', hidden: true }),
  ...ignored('--pull-always bool', '--pull-never bool'),
];
