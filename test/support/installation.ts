/** Where the program under test is, in a place the account that runs it can read. */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Account } from './account.ts';
import { tryCommand } from './command.ts';

/** The checkout these tests were compiled from. */
export const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

export interface Installation {
  /** Folder that holds bin, dist and build. */
  readonly folder: string;
  /** The program under test: `bin/slipway`, or what SLIPWAY_BIN names. */
  readonly program: string;
}

const SHIPPED = ['bin', 'dist', 'build', 'package.json'];
const RUNTIME_PACKAGES = ['koffi', '@koromix', '@bokuweb'];
let readableCopy: string | undefined;

/** The installation an account can run: the checkout itself, or a copy of what is shipped. */
export async function installationFor(account: Account): Promise<Installation> {
  const folder = account.kind === 'root' || canRead(account) ? checkout : await copyOfCheckout();
  return { folder, program: process.env['SLIPWAY_BIN'] ?? join(folder, 'bin/slipway') };
}

function canRead(account: Account): boolean {
  const files = ['bin/slipway', 'package.json'].map((name) => join(checkout, name)).filter((path) => existsSync(path));
  const tests = files.map((path) => `test -r '${path}'`).join(' && ');
  return tryCommand('/bin/sh', ['-c', tests], { uid: account.uid, gid: account.gid, cwd: '/' }).status === 0;
}

async function copyOfCheckout(): Promise<string> {
  if (readableCopy !== undefined) return readableCopy;
  const folder = mkdtempSync(join(tmpdir(), 'slipway-copy-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const name of SHIPPED) cpSync(join(checkout, name), join(folder, name), { recursive: true });
  for (const name of RUNTIME_PACKAGES) {
    const path = join('node_modules', name);
    if (existsSync(join(checkout, path))) cpSync(join(checkout, path), join(folder, path), { recursive: true });
  }
  await chmod(folder, 0o755);
  readableCopy = folder;
  return folder;
}
