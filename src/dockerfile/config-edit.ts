/** Every change an instruction makes to an image's config, as pure functions from config to config. */

import { applyEdits, editExecution, withEnv } from '../spec/edit-config.ts';
import type { ContainerConfig, EditConfig, HealthConfig, ImageConfig } from '../spec/image-config.ts';
import { cleanPath } from '../spec/path-pattern.ts';

/** What a base without PATH gets. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const noEdit: EditConfig = (before) => before;

/** One edit after the other. */
export function sequence(...edits: readonly EditConfig[]): EditConfig {
  return (before) => applyEdits(before, edits);
}

/** The config without some members. */
function without(config: ContainerConfig, ...keys: readonly (keyof ContainerConfig)[]): ContainerConfig {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !keys.includes(key as keyof ContainerConfig)));
}

export type Pair = readonly [name: string, value: string];

/** Order is kept: a known variable changes in place, a new one goes to the end. */
export function setEnv(pairs: readonly Pair[]): EditConfig {
  return editExecution((config) => ({
    ...config,
    Env: pairs.reduce((env, [name, value]) => withEnv(env, name, value), config.Env ?? []),
  }));
}

export function setLabels(pairs: readonly Pair[]): EditConfig {
  return editExecution((config) => ({ ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairs) } }));
}

/** An empty command is none. */
export function setCmd(argv: readonly string[]): EditConfig {
  return editExecution((config) => (argv.length === 0 ? without(config, 'Cmd') : { ...config, Cmd: argv }));
}

/**
 * Sets the entry point; an empty one is none.
 * @param keepCmd false takes the command away: one inherited from the base was made for another entry point. True when
 *   the stage itself had a CMD before.
 */
export function setEntrypoint(argv: readonly string[], keepCmd: boolean): EditConfig {
  return editExecution((config) => {
    const kept = keepCmd ? config : without(config, 'Cmd');
    return argv.length === 0 ? without(kept, 'Entrypoint') : { ...kept, Entrypoint: argv };
  });
}

export function setShell(shell: readonly string[]): EditConfig {
  return editExecution((config) => ({ ...config, Shell: shell }));
}

export function setHealthcheck(health: HealthConfig): EditConfig {
  return editExecution((config) => ({ ...config, Healthcheck: health }));
}

/** @param ports like `80/tcp` */
export function addPorts(ports: readonly string[]): EditConfig {
  return editExecution((config) => ({ ...config, ExposedPorts: addKeys(config.ExposedPorts, ports) }));
}

export function addVolumes(paths: readonly string[]): EditConfig {
  return editExecution((config) => ({ ...config, Volumes: addKeys(config.Volumes, paths) }));
}

function addKeys(
  before: Readonly<Record<string, object>> | undefined,
  keys: readonly string[],
): Record<string, object> {
  return { ...before, ...Object.fromEntries(keys.map((key) => [key, {}])) };
}

export function setUser(user: string): EditConfig {
  return editExecution((config) => ({ ...config, User: user }));
}

export function setWorkdir(path: string): EditConfig {
  return editExecution((config) => ({ ...config, WorkingDir: path }));
}

export function setStopSignal(signal: string): EditConfig {
  return editExecution((config) => ({ ...config, StopSignal: signal }));
}

export function addOnBuild(expression: string): EditConfig {
  return editExecution((config) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), expression] }));
}

export function clearOnBuild(): EditConfig {
  return editExecution((config) => without(config, 'OnBuild'));
}

export function setAuthor(author: string): EditConfig {
  return (before) => ({ ...before, author });
}

/** Where a stage starts from its base: PATH is there, triggers have fired, the base's date is gone. */
export function startFromBase(): EditConfig {
  return (base) => {
    const { created: _created, ...rest } = base;
    const hasPath = base.config?.Env?.some((entry) => entry.startsWith('PATH=')) ?? false;
    return sequence(clearOnBuild(), hasPath ? noEdit : setEnv([['PATH', DEFAULT_PATH]]))(rest);
  };
}

/** What FROM scratch starts from. */
export function scratchConfig(platform: { os: string; architecture: string; variant?: string }): ImageConfig {
  return {
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: { Env: [`PATH=${DEFAULT_PATH}`] },
    rootfs: { type: 'layers', diff_ids: [] },
  };
}

/** A path as WORKDIR and COPY destinations join it to the working directory; clean and absolute. */
export function joinWorkdir(workdir: string | undefined, path: string): string {
  return cleanPath(path.startsWith('/') ? path : `/${workdir ?? ''}/${path}`);
}
