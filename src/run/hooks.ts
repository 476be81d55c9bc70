/**
 * Hooks of OCI runtimes as administrators describe them: JSON files that name a program, the stages it runs in and the
 * processes it runs for.
 *
 * @see oci-hooks(5), version 1.0.0
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { ProcessHook, ProcessSpec } from '../spec/process-spec.ts';

interface HookFile {
  readonly version: string;
  readonly hook: { readonly path: string } & Omit<ProcessHook, 'stage' | 'path'>;
  readonly when: {
    readonly always?: boolean;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly commands?: readonly string[];
    readonly hasBindMounts?: boolean;
  };
  readonly stages: readonly string[];
}

const STAGES = new Set([
  'precreate',
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
]);

/**
 * The hooks that fit a process, in the order of their files' names. A file in a later directory replaces one of the same
 * name in an earlier one.
 * @throws `usage.invalid` with the file for what is no hook
 */
export function readHooks(directories: readonly string[], process: ProcessSpec): readonly ProcessHook[] {
  const files = new Map<string, string>();
  for (const directory of directories) {
    for (const name of namesIn(directory)) files.set(name, join(directory, name));
  }
  return [...files.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, path]) => {
      const { hook, when, stages } = parseHook(path);
      return fits(when, process, path) ? stages.map((stage) => ({ ...hook, stage })) : [];
    });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.json'));
  } catch (cause) {
    throw new BuilderError('usage.invalid', `cannot read the hooks directory ${JSON.stringify(directory)}`, { cause });
  }
}

function parseHook(path: string): HookFile {
  const bad = (why: string, cause?: unknown): BuilderError =>
    new BuilderError('usage.invalid', `the hook ${path} cannot be used: ${why}`, { cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw bad((cause as Error).message, cause);
  }
  const file = parsed as Partial<HookFile> | null;
  if (typeof file !== 'object' || file === null || file.version !== '1.0.0') throw bad('its /version is not "1.0.0"');
  if (typeof file.hook?.path !== 'string' || !file.hook.path.startsWith('/'))
    throw bad('its /hook/path is not absolute');
  if (typeof file.when !== 'object' || file.when === null) throw bad('it has no /when');
  if (!Array.isArray(file.stages) || file.stages.length === 0) throw bad('it has no /stages');
  const stage = file.stages.find((name) => !STAGES.has(name));
  if (stage !== undefined) throw bad(`${JSON.stringify(stage)} in /stages is not a stage`);
  if (file.stages.includes('precreate')) throw bad('hooks of the stage "precreate" change the config and are not run');
  return file as HookFile;
}

/** All conditions that are given must hold; none given never fits. Processes of builds have no annotations. */
function fits(when: HookFile['when'], process: ProcessSpec, path: string): boolean {
  const hasBindMounts = process.mounts.some(({ type }) => type === 'bind');
  const held = [
    ...(when.always === undefined ? [] : [when.always]),
    ...(when.hasBindMounts === undefined ? [] : [when.hasBindMounts === hasBindMounts]),
    ...(when.commands === undefined
      ? []
      : [when.commands.some((text) => pattern(text, path).test(process.args[0] ?? ''))]),
    ...(Object.keys(when.annotations ?? {}).length === 0 ? [] : [false]),
  ];
  return held.length > 0 && held.every((holds) => holds);
}

function pattern(text: string, path: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new BuilderError('usage.invalid', `the hook ${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
}
