/** Pure changes of an image config; every instruction and flag that touches no file ends here. */
import type { ContainerConfig, EditConfig, ImageConfig } from './image-config.ts';

/** Changes the execution part. */
export function editExecution(change: (before: ContainerConfig) => ContainerConfig): EditConfig {
  return (image) => ({ ...image, config: change(image.config ?? {}) });
}

/** `K=V` replaces in place or goes to the end. */
export function withEnv(env: readonly string[], name: string, value: string): readonly string[] {
  const entry = `${name}=${value}`;
  const at = env.findIndex((known) => known.startsWith(`${name}=`));
  return at === -1 ? [...env, entry] : env.map((known, i) => (i === at ? entry : known));
}

export function withoutEnv(env: readonly string[], name: string): readonly string[] {
  return env.filter((known) => known !== name && !known.startsWith(`${name}=`));
}

export function envMap(env: readonly string[]): Map<string, string> {
  return new Map(
    env
      .filter((entry) => entry.includes('='))
      .map((entry) => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
  );
}

export function setEnv(name: string, value: string): EditConfig {
  return editExecution((c) => ({ ...c, Env: withEnv(c.Env ?? [], name, value) }));
}

export function unsetEnv(name: string): EditConfig {
  return editExecution((c) => ({ ...c, Env: withoutEnv(c.Env ?? [], name) }));
}

export function setLabel(name: string, value: string): EditConfig {
  return editExecution((c) => ({ ...c, Labels: { ...c.Labels, [name]: value } }));
}

export function unsetLabel(name: string): EditConfig {
  return editExecution((c) => ({ ...c, Labels: without(c.Labels, name) }));
}

/** A map without one key. */
export function without<T>(map: Readonly<Record<string, T>> | undefined, name: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => key !== name));
}

/** Applies edits in order. */
export function applyEdits(config: ImageConfig, edits: readonly EditConfig[]): ImageConfig {
  return edits.reduce((before, edit) => edit(before), config);
}
