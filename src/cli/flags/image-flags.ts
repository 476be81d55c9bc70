/** Flags about the image that `build` and `commit` write. */
import { type Option, option, unsupported } from '../option.ts';

export const FORMAT_FLAG = option('-f,--format str FORMAT', 'oci or docker', {
  env: 'BUILDAH_FORMAT',
  default: 'oci',
  choices: ['oci', 'docker'],
});

export const IMAGE_FLAGS: readonly Option[] = [
  option('--iidfile str FILE', 'write sha256:ID to a file instead of printing it', { complete: 'file' }),
  option('--iidfile-raw|--raw-iidfile str FILE', 'the same without sha256:', { tier: 'P1', complete: 'file' }),
  option('--metadata-file str FILE', 'write digests of the result as JSON', { tier: 'P1', complete: 'file' }),
  option('--annotation strs K[=V]', 'annotation of the manifest'),
  option('--unsetannotation csv KEY', 'leave an inherited annotation out', { tier: 'P1' }),
  option('--unsetenv csv NAME', 'leave an environment variable out', { tier: 'P1' }),
  option('--squash bool', 'write one layer, base included'),
  option('--timestamp int SECONDS', 'time of the image and of all new files'),
  option('--source-date-epoch int SECONDS', 'time of the image', { tier: 'P1', env: 'SOURCE_DATE_EPOCH' }),
  option('--rewrite-timestamp bool', 'clamp times of new files to --source-date-epoch', { tier: 'P1' }),
  option('--identity-label bool', 'label the image with the builder', { tier: 'P1', default: 'true' }),
  option('--created-annotation bool', 'annotate the time of creation', { tier: 'P1', default: 'true' }),
  option('--omit-history bool', 'write no history', { tier: 'P1' }),
];

/** Encryption, signing, confidential workloads and SBOM scanners. */
export const REFUSED_IMAGE_FLAGS: readonly Option[] = unsupported(
  '--cw str',
  '--sign-by str',
  '--sbom str',
  '--sbom-image-output str',
  '--sbom-image-purl-output str',
  '--sbom-merge-strategy str',
  '--sbom-output str',
  '--sbom-purl-output str',
  '--sbom-scanner-command strs',
  '--sbom-scanner-image str',
);

export const COMPRESSION_FLAGS: readonly Option[] = [
  option('--compression-format str NAME', 'gzip or zstd', { tier: 'P1', choices: ['gzip', 'zstd'] }),
  option('--compression-level int N', 'gzip 1-9, zstd 1-20', { tier: 'P1' }),
  option('-D,--disable-compression bool', 'do not compress layers', { tier: 'P1' }),
];
