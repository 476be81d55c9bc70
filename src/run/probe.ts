/**
 * Choosing how to run: the strongest isolation that works on this machine, found out by trying it once. What was found
 * is remembered per boot, user, version of the runtime and mounts of control groups, so that later programs pay for
 * reading one small file; that something does not work for ten minutes only, because it may have been mended, or have
 * failed for lack of room.
 *
 * Order: an OCI runtime (as `oci` for root, as `rootless` otherwise), then `chroot`. BUILDAH_ISOLATION and
 * BUILDAH_RUNTIME are honoured; what is asked for by name is used or refused, never replaced.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Isolation, ProcessSpec, RunMount } from '../spec/process-spec.ts';
import { findProgram } from '../sys/host.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { listMounts } from '../sys/mount.ts';
import { cacheDirectory } from '../sys/user-directories.ts';
import { currentNamespace, mayMount } from '../sys/user-namespace.ts';
import { DEFAULT_CAPABILITIES } from './capabilities.ts';
import { ChrootExecutor } from './chroot.ts';
import type { Executor } from './executor.ts';
import { type CgroupManager, RuntimeExecutor } from './oci-runtime.ts';

export interface ExecutorRequest {
  /** Of `--isolation`; wins over BUILDAH_ISOLATION. */
  readonly isolation?: string | undefined;
  /** Path or name of a runtime; wins over BUILDAH_RUNTIME. */
  readonly runtime?: string | undefined;
  /** Where a runtime of that name may be; without any it is looked for. */
  readonly runtimePaths?: readonly string[];
  readonly runtimeFlags?: readonly string[];
  readonly noPivot?: boolean | undefined;
  readonly cgroupManager?: CgroupManager | undefined;
  /** For isolation chroot: prepare the next run while one is going on. For builds; a single run only loses by it. */
  readonly keepWarm?: boolean;
  /** Folder for what a run needs on disk, swept by its owner after a crash. */
  readonly temporary?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface ChosenExecutor {
  readonly executor: Executor;
  /** One sentence for people. */
  readonly why: string;
  readonly rejected: readonly { readonly isolation: Isolation; readonly reason: string }[];
}

/** Tried in this order when none is named. */
export const RUNTIMES: readonly string[] = ['crun', 'runc', 'runsc'];

/**
 * @throws `usage.invalid` for an unknown isolation; `run.isolation-unavailable` when the one asked for cannot work here,
 *   or none can
 */
export async function chooseExecutor(request: ExecutorRequest): Promise<ChosenExecutor> {
  const named = request.isolation ?? request.env['BUILDAH_ISOLATION'];
  const runtime = request.runtime ?? request.env['BUILDAH_RUNTIME'];
  const options = {
    // Written without their dashes, as Buildah has it.
    flags: (request.runtimeFlags ?? []).map((flag) => (flag.startsWith('-') ? flag : `--${flag}`)),
    noPivot: request.noPivot ?? (request.env['BUILDAH_NOPIVOT'] ?? '') !== '',
    temporary: request.temporary,
    cgroupManager: request.cgroupManager,
  };
  const wanted = parseIsolation(named);
  const rejected: { isolation: Isolation; reason: string }[] = [];
  const own = currentNamespace().isInitial ? 'oci' : 'rootless';
  if (wanted !== 'chroot') {
    // Outside a user namespace "rootless" can only mean what root gets anyway, inside one "oci" the reverse.
    for (const path of runtimePaths(runtime, request.runtimePaths)) {
      const reason = await runtimeProblem(own, path, options);
      if (reason === undefined) {
        const why = wanted === undefined ? `${path} works here` : `asked for, and ${path} works here`;
        return { executor: new RuntimeExecutor(own, path, options), why, rejected };
      }
      rejected.push({ isolation: own, reason: `${path}: ${reason}` });
    }
    if (rejected.length === 0) rejected.push({ isolation: own, reason: missingRuntime(runtime) });
    if (wanted !== undefined) throw unavailable(wanted, rejected);
  }
  const problem = chrootProblem();
  if (problem !== undefined) {
    rejected.push({ isolation: 'chroot', reason: problem });
    throw unavailable(wanted, rejected);
  }
  const why = wanted === 'chroot' ? 'asked for' : 'no OCI runtime works here';
  return {
    executor: new ChrootExecutor({
      noPivot: options.noPivot,
      temporary: options.temporary,
      keepWarm: request.keepWarm === true,
    }),
    why,
    rejected,
  };
}

function parseIsolation(text: string | undefined): Isolation | undefined {
  switch (text) {
    case undefined:
    case '':
    case 'default':
      return undefined;
    case 'oci':
    case 'rootless':
    case 'chroot':
      return text;
    default:
      throw new BuilderError('usage.invalid', `unknown isolation ${JSON.stringify(text)}`, {
        hint: 'it is one of oci, rootless, chroot',
      });
  }
}

