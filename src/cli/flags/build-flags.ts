/** Flags of `build`. */
import { ignored, type Option, option } from '../option.ts';
import { COMPRESSION_FLAGS, FORMAT_FLAG, IMAGE_FLAGS, REFUSED_IMAGE_FLAGS, SBOM_FILE_FLAGS } from './image-flags.ts';
import {
  BLOB_CACHE_FLAGS,
  DECRYPTION_FLAGS,
  PLATFORM_FLAGS,
  PULL_FLAGS,
  REGISTRY_FLAGS,
  RETRY_FLAGS,
} from './registry-flags.ts';
import { BUILD_RUN_FLAGS } from './run-flags.ts';
import { SIGNING_FLAGS } from './signing-flags.ts';

export const PROGRESS_FLAG = option('--progress str MODE', 'auto, tty, plain, json or quiet', {
  default: 'auto',
  choices: ['auto', 'tty', 'plain', 'json', 'quiet'],
});

const FILE = option('-f,--file csv PATH', 'Containerfile; - is standard input; repeatable', { complete: 'file' });

const ARGUMENT_FLAGS: readonly Option[] = [
  option('--build-arg strs K[=V]', 'value of an ARG; without =V from the environment'),
  option('--build-arg-file strs FILE', 'file of K=V lines', { tier: 'P1', complete: 'file' }),
  option('--build-context strs NAME=PLACE', 'further context: directory, URL or image'),
  option('--ignorefile str FILE', 'another ignore file', { tier: 'P1', complete: 'file' }),
];

export const CHECK_FLAGS: readonly Option[] = [
  { ...FILE, summary: 'Containerfile; - is standard input; each of several by itself' },
  option('--format str FORMAT', 'text, json or sarif', { default: 'text', choices: ['text', 'json', 'sarif'] }),
  option('--rules csv RULE', "rules beyond BuildKit's: recommended, strict, buildkit (none), names", {
    default: 'recommended',
    choices: ['recommended', 'strict', 'buildkit'],
  }),
  option('--target str STAGE', 'check this stage and what it needs', { complete: 'stage' }),
  ...ARGUMENT_FLAGS,
  ...PLATFORM_FLAGS,
];

