/**
 * Where a store lives and how its directory is laid out. The format version is part of the path, so a release that
 * changes the layout never reads or damages the files of another.
 *
 * ```
 * <root>/v1/blobs/sha256/<hex>      content: manifests, configs, compressed layers
 *           layers/<hex>.json       what is known of a layer, by DiffID
 *           chains/<hex>            snapshot holding a stack of layers, by ChainID
 *           rootfs/<driver>/        snapshots
 *           images.json             names and ids
 *           containers/<id>/        working containers
 *           steps/<hex>.json        build cache, by step key
 *           cache/                  files that may vanish at any time
 *           tmp/<instance>/         half-written things of one process
 *           locks/
 * ```
 */
import { join } from 'node:path';

export const STORE_FORMAT = 'v1';

export interface StorePaths {
  readonly root: string;
  readonly runroot: string;
  readonly base: string;
  readonly blobs: string;
  readonly layers: string;
  readonly chains: string;
  readonly rootfs: string;
  readonly images: string;
  readonly containers: string;
  readonly steps: string;
  readonly cache: string;
  readonly tmp: string;
  readonly locks: string;
}

export function storePaths(root: string, runroot: string): StorePaths {
  const base = join(root, STORE_FORMAT);
  return {
    root,
    runroot,
    base,
    blobs: join(base, 'blobs', 'sha256'),
    layers: join(base, 'layers'),
    chains: join(base, 'chains'),
    rootfs: join(base, 'rootfs'),
    images: join(base, 'images.json'),
    containers: join(base, 'containers'),
    steps: join(base, 'steps'),
    cache: join(base, 'cache'),
    tmp: join(base, 'tmp'),
    locks: join(base, 'locks'),
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The directories used when none are named: as root `/var/lib/slipway` and `/run/slipway`, else below the user's data
 * and runtime directories. `uid` is the caller's own id, outside any user namespace.
 * @see XDG Base Directory Specification
 */
export function defaultStoreRoots(env: Environment, uid: number): { readonly root: string; readonly runroot: string } {
  if (uid === 0) return { root: '/var/lib/slipway/storage', runroot: '/run/slipway' };
  const data = env['XDG_DATA_HOME'] || join(env['HOME'] || '/', '.local', 'share');
  const runtime = env['XDG_RUNTIME_DIR'] || join(env['TMPDIR'] || '/tmp', `slipway-run-${uid}`);
  return { root: join(data, 'slipway', 'storage'), runroot: join(runtime, 'slipway') };
}
