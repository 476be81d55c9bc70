/** The language corpus built by Buildah, a case at a time. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LanguageCase } from './language-case.ts';
import { prepareCase } from './language-context.ts';
import type { CaseOutcome } from './language-worker.ts';
import type { Rig } from './rig.ts';
import { treeLines } from './tree-lines.ts';
import { listTree, type TreeEntry } from './tree-listing.ts';

/** Members of `config` that instructions set; Docker's format adds others. */
const MEMBERS =
  'Env Cmd Entrypoint User WorkingDir Labels ExposedPorts Volumes StopSignal Healthcheck Shell OnBuild'.split(' ');

/** Mount points and files of a RUN that Debian's Buildah leaves behind. */
const TRACES = /^(dev|proc|sys|run)\/( |$)|^etc\/(hostname|hosts|resolv\.conf) (0\d+ )?@\d+ ""$|^\. 0555 @\d+$/;

const COMMAND_TIMEOUT_MS = 60_000;

export class BuildahCases {
  readonly #rig: Rig;
  readonly #http: string;
  #base: readonly TreeEntry[] = [];
  #baseHistory = 0;
  #count = 0;

  constructor(rig: Rig, http: string) {
    this.#rig = rig;
    this.#http = http;
  }

  /** Puts the images that cases stand on into the store; the layouts' paths must be in lower case. */
  async open(bases: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, layout] of Object.entries(bases)) {
      const id = await this.#run('pull', '-q', `oci:${layout}:latest`);
      await this.#run('tag', id, `localhost/${name}`);
      // Of two names either could stand in history; the other is made of the path.
      await this.#run('rmi', `localhost${layout}:latest`);
    }
    this.#base = await this.#withTree('localhost/base', listTree);
    this.#baseHistory = (await this.#rawConfig('localhost/base')).history.length;
  }

  /** Builds in Docker's format, which keeps what OCI's has no member for. */
  async build(one: LanguageCase): Promise<CaseOutcome> {
    const number = this.#count++;
    const work = join(this.#rig.folder, 'work', String(number));
    const { context, file, images, flags } = prepareCase(one, work, `${this.#http}/${number}`);
    const common = ['bud', '-q', '--format', 'docker'];
    try {
      for (const image of images) {
        await this.#run(...common, '-t', `localhost/${image.name}`, '-f', image.file, context);
      }
      const from = file === undefined ? [] : ['-f', file];
      await this.#run(...common, ...flags, ...from, '-t', 'localhost/result', context);
    } catch (error) {
      const { stderr = '', message } = error as Error & { stderr?: string };
      return {
        name: one.name,
        warnings: [],
        failure: { code: '', place: undefined, message: stderr.trim().split('\n').at(-1) || message },
      };
    }
    const image = await this.#rawConfig('localhost/result');
    const config = Object.fromEntries(Object.entries(image.config ?? {}).filter(([key]) => MEMBERS.includes(key)));
    const hasTriggers = ((config['OnBuild'] as unknown[] | null) ?? []).length > 0;
    return {
      name: one.name,
      config,
      ...(image.author === undefined ? {} : { author: image.author }),
      history: image.history
        .slice(one.config.isWhole ? 0 : this.#baseHistory)
        .map(({ created_by, empty_layer }) => `${empty_layer === true ? '-' : '+'} ${created_by ?? ''}`),
      // A working container of such an image would run the triggers.
      tree: hasTriggers ? one.tree.lines : await this.#tree(one),
      warnings: [],
    };
  }

  async #tree(one: LanguageCase): Promise<string[]> {
    const base = one.tree.isWhole ? [] : this.#base;
    const lines = await this.#withTree('localhost/result', (root) => treeLines(root, base));
    const paths = new Set(one.tree.lines.map((line) => line.split(' ')[0]));
    return lines.filter((line) => paths.has(line.split(' ')[0]) || !TRACES.test(line));
  }

  async #rawConfig(image: string): Promise<{
    readonly author?: string;
    readonly config?: Readonly<Record<string, unknown>>;
    readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  }> {
    const { Config } = JSON.parse(await this.#run('inspect', '--type', 'image', image)) as { Config: string };
    return JSON.parse(Config) as never;
  }

  async #withTree<T>(image: string, read: (root: string) => T): Promise<T> {
    const container = await this.#run('from', '--pull-never', image);
    try {
      return read(await this.#run('mount', container));
    } finally {
      await this.#run('rm', container);
    }
  }

  async #run(...words: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.#rig.program, [...this.#rig.storeFlags, ...words], {
      env: this.#rig.env,
      cwd: join(this.#rig.folder, 'work'),
      maxBuffer: 1 << 26,
      // Two locked mounts of one cache make Debian's Buildah wait for itself.
      timeout: COMMAND_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    return stdout.trim();
  }
}
