/**
 * Which user namespace this program is in, and how to get into one of its own. Programs normally start through
 * `bin/slipway`, which enters first and says so in the environment; a library user who was not started that way calls
 * `reexecInNamespace`.
 *
 * @see user_namespaces(7)
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BuilderError } from '../report/builder-error.ts';

/** `length` ids from `inside` on are `outside` and following ones in the parent namespace. */
export interface IdMapping {
  readonly inside: number;
  readonly outside: number;
  readonly length: number;
}

export interface NamespaceFacts {
  /** The namespace the system booted in: every id is itself. */
  readonly isInitial: boolean;
  readonly uidMap: readonly IdMapping[];
  readonly gidMap: readonly IdMapping[];
  /** The ordinary user this program was started by, when it runs in a namespace of its own making. */
  readonly rootlessUid: number | undefined;
  readonly rootlessGid: number | undefined;
  /** What the launcher did: see `bin/slipway`. Undefined when it was not used. */
  readonly launched: string | undefined;
}

const WHOLE = 4294967295;

function readMap(path: string): IdMapping[] {
  if (!existsSync(path)) return [{ inside: 0, outside: 0, length: WHOLE }];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [inside = 0, outside = 0, length = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, length };
    });
}

const NUMBER = /^\d{1,10}$/;

function idFromEnvironment(name: string): number | undefined {
  const text = process.env[name];
  return text !== undefined && NUMBER.test(text) ? Number(text) : undefined;
}

let facts: NamespaceFacts | undefined;

/** Read once: a running program cannot change its user namespace. */
export function currentNamespace(): NamespaceFacts {
  if (facts !== undefined) return facts;
  const uidMap = readMap('/proc/self/uid_map');
  const gidMap = readMap('/proc/self/gid_map');
  const first = uidMap[0];
  const isInitial = uidMap.length === 1 && first?.outside === 0 && first.inside === 0 && first.length === WHOLE;
  facts = {
    isInitial,
    uidMap,
    gidMap,
    rootlessUid: isInitial ? undefined : (idFromEnvironment('SLIPWAY_ROOTLESS_UID') ?? first?.outside),
    rootlessGid: isInitial ? undefined : (idFromEnvironment('SLIPWAY_ROOTLESS_GID') ?? gidMap[0]?.outside),
    launched: process.env['SLIPWAY_LAUNCHED'],
  };
  return facts;
}

/** Whether files here can have that owner. */
export function idMapCovers(id: number, map: readonly IdMapping[] = currentNamespace().uidMap): boolean {
  return map.some(({ inside, length }) => id >= inside && id < inside + length);
}

const CAP_SYS_ADMIN = 21n;

/** Whether this program may mount: root with CAP_SYS_ADMIN, in whatever user namespace. */
export function mayMount(): boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** The launcher beside the bundle (`dist/`) or the compiled sources (`build/src/sys/`). */
function launcherPath(): string {
  for (const up of ['../bin/slipway', '../../../bin/slipway', '../../bin/slipway']) {
    const path = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new BuilderError('sys.spawn-failed', 'cannot find bin/slipway beside the program');
}

/**
 * Runs this node with `argv` (script first) inside the namespaces the launcher would give it and waits for it.
 * Streams are inherited. For a library user: `if (!mayMount()) process.exitCode = await reexecInNamespace(argv)`.
 * @returns its exit code; 128 + n when signal n ended it
 * @throws `sys.spawn-failed`
 */
export function reexecInNamespace(argv: readonly string[] = process.argv.slice(1)): Promise<number> {
  const child = spawn('/bin/sh', [launcherPath(), ...argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, SLIPWAY_NODE: process.execPath, SLIPWAY_SCRIPT: argv[0] ?? '' },
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new BuilderError('sys.spawn-failed', 'cannot start the program again in a user namespace', { cause }));
    });
    child.once('exit', (code, signal) => {
      resolve(signal === null ? (code ?? 1) : 128 + osConstants.signals[signal]);
    });
  });
}
