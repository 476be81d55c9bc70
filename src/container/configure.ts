/** `config`: changes of a container's image configuration, in one fixed order whatever the order they were given in. */
import { BuilderError } from '../report/builder-error.ts';
import {
  applyEdits,
  editExecution,
  envMap,
  setEnv,
  setLabel,
  unsetEnv,
  unsetLabel,
  without,
} from '../spec/edit-config.ts';
import type { ContainerConfig, EditConfig, HealthConfig, ImageConfig } from '../spec/image-config.ts';
import type { Environment } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { splitWords } from './shell-words.ts';
import type { ConfigChanges } from './verb-options.ts';
import type { WorkingContainer } from './working-container.ts';

const SECOND = 1e9;
/** What Buildah fills in for a health check that does not say. */
const HEALTH_DEFAULTS = { Interval: 30 * SECOND, Timeout: 30 * SECOND, Retries: 3 };

/** The container after the changes; pure but for the caller's environment. @throws `usage.invalid` */
export function configure(before: WorkingContainer, changes: ConfigChanges, env: Environment): WorkingContainer {
  const config = applyEdits(before.config, imageEdits(changes, env, before.config));
  const history =
    changes.addHistory === true
      ? [
          ...before.historyBefore,
          ...historyOf(changes).map((text) => ({ created: nowNanoseconds(), created_by: text, empty_layer: true })),
        ]
      : before.historyBefore;
  return {
    ...before,
    config,
    annotations: editAnnotations(before.annotations, changes),
    historyBefore: history,
    createdBy: changes.createdBy ?? before.createdBy,
    historyComment: changes.historyComment ?? before.historyComment,
  };
}

/** What to say of a command that a new entry point meets; undefined when there is none, or a new one comes along. */
export function entrypointWarning(before: WorkingContainer, changes: ConfigChanges): string | undefined {
  const { entrypoint, cmd } = changes;
  const words = before.config.config?.Cmd ?? [];
  if (entrypoint === undefined || entrypoint.trim() === '' || cmd !== undefined || words.length === 0) return undefined;
  const what = `cmd ${JSON.stringify(words.join(' '))} exists`;
  return jsonWords(entrypoint) === undefined
    ? `${what} but will be ignored because of entrypoint settings`
    : `${what} and will be passed to entrypoint as a parameter`;
}

function imageEdits(c: ConfigChanges, env: Environment, before: ImageConfig): EditConfig[] {
  const edits: EditConfig[] = [];
  const top = (change: Partial<ImageConfig>): void => {
    edits.push((image) => ({ ...image, ...change }));
  };
  const set = (change: Partial<ContainerConfig>): void => {
    edits.push(editExecution((execution) => ({ ...execution, ...change })));
  };
  if (c.author !== undefined) top({ author: c.author });
  if (c.arch !== undefined) top({ architecture: c.arch });
  if (c.variant !== undefined) top({ variant: c.variant });
  if (c.os !== undefined) top({ os: c.os });
  if (c.osVersion !== undefined) top({ 'os.version': c.osVersion });
  if (c.osFeature !== undefined) top({ 'os.features': listChange(before['os.features'] ?? [], c.osFeature) });
  if (c.user !== undefined) set({ User: c.user });
  if (c.shell !== undefined) set({ Shell: splitWords(c.shell) });
  if (c.stopSignal !== undefined) set({ StopSignal: c.stopSignal });
  if (c.port !== undefined) edits.push(mapEdit('ExposedPorts', c.port));
  for (const entry of c.env ?? []) edits.push(envEdit(entry, env));
  // Entry point before command: setting one never clears the other here.
  if (c.entrypoint !== undefined) set({ Entrypoint: entrypointOf(c.entrypoint) });
  if (c.cmd !== undefined) set({ Cmd: commandOf(c.cmd) });
  if (c.volume !== undefined) edits.push(mapEdit('Volumes', c.volume));
  for (const entry of c.label ?? []) edits.push(labelEdit(entry));
  for (const name of c.unsetLabel ?? []) edits.push(unsetLabel(name));
  if (c.workingDir !== undefined) set({ WorkingDir: c.workingDir });
  if (c.comment !== undefined) top({ comment: c.comment });
  if (c.domainname !== undefined) set({ Domainname: c.domainname });
  if (c.hostname !== undefined) set({ Hostname: c.hostname });
  if (c.onbuild !== undefined) {
    const triggers = c.onbuild;
    edits.push(editExecution((execution) => ({ ...execution, OnBuild: [...(execution.OnBuild ?? []), ...triggers] })));
  }
  if (c.healthcheck !== undefined || c.healthcheckOptions !== undefined) edits.push(healthEdit(c));
  return edits;
}

/** `-` clears, `k-` removes, anything else adds. */
function listChange(before: readonly string[], changes: readonly string[]): readonly string[] {
  const list = new Set(before);
  for (const entry of changes) {
    if (entry === '-') list.clear();
    else if (entry.endsWith('-')) list.delete(entry.slice(0, -1));
    else list.add(entry);
  }
  return [...list];
}

function mapEdit(member: 'ExposedPorts' | 'Volumes', changes: readonly string[]): EditConfig {
  return editExecution((execution) => {
    let map: Readonly<Record<string, object>> = execution[member] ?? {};
    for (const entry of changes) {
      if (entry === '-') map = {};
      else if (entry.endsWith('-')) map = without(map, entry.slice(0, -1));
      else map = { ...map, [entry]: {} };
    }
    return { ...execution, [member]: map };
  });
}

