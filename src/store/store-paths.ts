/**
 * Where a store lives and how its directory is laid out. The format version is part of the path, so a release that
 * changes the layout never reads or damages the files of another.
 *
 * ```
 * <root>/v1/blobs/sha256/<hex>      content: manifests, configs, compressed layers
 *           layers/<hex>.json       what is known of a layer, by DiffID
 *           chains/<hex>            snapshot holding a stack of layers, by ChainID
 *           rootfs/<driver>/        snapshots, those that containers write to among them
 *           images.json             names and ids
 *           containers/<id>/        working containers
 *           steps/<hex>.json        build cache, by step key
 *           cache/                  files that may vanish at any time
 *           borrowed.json           which other stores lend images, and which state of them is known
 *           mounts/<id>/            where `mount` left a container mounted
 *           users/<kind>-<hex>      links to directories of containers elsewhere that stand on these snapshots
 *           tmp/<instance>/         half-written things of one process
 *           locks/
 * ```
 *
 * With an image store of its own (`--imagestore`) all of this is there, and only the records of containers, with their
 * locks, are below the root: what containers write has to be on the file system of the snapshots, because a commit
 * takes it by rename. Of a transient store the records are below the run root.
 *
 * ```
 * <root>/v1/on/<image store>/{containers,locks}/
 * <runroot>/v1/transient/<root, image store>/{containers,locks}/
 * ```
 */
import { join } from 'node:path';
import { digestOf, hexOf } from '../spec/digest.ts';
import { dataDirectory, runtimeDirectory, temporaryDirectory } from '../sys/user-directories.ts';

export const STORE_FORMAT = 'v1';

/** What is said of where a store is; absolute paths. */
export interface StorePlaces {
  readonly root: string;
  readonly runroot: string;
  /** Where everything but containers is, in the place of `root`. */
  readonly imageStore?: string | undefined;
  /** Records of containers are kept below `runroot`, which a reboot may empty. */
  readonly isTransient?: boolean | undefined;
}

export interface StorePaths extends StorePlaces {
  readonly base: string;
  readonly blobs: string;
  readonly layers: string;
  readonly chains: string;
  readonly rootfs: string;
  readonly images: string;
  readonly containers: string;
  readonly containerLocks: string;
  readonly steps: string;
  readonly cache: string;
  readonly mounts: string;
  readonly borrowed: string;
  readonly users: string;
  readonly tmp: string;
  readonly locks: string;
}

/** Containers belong to the store they stand on, so each has directories of its own for them. */
export function storePaths(places: StorePlaces): StorePaths {
  const base = join(places.imageStore ?? places.root, STORE_FORMAT);
  const besides = containerBase(places, base);
  return {
    ...places,
    base,
    blobs: join(base, 'blobs', 'sha256'),
    layers: join(base, 'layers'),
    chains: join(base, 'chains'),
    rootfs: join(base, 'rootfs'),
    images: join(base, 'images.json'),
    containers: join(besides, 'containers'),
    containerLocks: join(besides, 'locks'),
    steps: join(base, 'steps'),
    cache: join(base, 'cache'),
    mounts: join(base, 'mounts'),
    borrowed: join(base, 'borrowed.json'),
    users: join(base, 'users'),
    tmp: join(base, 'tmp'),
    locks: join(base, 'locks'),
  };
}

function containerBase({ root, runroot, imageStore, isTransient }: StorePlaces, base: string): string {
  const name = (text: string): string => hexOf(digestOf(text)).slice(0, 16);
  if (isTransient === true) return join(runroot, STORE_FORMAT, 'transient', name(`${root}\0${imageStore ?? ''}`));
  return imageStore === undefined ? base : join(root, STORE_FORMAT, 'on', name(imageStore));
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The directories used when none are named: as root `/var/lib/slipway` and `/run/slipway`, else below the user's data
 * and runtime directories. `uid` is the caller's own id, outside any user namespace.
 * @see XDG Base Directory Specification
 */
export function defaultStoreRoots(env: Environment, uid: number): { readonly root: string; readonly runroot: string } {
  if (uid === 0) return { root: '/var/lib/slipway/storage', runroot: '/run/slipway' };
  const data = dataDirectory(env);
  const runtime = runtimeDirectory(env) ?? join(temporaryDirectory(env) ?? '/tmp', `slipway-run-${uid}`);
  return { root: join(data, 'slipway', 'storage'), runroot: join(runtime, 'slipway') };
}

/** Whether it is the directory in a place where everybody may write, of those without a runtime directory. */
export function isSharedRuntime(path: string): boolean {
  return /\/slipway-run-\d+$/.test(path);
}
