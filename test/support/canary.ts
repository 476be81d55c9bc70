/** A tree outside everything a build may touch: it must be the same afterwards, to the byte, mode and time. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Canary implements Disposable {
  readonly path: string;
  readonly #before: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'slipway-canary-'));
    mkdirSync(join(this.path, 'dir/empty'), { recursive: true });
    writeFileSync(join(this.path, 'file'), 'canary of the host\n');
    writeFileSync(join(this.path, 'dir/file'), 'canary in a directory\n');
    // Anybody could change it: what protects it is the builder alone.
    for (const name of ['.', 'dir', 'dir/empty', 'file', 'dir/file']) chmodSync(join(this.path, name), 0o777);
    this.#before = this.#look();
  }

  /** Lines that tell of everything that changed; empty when nothing did. */
  changes(): string[] {
    const now = this.#look();
    return now === this.#before ? [] : [`before:\n${this.#before}`, `after:\n${now}`];
  }

  #look(): string {
    const names = ['.', ...readdirSync(this.path, { recursive: true, encoding: 'utf8' })].sort();
    return names
      .map((name) => {
        const path = join(this.path, name);
        const stat = lstatSync(path, { bigint: true });
        const content = stat.isFile() ? readFileSync(path, 'utf8') : '';
        return `${name} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${stat.mtimeNs} ${JSON.stringify(content)}`;
      })
      .join('\n');
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
