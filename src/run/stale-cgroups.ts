/**
 * Control groups that runs left behind whose runtime was killed before it could remove them. The kernel removes none
 * that holds a process; one of ours without any, whose container no process is about any more, is nobody's.
 *
 * Groups made by systemd are not looked for: it removes its scopes itself once they are empty.
 * @see cgroups(7); Linux, Documentation/admin-guide/cgroup-v2.rst, "Organizing Processes and Threads"
 */
import { readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts } from '../sys/mount.ts';

/** As containers are called, and their groups after them. */
const OURS = /^slipway-[0-9a-f]{12}$/;
/** A runtime makes the group before it puts a process there. */
const YOUNG_MS = 60_000;
/** Groups are made below that of whoever runs, which init systems and container engines keep this far down. */
const DEPTH = 5;

export interface CgroupSearch {
  /** Where to look; the mounted hierarchies unless told. */
  readonly roots?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now?: number;
}

/** Removes the groups of dead runs and gives their paths. What cannot be read or removed stays; nothing is thrown. */
export function sweepCgroups({ roots = hierarchies(), now = Date.now() }: CgroupSearch = {}): readonly string[] {
  const old = roots.flatMap((root) => find(root, DEPTH)).filter((path) => isOlder(path, now - YOUNG_MS));
  if (old.length === 0) return [];
  const spoken = commandLines();
  return old.filter((path) => !spoken.includes(path.slice(path.lastIndexOf('/') + 1)) && isEmpty(path) && remove(path));
}

function hierarchies(): readonly string[] {
  const mounts = listMounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  return [...new Set(mounts.map(({ target }) => target))];
}

function find(directory: string, depth: number): string[] {
  const names = directoriesIn(directory);
  const ours = names.filter((name) => OURS.test(name)).map((name) => join(directory, name));
  if (depth === 1) return ours;
  return [
    ...ours,
    ...names.filter((name) => !OURS.test(name)).flatMap((name) => find(join(directory, name), depth - 1)),
  ];
}

function directoriesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    // Gone meanwhile, or not ours to see.
    return [];
  }
}

function isOlder(path: string, moment: number): boolean {
  try {
    return statSync(path).mtimeMs < moment;
  } catch {
    return false;
  }
}

/** Of every process there is: a runtime and what watches it are told the container's name. */
function commandLines(): string {
  const lines = directoriesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => textOf(`/proc/${pid}/cmdline`));
  return lines.join('\n');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Whether no process is in the group or in one below it. */
function isEmpty(path: string): boolean {
  return (
    textOf(join(path, 'cgroup.procs')).trim() === '' && directoriesIn(path).every((name) => isEmpty(join(path, name)))
  );
}

function remove(path: string): boolean {
  for (const name of directoriesIn(path)) remove(join(path, name));
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
