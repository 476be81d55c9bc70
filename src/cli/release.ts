/** The release of the program, read from its package file so that `--version` needs no engine. */
import { readFileSync } from 'node:fs';

/** Versions of the specifications that the images and runtime bundles follow. */
export const IMAGE_SPEC = '1.1.1';
export const RUNTIME_SPEC = '1.2.0';

/** The version in the nearest package.json above this file; bundled and unbundled code lie at different depths. */
export function releaseVersion(): string {
  for (let up = new URL('.', import.meta.url); up.pathname !== '/'; up = new URL('..', up)) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(new URL('package.json', up), 'utf8'));
      if (isOurs(parsed)) return parsed.version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error('the package.json of slipway is missing');
}

function isOurs(value: unknown): value is { readonly name: 'slipway'; readonly version: string } {
  const candidate = value as { name?: unknown; version?: unknown } | null;
  return candidate?.name === 'slipway' && typeof candidate.version === 'string';
}

/** What `--version` prints. */
export function versionLine(): string {
  return `slipway version ${releaseVersion()} (image-spec ${IMAGE_SPEC}, runtime-spec ${RUNTIME_SPEC})`;
}
