/** A folder served by HTTP on loopback by a process of its own, with git repositories in it. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command } from './command.ts';

export class WebFolder implements AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly #stop: () => void;

  private constructor(folder: string, url: string, stop: () => void) {
    this.folder = folder;
    this.url = url;
    this.#stop = stop;
  }

  static async start(): Promise<WebFolder> {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-web-'));
    const server = spawn(process.execPath, [join(import.meta.dirname, 'file-server.js'), folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const url = await new Promise<string>((resolve) =>
      server.stdout.once('data', (text) => resolve(String(text).trim())),
    );
    return new WebFolder(folder, url, () => server.kill());
  }

  /** Puts a file there. Gives its URL. */
  put(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text);
    return `${this.url}/${name}`;
  }

  /** Commits a file to the branch `main` of the repository NAME.git, which is made first. Gives the commit. */
  commit(name: string, file: string, text: string): string {
    const repository = join(this.folder, `${name}.git`);
    const at = '@1500000000 +0000';
    const env = { ...process.env, GIT_COMMITTER_DATE: at, GIT_AUTHOR_DATE: at, GIT_CONFIG_GLOBAL: '/dev/null' };
    mkdirSync(repository, { recursive: true });
    command('git', ['init', '-q', '--bare', '-b', 'main', repository], { env });
    const tree = mkdtempSync(join(tmpdir(), 'slipway-tree-'));
    const git = (...words: string[]): string =>
      command('git', ['-C', tree, '-c', 'user.name=x', '-c', 'user.email=x@x', ...words], { env });
    try {
      git('init', '-q', '-b', 'main');
      writeFileSync(join(tree, file), text);
      git('add', '.');
      git('commit', '-q', '-m', text);
      git('push', '-q', '--force', repository, 'main');
      return git('rev-parse', 'HEAD').trim();
    } finally {
      rmSync(tree, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
