/** Flags about the image that `build` and `commit` write. */
import { type Option, option, refused } from '../option.ts';

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

/** Confidential workloads. */
export const REFUSED_IMAGE_FLAGS: readonly Option[] = refused(
  'images for confidential virtual machines are not made',
  '--cw str',
);

/** Bills of materials as Buildah has them: files of the caller. */
export const SBOM_FILE_FLAGS: readonly Option[] = [
  option('--sbom-output str FILE', 'write the SBOM of the image to a file', { tier: 'P2', complete: 'file' }),
  option('--sbom-purl-output str FILE', 'write the package URLs of the image to a file', {
    tier: 'P2',
    complete: 'file',
  }),
  option('--sbom-image-output str PATH', 'put the SBOM into the image', { tier: 'P2' }),
  option('--sbom-image-purl-output str PATH', 'put the package URLs into the image', { tier: 'P2' }),
  option('--sbom-merge-strategy str NAME', 'there is one SBOM and nothing to merge', {
    tier: 'P2',
    hidden: true,
    choices: ['cat', 'merge-cyclonedx-by-component-name-and-version', 'merge-spdx-by-package-name-and-versioninfo'],
  }),
  ...refused(
    'packages are read from the image itself, no scanner is run',
    '--sbom-scanner-command strs',
    '--sbom-scanner-image str',
  ),
];

export const COMPRESSION_FLAGS: readonly Option[] = [
  option('--compression-format str NAME', 'gzip, zstd or zstd:chunked', {
    tier: 'P1',
    choices: ['gzip', 'zstd', 'zstd:chunked'],
  }),
  option('--compression-level int N', 'gzip 1-9, zstd 1-20', { tier: 'P1' }),
  option('--force-compression bool', 'compress again what is compressed otherwise', {
    tier: 'P1',
    default: 'true with --compression-format',
  }),
  option('-D,--disable-compression bool', 'do not compress layers', { tier: 'P1' }),
];
