/** The language corpus built by BuildKit, a case at a time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildkitDaemon, EngineImage } from './buildkit-daemon.ts';
import type { LanguageCase } from './language-case.ts';
import { prepareCase } from './language-context.ts';
import type { CaseOutcome } from './language-worker.ts';
import { treeLines } from './tree-lines.ts';
import { listTree, type TreeEntry } from './tree-listing.ts';

/** Members of `config` that instructions set; `ArgsEscaped` means something on Windows only. */
const MEMBERS =
  'Env Cmd Entrypoint User WorkingDir Labels ExposedPorts Volumes StopSignal Healthcheck Shell OnBuild'.split(' ');

/** Mount points and files of a RUN that this BuildKit leaves behind; later ones take them away. */
const TRACES = /^(dev|proc|sys|run)\/|^etc\/(hosts|resolv\.conf) (0\d+ )?@\d+ ""$|^\. @\d+$/;

export class BuildkitCases {
  readonly #daemon: BuildkitDaemon;
  readonly #base: readonly TreeEntry[];
  readonly #baseHistory: number;
  #count = 0;

  private constructor(daemon: BuildkitDaemon, base: EngineImage) {
    this.#daemon = daemon;
    this.#base = listTree(daemon.treeOf(base)!);
    this.#baseHistory = base.history.length;
  }

  static async open(daemon: BuildkitDaemon): Promise<BuildkitCases> {
    return new BuildkitCases(daemon, daemon.image(await daemon.docker('inspect', '-f', '{{.Id}}', 'base')));
  }

  /** Of cases with an image of the same name, one may be built at a time. */
  async build(one: LanguageCase): Promise<CaseOutcome> {
    const number = this.#count++;
    const work = join(this.#daemon.work, String(number));
    const { context, file, images, flags } = prepareCase(one, work, `${this.#daemon.address}/${number}`);
    const common = ['build', '-q', '--no-cache', '--network', 'none'];
    const id = join(work, 'id');
    try {
      for (const image of images) {
        await this.#daemon.docker(...common, '-t', `localhost/${image.name}`, '-f', image.file, context);
      }
      const from = file === undefined ? [] : ['-f', file];
      await this.#daemon.docker(...common, ...flags, ...from, '--iidfile', id, context);
    } catch (error) {
      const { stderr = '', message } = error as Error & { stderr?: string };
      const failure = { code: '', place: undefined, message: stderr.trim().split('\n').at(-1) || message };
      return { name: one.name, warnings: [], failure };
    }
    return this.#outcome(one, this.#daemon.image(readFileSync(id, 'utf8').trim()));
  }

  #outcome(one: LanguageCase, image: EngineImage): CaseOutcome {
    const own = image.history.slice(one.config.isWhole ? 0 : this.#baseHistory);
    const tree = this.#daemon.treeOf(image);
    return {
      name: one.name,
      config: Object.fromEntries(Object.entries(image.config ?? {}).filter(([key]) => MEMBERS.includes(key))),
      ...(image.author === undefined ? {} : { author: image.author }),
      // Its texts are of another form; which of the lines have a layer is not.
      history: own.map(({ created_by, empty_layer }, i) => {
        const text = one.history?.[i]?.slice(2) ?? created_by ?? '';
        return `${empty_layer === true ? '-' : '+'} ${text}`;
      }),
      tree: tree === undefined ? [] : this.#lines(one, tree),
      warnings: [],
    };
  }

  #lines(one: LanguageCase, tree: string): string[] {
    const paths = new Set(one.tree.lines.map((line) => line.split(' ')[0]));
    const lines = treeLines(tree, one.tree.isWhole ? [] : this.#base);
    return lines.filter((line) => paths.has(line.split(' ')[0]) || !TRACES.test(line));
  }
}
