/** The language corpus built in one way: one account, one storage driver, one process, one store. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeBusyboxBase } from './base-images.ts';
import { command } from './command.ts';
import { checkout } from './installation.ts';
import { BASE_PATH, type LanguageCase } from './language-case.ts';
import type { CaseOutcome, WorkerOrder } from './language-worker.ts';
import type { Rig } from './rig.ts';

export const languageCorpus: string = join(checkout, 'test/corpus/language');

/** The config of `base`, which every case but few stands on. */
export const BASE_CONFIG: Readonly<Record<string, unknown>> = { Cmd: ['/bin/sh'], Env: [BASE_PATH] };

/** Layouts of the images that cases stand on: `base`, and `bare`, which sets no PATH. */
export function makeBases(folder: string): Readonly<Record<string, string>> {
  makeBusyboxBase(join(folder, 'base'), BASE_CONFIG);
  makeBusyboxBase(join(folder, 'bare'), { Cmd: ['/bin/sh'] });
  command('chmod', ['-R', 'u=rwX,go=rX', folder]);
  return { base: join(folder, 'base'), bare: join(folder, 'bare') };
}

/**
 * Builds the cases in the rig's store.
 * @param layered of each case, whether it gets a layer for each step or one for all
 */
export async function buildCases(
  rig: Rig,
  layered: ReadonlyMap<LanguageCase, boolean>,
  bases: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, CaseOutcome>> {
  const work = join(rig.folder, 'work');
  using server = await serveFolder(work);
  const order: WorkerOrder = {
    root: join(rig.folder, 'root'),
    runroot: join(rig.folder, 'runroot'),
    driver: rig.driver ?? 'overlay',
    bases,
    cases: [...layered].map(([one, layers]) => ({ ...one, layers })),
    work,
    http: server.address,
  };
  const file = join(rig.folder, 'order.json');
  writeFileSync(file, JSON.stringify(order));
  chmodSync(file, 0o644);
  const outcomes = new Map<string, CaseOutcome>();
  for (const line of await linesOf(rig, file)) {
    const outcome = JSON.parse(line) as CaseOutcome;
    outcomes.set(outcome.name, outcome);
  }
  return outcomes;
}

function linesOf(rig: Rig, order: string): Promise<string[]> {
  const { folder } = rig.installation;
  const child = spawn(join(folder, 'bin/slipway'), [order], {
    uid: rig.account.uid,
    gid: rig.account.gid,
    cwd: join(rig.folder, 'work'),
    env: {
      ...rig.env,
      SLIPWAY_NODE: process.execPath,
      SLIPWAY_SCRIPT: join(folder, 'build/test/support/language-worker.js'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let said = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(lines);
      else reject(new Error(`the worker ended with ${code} after ${lines.length} cases: ${said.slice(-4000)}`));
    });
  });
}

/** A loopback server of a folder, in a process of its own; it ends with this one. */
export async function serveFolder(folder: string): Promise<{ readonly address: string } & Disposable> {
  const program = join(checkout, 'build/test/support/file-server.js');
  const child: ChildProcess = spawn(process.execPath, [program, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout! })) {
    return { address: line, [Symbol.dispose]: () => child.kill() };
  }
  throw new Error('the file server ended before it listened');
}
