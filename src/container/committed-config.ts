/** The config of an image to commit: the container's, with what the commit itself says on top. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { applyInstructions } from '../dockerfile/config-changes.ts';
import { BuilderError } from '../report/builder-error.ts';
import { applyEdits, editExecution, setLabel, unsetEnv, withEnv } from '../spec/edit-config.ts';
import type { ContainerConfig, EditConfig, ImageConfig } from '../spec/image-config.ts';
import { parseImageConfig } from '../spec/schema.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../spec/strict-json.ts';
import { IDENTITY_LABEL, VERSION } from '../spec/version.ts';
import type { Engine, Environment } from './engine.ts';
import type { CommitOptions } from './verb-options.ts';

const LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 64 } as const;

/**
 * In Buildah's order: variables to leave out, the builder's label, the file of `config`, the instructions of `changes`.
 * @throws `manifest.invalid` for the file, `dockerfile.syntax` and the like for the instructions
 */
export function committedConfig(engine: Engine, before: ImageConfig, o: CommitOptions, isFixed: boolean): ImageConfig {
  const edits = (o.unsetEnv ?? []).map(unsetEnv);
  if (o.identityLabel ?? !isFixed) edits.push(setLabel(IDENTITY_LABEL, VERSION));
  if (o.configFile !== undefined)
    edits.push(mergeExecution(readExecution(resolve(engine.cwd, o.configFile)), engine.env));
  const config = applyEdits(before, edits);
  const { changes = [] } = o;
  return changes.length === 0 ? config : applyInstructions(config, changes, '--change');
}

/** The `config` member of an image config, alone in a file. */
function readExecution(path: string): ContainerConfig {
  let raw: Buffer;
  try {
    raw = readFileSync(path);
  } catch (cause) {
    throw new BuilderError('usage.invalid', `cannot read the config ${path}: ${(cause as Error).message}`, { cause });
  }
  const document = parseStrictJson(raw, `the config ${path}`, LIMITS);
  if (!isJsonObject(document) || isWholeConfig(document)) {
    throw new BuilderError('usage.invalid', `${path} is not the execution part of an image config`, {
      hint: 'write an object such as {"Cmd": ["/app"], "Env": ["A=1"]}: the member "config" of an image config',
    });
  }
  const image = { os: 'linux', architecture: 'any', rootfs: { type: 'layers', diff_ids: [] }, config: document };
  return parseImageConfig(Buffer.from(JSON.stringify(image)), path).config ?? {};
}

/** Somebody's image config or manifest. */
function isWholeConfig(document: JsonObject): boolean {
  return ['rootfs', 'config', 'schemaVersion'].some((member) => member in document);
}

/** Members that say something replace or join those that were there; entry point and command go together. */
function mergeExecution(over: ContainerConfig, env: Environment): EditConfig {
  return editExecution((before) => {
    const said = Object.fromEntries(Object.entries(over).filter(([, value]) => !isNothing(value))) as ContainerConfig;
    const { Entrypoint: _, Cmd: __, ...rest } = before;
    const isCommandSaid = said.Entrypoint !== undefined || said.Cmd !== undefined;
    return {
      ...(isCommandSaid ? rest : before),
      ...said,
      Env: mergedEnv(before.Env ?? [], over.Env ?? [], env),
      Labels: { ...before.Labels, ...over.Labels },
      ExposedPorts: { ...before.ExposedPorts, ...over.ExposedPorts },
      Volumes: { ...before.Volumes, ...over.Volumes },
    };
  });
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** A name without a value takes the caller's. */
function mergedEnv(before: readonly string[], over: readonly string[], env: Environment): readonly string[] {
  return over.reduce((list, entry) => {
    const at = entry.indexOf('=');
    return at === -1 ? withEnv(list, entry, env[entry] ?? '') : withEnv(list, entry.slice(0, at), entry.slice(at + 1));
  }, before);
}
