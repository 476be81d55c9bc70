/**
 * A network namespace of one run, connected by a helper.
 *
 * Two processes, each bound to this program by a pipe only it holds, so that nothing is left whatever ends us. The
 * *holder* (`cat`) is in the namespace and keeps it there for others to enter by /proc/PID/ns/net. The *guard* is pid 1
 * of a process namespace in which the helper runs: when it ends, the kernel ends the helper, into the background or not.
 *
 * Every run gets a namespace of its own: steps of stages built side by side must not see each other's listeners, nor a
 * later step what an earlier one with CAP_NET_ADMIN has changed.
 *
 * @see network_namespaces(7), pid_namespaces(7), unshare(1)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { NetworkMode } from '../spec/process-spec.ts';
import type { Cancellable } from '../spec/target.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { findProgram } from '../sys/host.ts';
import { runHelper, TRUSTED_PATH } from '../sys/spawn.ts';
import {
  complaintOf,
  gatewayOf,
  HELPER_PACKAGES,
  helperArguments,
  helpersFor,
  NETWORK_HELPERS,
  type NetworkHelper,
  orderedHelpers,
  RESOLVERS,
} from './network.ts';

/** Connected, until disposed. */
export interface PrivateNetwork extends AsyncDisposable {
  readonly helper: NetworkHelper;
  /** A file that stands for the namespace. */
  readonly namespace: string;
  /** Address of a resolver in there. */
  readonly resolver: string;
  /** Where the host is in there; undefined without a default route for IPv4. */
  readonly hostAddress: string | undefined;
}

export interface PrivateNetworkOptions extends Cancellable {
  /** Lets `hostAddress` lead to the host's loopback. */
  readonly hostLoopback?: boolean;
}

/** Both helpers are ready within a tenth of a second; a machine under load takes longer. */
const READY_MS = 15_000;

/**
 * Makes a namespace and connects it, with the first helper that works of those `mode` allows.
 * @throws `run.network-unavailable` without one; `sys.cancelled`
 */
export async function openPrivateNetwork(mode: NetworkMode, o: PrivateNetworkOptions = {}): Promise<PrivateNetwork> {
  const wanted = helpersFor(mode, installedOrder());
  const problems: string[] = [];
  for (const helper of wanted) {
    const program = findProgram(helper);
    if (program === undefined) continue;
    try {
      return await connect(helper, program, o);
    } catch (error) {
      if (!(error instanceof BuilderError) || error.code !== 'run.network-unavailable') throw error;
      problems.push(error.message);
    }
  }
  const what = `cannot connect a network for --network ${mode}`;
  if (problems.length > 0) throw new BuilderError('run.network-unavailable', `${what}: ${problems.join('; ')}`);
  const missing = wanted.length === 1 ? `${wanted[0]} is not` : `neither ${NETWORK_HELPERS.join(' nor ')} is`;
  throw new BuilderError('run.network-unavailable', `${what}: ${missing} installed`, {
    hint: installHint(NETWORK_HELPERS.filter((helper) => wanted.includes(helper))),
  });
}

let order: readonly NetworkHelper[] | undefined;

/** All helpers, the one tried first at the head; asked for once. */
function installedOrder(): readonly NetworkHelper[] {
  const pasta = findProgram('pasta');
  const version = (): string => (pasta === undefined ? '' : runHelper(pasta, ['--version']).stdout);
  order ??= findProgram('slirp4netns') === undefined ? NETWORK_HELPERS : orderedHelpers(version());
  return order;
}

/** Those installed, in the order they are tried for `--network private`. */
export function installedHelpers(): readonly NetworkHelper[] {
  return installedOrder().filter((helper) => findProgram(helper) !== undefined);
}

/** How to get the helpers. */
export function installHint(helpers: readonly NetworkHelper[]): string {
  const packages = helpers.map((helper) => HELPER_PACKAGES[helper]);
  return `sudo apt-get install ${packages[0]}${packages.length > 1 ? `   (or ${packages.slice(1).join(', ')})` : ''}`;
}

