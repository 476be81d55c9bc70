/**
 * A builder with a store of its own: `slipway` (or a peer with the same command line) as root or as an ordinary user,
 * its store, its run directory and its scratch folder all under one temporary folder that goes away with the rig.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Account, loginEnvironment } from './account.ts';
import { type CommandOptions, type CommandResult, command, failureText, tryCommand } from './command.ts';
import { type Installation, installationFor } from './installation.ts';
import type { TreeEntry } from './tree-listing.ts';

export interface RigOptions {
  readonly account: Account;
  readonly driver?: 'overlay' | 'vfs';
  /** Another program with Buildah's command line, in the place of slipway. */
  readonly program?: string;
  /** Parent of the rig's folder; the system's temporary folder unless told. */
  readonly parent?: string;
}

export class Rig implements AsyncDisposable {
  readonly account: Account;
  readonly installation: Installation;
  /** The rig's own folder, writable by the account. */
  readonly folder: string;
  readonly program: string;
  readonly driver: 'overlay' | 'vfs' | undefined;

  private constructor(o: RigOptions, installation: Installation, folder: string) {
    this.account = o.account;
    this.installation = installation;
    this.folder = folder;
    this.program = o.program ?? installation.program;
    this.driver = o.driver;
  }

  static async open(o: RigOptions): Promise<Rig> {
    const folder = mkdtempSync(join(o.parent ?? tmpdir(), 'slipway-rig-'));
    chmodSync(folder, 0o711);
    chownSync(folder, o.account.uid, o.account.gid);
    const rig = new Rig(o, await installationFor(o.account), folder);
    for (const name of ['run', 'tmp', 'work']) rig.makeFolder(name);
    return rig;
  }

  /** Words before the command: which store, which driver. */
  get storeFlags(): readonly string[] {
    const driver = this.driver === undefined ? [] : ['--storage-driver', this.driver];
    return ['--root', join(this.folder, 'root'), '--runroot', join(this.folder, 'runroot'), ...driver];
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...loginEnvironment(this.account, join(this.folder, 'run')),
      TMPDIR: join(this.folder, 'tmp'),
      // A peer of the command line runs with its weakest isolation: the tests compare results, not sandboxes.
      ...(this.isSlipway ? {} : { BUILDAH_ISOLATION: 'chroot' }),
    };
  }

  get isSlipway(): boolean {
    return !this.program.endsWith('buildah');
  }

  /** Runs a command of the builder that must succeed; gives its standard output without the last line end. */
  run(...words: readonly string[]): string {
    return this.must(words).stdout.replace(/\n$/, '');
  }

  /** As `run`, with options and both streams. */
  must(words: readonly string[], o: CommandOptions = {}): CommandResult {
    const result = this.try(words, o);
    if (result.status !== 0) throw new Error(failureText(this.program, words, result));
    return result;
  }

  /** Runs a command of the builder, whatever comes of it. */
  try(words: readonly string[], o: CommandOptions = {}): CommandResult {
    return tryCommand(this.program, [...this.storeFlags, ...words], { ...this.identity(), ...o });
  }

  /** Starts a command of the builder in a process group of its own. */
  start(words: readonly string[]): ChildProcess {
    return this.startProgram(this.program, [...this.storeFlags, ...words]);
  }

  /** Starts another program as the account, in a process group of its own. */
  startProgram(program: string, args: readonly string[]): ChildProcess {
    const { uid, gid, env, cwd } = this.identity();
    return spawn(program, args, { uid, gid, env, cwd, detached: true, stdio: 'ignore' });
  }

  /** Runs another program as the account. */
  command(program: string, args: readonly string[], o: CommandOptions = {}): string {
    return command(program, args, { ...this.identity(), ...o });
  }

  /**
   * What a working container's mount shows, owners as the builder's own user namespace numbers them. A rootless mount
   * exists only inside that namespace, so the listing runs there.
   */
  mountedTree(container: string): TreeEntry[] {
    const lister = join(this.installation.folder, 'build/test/support/list-tree.js');
    const builder = [this.program, ...this.storeFlags].map(quote).join(' ');
    const name = quote(container);
    const list = `${quote(process.execPath)} ${quote(lister)} "$folder"`;
    const script = `set -e; folder=$(${builder} mount ${name}); ${list}; ${builder} umount ${name} >&2`;
    if (this.account.kind === 'root') return JSON.parse(this.command('/bin/sh', ['-c', script])) as TreeEntry[];
    return JSON.parse(this.must(['unshare', 'sh', '-c', script]).stdout) as TreeEntry[];
  }

  /** The tree of an image: a working container made from it, mounted, listed and removed. */
  imageTree(image: string): TreeEntry[] {
    // ONBUILD steps of the image speak first; the name comes last.
    const container = this.run('from', '--pull-never', image).split('\n').at(-1) ?? '';
    const tree = this.mountedTree(container);
    this.run('rm', container);
    return tree;
  }

  /** A folder of the rig that the account owns. */
  makeFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chownSync(path, this.account.uid, this.account.gid);
    return path;
  }

  /** Hands a file or folder made by the tests to the account. */
  give(path: string): string {
    if (this.account.kind !== 'root') tryCommand('chown', ['-R', `${this.account.uid}:${this.account.gid}`, path]);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.try(['umount', '--all']);
    this.try(['rm', '--all']);
    // Files of subordinate ids can only be removed from inside the namespace (or by root).
    if (this.account.kind !== 'root') this.try(['unshare', 'rm', '-rf', this.folder]);
    tryCommand('rm', ['-rf', '--one-file-system', this.folder]);
  }

  private identity() {
    return { uid: this.account.uid, gid: this.account.gid, env: this.env, cwd: join(this.folder, 'work') };
  }
}

/** A word of a shell script that means exactly this text. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
