/**
 * Program: builds cases of the language corpus one after another in one store and prints a line of JSON for each.
 * Started by the launcher, so that it is in the namespaces builds need. Argument: a JSON file of a `WorkerOrder`.
 */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BuildEvent,
  type BuildOptions,
  isBuilderError,
  openBuilder,
  parsePlatform,
  positionOf,
} from '../../src/index.ts';
import type { LanguageCase } from './language-case.ts';
import { prepareCase } from './language-context.ts';
import { treeLines } from './tree-lines.ts';
import { listTree, type TreeEntry } from './tree-listing.ts';

interface OrderedCase extends LanguageCase {
  readonly layers: boolean;
}

export interface WorkerOrder {
  readonly root: string;
  readonly runroot: string;
  readonly driver: 'overlay' | 'vfs';
  /** OCI layouts by the name they get in the store. */
  readonly bases: Readonly<Record<string, string>>;
  /** `layers`: a layer for each step. */
  readonly cases: readonly OrderedCase[];
  readonly work: string;
  readonly http: string;
}

export interface CaseOutcome {
  readonly name: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly author?: string;
  readonly history?: readonly string[];
  readonly tree?: readonly string[];
  readonly warnings: readonly string[];
  readonly failure?: { readonly code: string; readonly place: string | undefined; readonly message: string };
}

const LISTS = {
  '--allow': 'allow',
  '--build-arg': 'buildArgs',
  '--build-arg-file': 'buildArgFiles',
  '--build-context': 'buildContexts',
  '--env': 'env',
  '--label': 'labels',
  '--secret': 'secrets',
  '--ssh': 'ssh',
  '--unsetenv': 'unsetEnv',
  '--unsetlabel': 'unsetLabels',
} as const satisfies Record<string, keyof BuildOptions>;
const TEXTS = {
  '--format': 'format',
  '--from': 'from',
  '--ignorefile': 'ignoreFile',
  '--target': 'target',
} as const satisfies Record<string, keyof BuildOptions>;

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as WorkerOrder;
let events: BuildEvent[] = [];
await using builder = await openBuilder({
  root: order.root,
  runroot: order.runroot,
  driver: order.driver,
  emit: (event) => events.push(event),
  env: {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    SLIPWAY_ROOTLESS_UID: process.env['SLIPWAY_ROOTLESS_UID'],
  },
});

let bareTree: readonly TreeEntry[] = [];
let baseHistory = 0;
for (const [name, layout] of Object.entries(order.bases)) {
  const [id = ''] = await builder.pull(`oci:${layout}:latest`);
  await builder.tag(id, [`localhost/${name}`]);
}
bareTree = await withTree('localhost/base', listTree);
baseHistory = (await rawConfig('localhost/base')).history.length;
for (const [i, one] of order.cases.entries()) {
  const text = Buffer.from(
    `${JSON.stringify(await outcomeOf(one, join(order.work, String(i)), `${order.http}/${i}`))}\n`,
  );
  for (let offset = 0; offset < text.length; ) offset += writeSync(1, text, offset);
}

async function outcomeOf(one: OrderedCase, work: string, http: string): Promise<CaseOutcome> {
  const { context, file, images, flags } = prepareCase(one, work, http);
  const options = { context, layers: one.layers, quiet: true };
  events = [];
  try {
    for (const image of images) {
      await builder.build({ ...options, files: [image.file], tags: [`localhost/${image.name}`] });
    }
    events = [];
    const more = { ...(file === undefined ? {} : { files: [file] }), ...optionsOf(flags) };
    await builder.build({ ...options, ...more, tags: ['localhost/result'] });
    const image = await rawConfig('localhost/result');
    const base = one.tree.isWhole ? [] : bareTree;
    return {
      name: one.name,
      config: image.config ?? {},
      ...(image.author === undefined ? {} : { author: image.author }),
      history: image.history
        .slice(one.config.isWhole ? 0 : baseHistory)
        .map(({ created_by, empty_layer }) => `${empty_layer === true ? '-' : '+'} ${created_by ?? ''}`),
      tree: await withTree('localhost/result', (root) => treeLines(root, base)),
      warnings: warningsOf(events),
    };
  } catch (error) {
    return { name: one.name, warnings: warningsOf(events), failure: failureOf(error) };
  }
}

interface RawImage {
  readonly author?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
}

async function rawConfig(image: string): Promise<RawImage> {
  const { json } = await builder.inspect(image, 'image');
  return JSON.parse(json['Config'] as string) as RawImage;
}

async function withTree<T>(image: string, read: (root: string) => T): Promise<T> {
  const { id } = await builder.from(image, { policy: 'never' });
  try {
    return read(await builder.mount(id));
  } finally {
    await builder.umount(id);
    await builder.rm(id);
  }
}

function warningsOf(from: readonly BuildEvent[]): string[] {
  return from.flatMap((event) => {
    if (event.type === 'warning') return [event.code ?? event.text];
    if (event.type !== 'diagnostic') return [];
    const { code, span } = event.diagnostic;
    return [`${code} ${positionOf(span.file, span.start).line}`];
  });
}

function failureOf(error: unknown): NonNullable<CaseOutcome['failure']> {
  if (!isBuilderError(error)) {
    return { code: 'not a coded error', place: undefined, message: String((error as Error)?.stack ?? error) };
  }
  const { span } = error;
  const at = span === undefined ? undefined : positionOf(span.file, span.start);
  return { code: error.code, place: at && `${at.line}:${at.column}`, message: error.message };
}

/** The words a case may give, as options. Other places of the context and several files are given by their words too. */
function optionsOf(flags: readonly string[]): Partial<BuildOptions> {
  const options: Record<string, unknown> = {};
  for (let i = 0; i < flags.length; i += 2) {
    const [flag = '', value = ''] = flags.slice(i);
    if (flag in LISTS) {
      const key = LISTS[flag as keyof typeof LISTS];
      options[key] = [...((options[key] as string[] | undefined) ?? []), value];
    } else if (flag in TEXTS) options[TEXTS[flag as keyof typeof TEXTS]] = value;
    else if (flag === '--platform') options['platform'] = parsePlatform(value);
    else if (flag === '--skip-unused-stages') options['skipUnusedStages'] = value === 'true';
    else if (flag === '--cdi-config-dir') options['run'] = { cdiDirectories: [value] };
    else if (flag === '--context') options['context'] = value;
    else throw new Error(`the corpus has no flag ${flag}`);
  }
  return options;
}
