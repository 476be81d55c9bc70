/**
 * Names that say "removed" in a layer.
 *
 * @see OCI image-spec, layer.md, "Whiteouts" and "Opaque Whiteout"
 */
import { BuilderError } from '../report/builder-error.ts';
import { type ByteString, displayName } from './copy-walk.ts';

const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** Bookkeeping of AUFS that old images carry. */
const AUFS_PREFIX = '.wh..wh.';

const baseName = (path: ByteString): ByteString => path.slice(path.lastIndexOf('/') + 1);

/** Whether the last component of `path` has the form of a whiteout. */
export function isWhiteoutName(path: ByteString): boolean {
  return baseName(path).startsWith(PREFIX);
}

/** The whiteout for `path`. */
export function whiteoutOf(path: ByteString): ByteString {
  const cut = path.lastIndexOf('/') + 1;
  return `${path.slice(0, cut)}${PREFIX}${path.slice(cut)}`;
}

export type WhiteoutMeaning =
  | { readonly kind: 'none' }
  | { readonly kind: 'removed'; readonly name: ByteString }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'ignored' };

const NONE: WhiteoutMeaning = { kind: 'none' };

/**
 * What an entry of this (clean, relative) path says about removals.
 * @throws `layer.invalid` for a whiteout of nothing, `.` or `..`, and for entries below a whiteout
 */
export function whiteoutMeaning(path: ByteString): WhiteoutMeaning {
  const at = path.indexOf(PREFIX);
  // Almost every entry leaves here.
  if (at === -1) return NONE;
  const components = path.split('/');
  const last = components.pop()!;
  if (components.some((component) => component.startsWith(AUFS_PREFIX))) return { kind: 'ignored' };
  if (components.some((component) => component.startsWith(PREFIX))) {
    throw invalid(path, 'it lies below a whiteout, which is never a directory');
  }
  if (!last.startsWith(PREFIX)) return NONE;
  if (last === OPAQUE) return { kind: 'opaque' };
  if (last.startsWith(AUFS_PREFIX)) return { kind: 'ignored' };
  const name = last.slice(PREFIX.length);
  if (name === '' || name === '.' || name === '..') throw invalid(path, 'a whiteout has to name what it removes');
  return { kind: 'removed', name };
}

function invalid(path: ByteString, why: string): BuilderError {
  return new BuilderError(
    'layer.invalid',
    `cannot apply the layer entry ${JSON.stringify(displayName(path))}: ${why}`,
    {
      facts: { path: displayName(path) },
    },
  );
}