export const BUILD_FLAGS: readonly Option[] = [
  FILE,
  option('-t,--tag strs NAME', 'name of the image; repeatable'),
  option('--target str STAGE', 'stop after this stage', { complete: 'stage' }),
  ...ARGUMENT_FLAGS,
  option('--check bool', 'check the Containerfile and build nothing; short for --call=check'),
  option('--call str METHOD', 'build, check, outline or targets[,format=json]', {
    tier: 'P1',
    default: 'build',
    choices: ['build', 'check', 'outline', 'targets'],
  }),
  option('-o,--output strs DEST', 'export: DIR, -, type=local|tar|oci|docker,dest=…, type=image|registry,name=…', {
    complete: 'directory',
  }),
  option('--from str IMAGE', 'replace the image of the first FROM', { complete: 'image' }),
  option('--env strs K[=V]', 'environment variable for the image'),
  option('--label strs K[=V]', 'label of the image'),
  option('--unsetlabel csv KEY', 'leave an inherited label out', { tier: 'P1' }),
  option('--inherit-labels bool', 'keep labels of the base', { tier: 'P1', default: 'true' }),
  option('--inherit-annotations bool', 'keep annotations of the base', { tier: 'P1', default: 'true' }),
  option('--layers bool', 'commit each step and reuse earlier ones', { env: 'BUILDAH_LAYERS', default: 'false' }),
  option('--no-cache bool', 'reuse nothing'),
  option('--cache-from strs PLACE', 'reuse steps remembered there: REPOSITORY, IMAGE, type=registry|local,…'),
  option('--cache-to strs PLACE', 'remember steps there, too: REPOSITORY, type=registry|local|inline,…'),
  option('--cache-ttl str DURATION', 'reuse nothing older, e.g. 24h; 0 reuses nothing', { tier: 'P1' }),
  option('--explain str FORMAT', 'say why steps were run: text or json', {
    bare: 'text',
    choices: ['text', 'json', 'none'],
  }),
  option('--dry-run bool', 'run nothing; say what would be run, and why'),
  option('--lock str FILE', 'write what every input came to; with --locked, the file that is obeyed', {
    complete: 'file',
  }),
  option('--locked bool', 'build with what the lock file says alone; default slipway.lock in the context'),
  option('--source-policy-file str FILE', "rules about what may be read from where, in BuildKit's JSON", {
    tier: 'P2',
    complete: 'file',
  }),
  option('--jobs int N', 'steps to run at once; 0 is no limit'),
  option('--skip-unused-stages bool', 'leave out stages the target does not need', { default: 'true' }),
  option('--secret strs id=ID[,src=FILE]', 'secret for RUN --mount=type=secret'),
  option('--allow strs GRANT', 'let the file have security.insecure, network.host or device[=NAME]', { tier: 'P1' }),
  option('--ssh strs ID[=SOCKET|KEY]', 'agent or keys for RUN --mount=type=ssh', { tier: 'P1' }),
  option('--mount strs SPEC', 'mount for every RUN', { tier: 'P1' }),
  option('--stdin bool', 'give standard input to RUN, which is run anew each time', { tier: 'P2' }),
  option('--compat-volumes bool', 'throw away what a RUN writes below a VOLUME', { tier: 'P1' }),
  option('--rm|--purge bool', 'leave no working containers, as is always done: false is refused', {
    tier: 'P1',
    default: 'true',
  }),
  option('--force-rm bool', 'the same after a failure: not together with --keep-failed', { tier: 'P1' }),
  option('--manifest str LIST', 'put the image, or that of each platform, into a list', { complete: 'image' }),
  option('--save-stages bool', 'keep images of the stages below the target', { tier: 'P1' }),
  option('--stage-labels bool', 'label those with name and base of the stage', { tier: 'P2' }),
  option('--layer-label strs K[=V]', 'label of those images alone', { tier: 'P1' }),
  option('--os-version str VERSION', 'version of the operating system', { tier: 'P2' }),
  option('--os-feature strs NAME', 'feature of the operating system; NAME- takes it away', { tier: 'P2' }),
  option('--logfile str FILE', 'write all output to a file', { tier: 'P1', complete: 'file' }),
  option('--logsplit bool', 'with --logfile, a file for each platform: FILE_OS_ARCH', { tier: 'P2' }),
  option('--debug-shell bool', 'open a shell where a RUN failed'),
  option('--keep-failed bool', 'leave a working container where a step failed'),
  option('--timings bool', 'tell where the time went'),
  option('--trace str FILE', 'write a trace for Perfetto or a browser', { complete: 'file' }),
  option('--report strs FILE', 'write a report: FILE.html or FILE.json; repeatable', { complete: 'file' }),
  option('-q,--quiet bool', 'print the image id only'),
  PROGRESS_FLAG,
  // Buildah's build has no letter for the format: -f is the file.
  withoutLetter(FORMAT_FLAG),
  ...IMAGE_FLAGS,
  ...PLATFORM_FLAGS,
  option('--all-platforms bool', 'build for every platform that all base images have', { tier: 'P1' }),
  ...PULL_FLAGS,
  ...REGISTRY_FLAGS,
  ...RETRY_FLAGS,
  ...BUILD_RUN_FLAGS,
  ...COMPRESSION_FLAGS,
  ...ignored('--compress bool', '--disable-content-trust bool', '--loglevel int'),
  option('--attest strs type=TYPE', 'attest the image: type=sbom or type=provenance, with options'),
  option('--sbom str FORMAT', 'attest what the image holds: true, spdx or cyclonedx; or a preset of Buildah'),
  option('--provenance str MODE', 'attest how the image was made: true, mode=max'),
  ...SBOM_FILE_FLAGS,
  ...SIGNING_FLAGS,
  ...REFUSED_IMAGE_FLAGS,
  ...BLOB_CACHE_FLAGS,
  ...DECRYPTION_FLAGS,
  option('--cpp-flag strs FLAG', 'a word for cpp, which Containerfiles ending in .in go through', { tier: 'P2' }),
  option('--hooks-dir strs DIR', 'hooks for OCI runtimes', { tier: 'P2', complete: 'directory' }),
  option('--log-rusage bool', 'tell what each step used of the machine', { tier: 'P2', hidden: true }),
  option('--rusage-logfile str FILE', 'with --log-rusage, into a file', {
    tier: 'P2',
    hidden: true,
    complete: 'file',
  }),
];

function withoutLetter(o: Option): Option {
  const { short: _, ...rest } = o;
  return rest;
}