function envEdit(entry: string, env: Environment): EditConfig {
  const at = entry.indexOf('=');
  if (at > 0) {
    const name = entry.slice(0, at);
    const value = entry.slice(at + 1);
    return (image) => setEnv(name, substitute(value, envMap(image.config?.Env ?? [])))(image);
  }
  if (entry === '-') return editExecution((execution) => ({ ...execution, Env: [] }));
  if (entry.endsWith('-')) return unsetEnv(entry.slice(0, -1));
  const value = env[entry];
  if (value === undefined) {
    throw new BuilderError('usage.invalid', `setting env ${JSON.stringify(entry)}: no value given`, {
      hint: `write ${entry}=VALUE, or export ${entry}`,
    });
  }
  return setEnv(entry, value);
}

/** `$NAME` and `${NAME}` from the image's own environment; unknown names become empty. */
function substitute(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:\{([^}]*)\}|([A-Za-z0-9_]+))/g,
    (_, braced: string | undefined, bare: string | undefined) => {
      return values.get(braced ?? bare ?? '') ?? '';
    },
  );
}

function labelEdit(entry: string): EditConfig {
  if (entry === '-') return editExecution((execution) => ({ ...execution, Labels: {} }));
  const at = entry.indexOf('=');
  if (at === -1) return entry.endsWith('-') ? unsetLabel(entry.slice(0, -1)) : setLabel(entry, '');
  return setLabel(entry.slice(0, at), entry.slice(at + 1));
}

/** A JSON array of strings, or undefined when the text is not one. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

function commandOf(text: string): readonly string[] | null {
  if (text === '') return null;
  return jsonWords(text) ?? splitWords(text);
}

function entrypointOf(text: string): readonly string[] | null {
  if (text === '') return null;
  return jsonWords(text) ?? ['/bin/sh', '-c', text];
}

function healthEdit(c: ConfigChanges): EditConfig {
  return editExecution((execution) => {
    const test = c.healthcheck === undefined ? execution.Healthcheck?.Test : healthTest(c.healthcheck);
    const { Healthcheck: _, ...rest } = execution;
    if (test === undefined) return rest;
    if (test[0] === 'NONE') return { ...rest, Healthcheck: { Test: test } };
    const health: HealthConfig = { Test: test, ...HEALTH_DEFAULTS, ...execution.Healthcheck, ...c.healthcheckOptions };
    return { ...rest, Healthcheck: { ...health, Test: test } };
  });
}

function healthTest(text: string): readonly string[] | undefined {
  if (text === '') return undefined;
  const words = jsonWords(text) ?? splitWords(text);
  switch (words[0]) {
    case 'NONE':
    case 'CMD-SHELL':
      return words[0] === 'NONE' ? ['NONE'] : ['CMD-SHELL', words.slice(1).join(' ')];
    case 'CMD':
      return words;
    default:
      throw new BuilderError(
        'usage.invalid',
        `the health check ${JSON.stringify(text)} must begin with CMD, CMD-SHELL or NONE`,
      );
  }
}

function editAnnotations(before: Readonly<Record<string, string>>, c: ConfigChanges): Readonly<Record<string, string>> {
  let map = before;
  for (const entry of c.annotation ?? []) {
    const at = entry.indexOf('=');
    if (entry === '-') map = {};
    else if (at === -1 && entry.endsWith('-')) map = without(map, entry.slice(0, -1));
    else map = { ...map, [at === -1 ? entry : entry.slice(0, at)]: at === -1 ? '' : entry.slice(at + 1) };
  }
  for (const name of c.unsetAnnotation ?? []) map = without(map, name);
  return map;
}

/** History texts of the changes, one per flag, of volumes and triggers one each, as Buildah words them. */
function historyOf(c: ConfigChanges): string[] {
  const texts: string[] = [];
  const say = (text: string): number => texts.push(`/bin/sh -c #(nop) ${text}`);
  if (c.author !== undefined) say(`LABEL maintainer=${c.author}`);
  if (c.user !== undefined) say(`USER ${c.user}`);
  if (c.shell !== undefined) say(`SHELL ${c.shell}`);
  if (c.stopSignal !== undefined) say(`STOPSIGNAL ${c.stopSignal}`);
  if (c.port !== undefined) say(`EXPOSE ${c.port.join(' ')}`);
  if (c.env !== undefined) say(`ENV ${c.env.join(' ')}`);
  if (c.entrypoint !== undefined) say(c.entrypoint === '' ? 'ENTRYPOINT' : `ENTRYPOINT ${c.entrypoint}`);
  if (c.cmd !== undefined) say(c.cmd === '' ? 'CMD' : `CMD ${c.cmd}`);
  for (const volume of c.volume ?? []) say(`VOLUME ${volume}`);
  if (c.healthcheck !== undefined) say(`HEALTHCHECK ${c.healthcheck === '' ? 'NONE' : c.healthcheck}`);
  if (c.label !== undefined) say(`LABEL ${c.label.join(' ')}`);
  if (c.workingDir !== undefined) say(`WORKDIR ${c.workingDir}`);
  for (const trigger of c.onbuild ?? []) say(`ONBUILD ${trigger}`);
  return texts;
}