function unavailable(wanted: Isolation | undefined, rejected: ChosenExecutor['rejected']): BuilderError {
  const reasons = rejected.map(({ isolation, reason }) => `${isolation}: ${reason}`).join('; ');
  return new BuilderError(
    'run.isolation-unavailable',
    `${wanted ?? 'no'} isolation works here (${reasons})`.replace(
      /^(oci|rootless|chroot) isolation works/,
      'isolation $1 does not work',
    ),
    {
      hint: 'run "slipway doctor" to see what is missing',
    },
  );
}

function runtimePaths(named: string | undefined, places: readonly string[] = []): string[] {
  if (named !== undefined && named !== '') {
    const known = places.find(isExecutable);
    if (known !== undefined) return [known];
    const path = named.includes('/') ? named : findProgram(named);
    return path === undefined || !isExecutable(path) ? [] : [path];
  }
  return RUNTIMES.map((name) => findProgram(name)).filter((path) => path !== undefined);
}

function missingRuntime(named: string | undefined): string {
  return named === undefined || named === ''
    ? `none of ${RUNTIMES.join(', ')} is installed`
    : `there is no runtime ${named}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why `chroot` cannot work, without trying: a trial costs as much as a run, and a run says it as well. */
function chrootProblem(): string | undefined {
  if (!mayMount()) return 'this program may not mount: no user namespace could be entered';
  if (process.arch !== 'x64' && process.arch !== 'arm64') return `not supported on ${process.arch}`;
  return undefined;
}

async function runtimeProblem(
  isolation: 'oci' | 'rootless',
  path: string,
  options: { readonly flags: readonly string[]; readonly noPivot: boolean; readonly temporary: string | undefined },
): Promise<string | undefined> {
  if (!mayMount()) return 'this program may not mount: no user namespace could be entered';
  const key = probeKey(isolation, path, options.flags);
  const cache = readCache();
  const known = rememberedProblem(cache[key], Date.now());
  if (known !== undefined) return known === '' ? undefined : known;
  const problem = await tryRuntime(new RuntimeExecutor(isolation, path, options), options.temporary ?? tmpdir());
  writeCache({ ...cache, [key]: problem === undefined ? '' : `${Date.now()} ${problem}` });
  return problem;
}

const PROBLEM_LASTS_MS = 10 * 60_000;

/** What a line of the memory says at a time: empty where the runtime works, undefined when it must be tried (again). */
export function rememberedProblem(line: string | undefined, nowMs: number): string | undefined {
  if (line === undefined || line === '') return line;
  const [, at, problem] = /^(\d+) (.*)$/s.exec(line) ?? [];
  const age = nowMs - Number(at);
  return age >= 0 && age < PROBLEM_LASTS_MS ? problem : undefined;
}

function probeKey(isolation: string, path: string, flags: readonly string[]): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const { uidMap } = currentNamespace();
  const ids = uidMap.map(({ inside, outside, length }) => `${inside}:${outside}:${length}`).join(',');
  return [boot, ids, isolation, path, statSync(path).mtimeMs, cgroupMounts(), ...flags].join(' ');
}

/** Runtimes refuse some arrangements of control groups, which a machine may change while it runs. */
function cgroupMounts(): string {
  const mounts = listMounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  return mounts.map(({ type, target }) => `${type}:${target}`).join(',');
}

/** In the user's cache: nobody else may tell us what works. */
function cachePath(): string {
  return join(cacheDirectory(process.env), 'slipway', 'isolation.json');
}

function readCache(): Readonly<Record<string, string>> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(cachePath(), 'utf8'));
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const entries = Object.entries(parsed as Record<string, unknown>);
    // Earlier boots may have had another kernel.
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[0].startsWith(boot)),
    );
  } catch {
    return {};
  }
}

function writeCache(cache: Readonly<Record<string, string>>): void {
  const path = cachePath();
  try {
    makeDirectories(join(path, '..'), 0o700);
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, JSON.stringify(cache), { mode: 0o600 });
    renameSync(fresh, path);
  } catch {
    // A read-only home: every program probes for itself.
  }
}

/** Directories of the host that a trial program needs. */
const HOST_DIRECTORIES = ['/usr', '/bin', '/lib', '/lib64'];

/** Runs `true` of the host, read-only, in an otherwise empty root; the reason when that fails. */
async function tryRuntime(executor: Executor, temporary: string): Promise<string | undefined> {
  const root = mkdtempSync(join(temporary, 'slipway-probe-'));
  try {
    let said = '';
    const status = await executor.run(root, trialProcess(), {
      stdin: 'ignore',
      stdout: () => {},
      stderr: (chunk) => {
        said += Buffer.from(chunk).toString();
      },
    });
    if (status.kind === 'exited' && status.code === 0) return undefined;
    return said.trim() === '' ? 'a trial run failed' : said.trim();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function trialProcess(): ProcessSpec {
  const mounts = HOST_DIRECTORIES.filter((path) => existsSync(path)).map(
    (path): RunMount => ({ type: 'bind', source: path, target: path, readOnly: true }),
  );
  return {
    args: ['true'],
    env: ['PATH=/usr/bin:/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, groups: [] },
    terminal: false,
    mounts,
    network: 'host',
    capabilities: DEFAULT_CAPABILITIES,
    limits: [],
    noNewPrivileges: false,
    shmSizeBytes: 65536,
  };
}