async function connect(helper: NetworkHelper, program: string, o: PrivateNetworkOptions): Promise<PrivateNetwork> {
  await using cleanup = new CleanupStack();
  const holder = cleanup.use(new Bound(holderCommand(), '', o.signal));
  holder.say('=');
  await holder.firstWord();
  const namespace = `/proc/${holder.pid}/ns/net`;
  const args = [program, ...helperArguments(helper, namespace, o.hostLoopback === true)];
  const guard = cleanup.use(new Bound(guardCommand(helper, args), helper, o.signal));
  if ((await guard.firstWord()) === ENDED) throw guard.failure();
  const hostAddress = gatewayOf(readFileSync(`/proc/${holder.pid}/net/route`, 'utf8'));
  const held = cleanup.move();
  return {
    helper,
    namespace,
    resolver: RESOLVERS[helper],
    hostAddress,
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  };
}

/**
 * Without capabilities: the kernel lets a process look into /proc/PID/ns only of one with no more than its own, and
 * pasta gives up most of its before it looks.
 */
function holderCommand(): readonly string[] {
  const setpriv = findProgram('setpriv');
  const powerless = setpriv === undefined ? [] : [setpriv, '--bounding-set=-all', '--inh-caps=-all'];
  return ['unshare', '--net', ...powerless, 'cat'];
}

const ENDED = 'ended';

/** The arguments are the helper's. Each says something when it is ready, or "ended", and lasts as long as its input. */
const GUARDS: Readonly<Record<NetworkHelper, string>> = {
  pasta: `if "$@" >/dev/null; then echo ready; else echo ${ENDED}; fi; read -r _`,
  slirp4netns: `{ "$@" 3>&1 >/dev/null; echo ${ENDED}; } & read -r _`,
};

function guardCommand(helper: NetworkHelper, args: readonly string[]): readonly string[] {
  return ['unshare', '--pid', '--fork', '--kill-child', '/bin/sh', '-c', GUARDS[helper], helper, ...args];
}

/** A process in a session of its own that ends with its standard input, which only this program holds. */
class Bound implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<void>;
  readonly #first: Promise<string>;
  #stderr = '';

  constructor([program = '', ...args]: readonly string[], name: string, signal: AbortSignal | undefined) {
    this.#name = name;
    const path = findProgram(program) ?? program;
    this.#child = spawn(path, args, {
      env: { PATH: TRUSTED_PATH, LC_ALL: 'C' },
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#stderr += error.message;
        resolve();
      });
      this.#child.once('close', () => resolve());
    });
    this.#first = this.#readFirst(signal);
    this.#first.catch(() => {});
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4096);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  say(word: string): void {
    this.#child.stdin?.write(word);
  }

  /** What it says first. @throws `run.network-unavailable` when it ends, or the time does, before that; `sys.cancelled` */
  firstWord(): Promise<string> {
    return this.#first;
  }

  failure(): BuilderError {
    const who = this.#name === '' ? 'a network namespace cannot be made' : this.#name;
    return new BuilderError('run.network-unavailable', `${who}: ${complaintOf(this.#stderr)}`);
  }

  #readFirst(signal: AbortSignal | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#stderr += `\nit was not ready after ${READY_MS / 1000} seconds`;
        reject(this.failure());
      }, READY_MS);
      const cancel = (): void =>
        reject(new BuilderError('sys.cancelled', 'the run was cancelled', { cause: signal?.reason }));
      if (signal?.aborted === true) cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      const done = (): void => {
        clearTimeout(late);
        signal?.removeEventListener('abort', cancel);
      };
      this.#child.stdout?.once('data', (chunk: Buffer) => {
        done();
        resolve(chunk.toString().trim());
      });
      void this.#ended.then(() => {
        done();
        reject(this.failure());
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }
}
