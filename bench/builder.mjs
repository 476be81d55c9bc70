/** One builder as one user with a store of its own on the bench's file system. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { measure } from './measure.mjs';

export class Builder {
  /**
   * @param {{ name: 'slipway' | 'buildah', program: string, mode: 'rootful' | 'rootless', folder: string,
   *   user: { uid: number, gid: number, name: string } }} o
   */
  constructor({ name, program, mode, folder, user }) {
    this.name = name;
    this.program = program;
    this.mode = mode;
    this.folder = folder;
    this.user = mode === 'rootless' ? user : { uid: 0, gid: 0, name: 'root' };
    for (const part of ['', 'home', 'run', 'tmp']) {
      mkdirSync(join(folder, part), { recursive: true, mode: 0o700 });
      chownSync(join(folder, part), this.user.uid, this.user.gid);
    }
  }

  get env() {
    return {
      HOME: join(this.folder, 'home'),
      USER: this.user.name,
      LOGNAME: this.user.name,
      TMPDIR: join(this.folder, 'tmp'),
      XDG_RUNTIME_DIR: join(this.folder, 'run'),
      PATH: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`,
      // The isolation that needs no control groups, so that Buildah can run on every machine, containers included;
      // Slipway chooses for itself.
      ...(this.name === 'buildah' ? { BUILDAH_ISOLATION: 'chroot' } : {}),
    };
  }

  get storeFlags() {
    return [
      '--root',
      join(this.folder, 'root'),
      '--runroot',
      join(this.folder, 'runroot'),
      '--storage-driver',
      'overlay',
    ];
  }

  /** Runs a command of the builder and measures it. @param {...string} words */
  run(...words) {
    return measure([this.program, ...this.storeFlags, ...words], this.#identity());
  }

  /** Runs a shell script in which `$b` is the builder, and measures it as a whole. @param {string} script */
  script(script) {
    const builder = [this.program, ...this.storeFlags].join(' ');
    return measure(['/bin/bash', '-euc', `b=${JSON.stringify(builder)}\n${script}`], this.#identity());
  }

  /** Empties the store. */
  reset() {
    this.run('rm', '--all');
    this.run('rmi', '--all', '--force');
  }

  #identity() {
    const { uid, gid } = this.user;
    return { ...(uid === 0 ? {} : { uid, gid }), env: this.env, cwd: this.folder };
  }
}

/** Writes back what is dirty, so that one builder does not pay for the other. */
export function settle() {
  execFileSync('sync');
}
