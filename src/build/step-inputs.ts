/** What steps read, as the named inputs of their keys. Pure. */
import type { ImageTimes } from '../container/image-times.ts';
import type { RunDefaults } from '../container/working-container.ts';
import type { AddStep, CopyStep, RunStep, Step, StepMount, WorkdirStep } from '../dockerfile/step.ts';
import { digestOf } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { ListedInput, StepInput } from '../store/step-table.ts';

/** The list of files behind an input that is a digest of content. */
export interface FileList extends ListedInput {
  /** As hashed, in pieces; undefined when there are too many. */
  readonly records: readonly string[] | undefined;
}

export interface StepReads {
  readonly inputs: readonly StepInput[];
  readonly lists: readonly FileList[];
}

/** Names that explanations know how to put into words. */
export const FILESYSTEM = 'filesystem';
export const CONFIGURATION = 'configuration';
export const INSTRUCTION = 'instruction';
export const CONTENT = 'content';
export const VARIABLE = 'variable ';
export const ARGUMENT = 'build argument ';

/** A step that may leave a layer behind. */
export type FileStep = RunStep | CopyStep | AddStep | WorkdirStep;

export function isFileStep(step: Step): step is FileStep {
  return step.kind === 'run' || step.kind === 'copy' || step.kind === 'add' || step.kind === 'workdir';
}

/** Makes a layer of its own, which knows nothing of what lies below. */
export function isLinked(step: Step): boolean {
  return (step.kind === 'copy' || step.kind === 'add') && step.link;
}

/** Forced times are part of a layer's bytes and of history. */
export function timeInputs(times: ImageTimes): StepInput[] {
  return times.fixed ? [{ name: 'time', value: JSON.stringify([times.now(), times.layer]) }] : [];
}

export function filesystemInput(chain: string | undefined): StepInput {
  return { name: FILESYSTEM, value: chain ?? 'scratch' };
}

/** For steps of configuration alone: the config before, without times and history. */
export function configInputs(config: ImageConfig, chain: string | undefined, createdBy: string): StepInput[] {
  const { created: _, history: __, rootfs: ___, ...rest } = config;
  return [
    filesystemInput(chain),
    { name: CONFIGURATION, value: digestOf(JSON.stringify(rest)) },
    { name: INSTRUCTION, value: createdBy.replace(/^\/bin\/sh -c #\(nop\) +/, '') },
  ];
}

/**
 * A COPY or ADD reads its root, its words and what it copies. Where from is no input: the content says it all, so a
 * stage may be renamed. Owners and modes given by name are looked up in the root, which is an input.
 */
export function copyInputs(
  step: CopyStep | AddStep,
  destination: string,
  chain: string | undefined,
  content: string,
): StepInput[] {
  return [
    filesystemInput(chain),
    { name: INSTRUCTION, value: copyText(step, destination) },
    { name: CONTENT, value: content },
  ];
}

/** The instruction with every variable filled in, and nothing in it that its content says better. */
export function copyText(step: CopyStep | AddStep, destination: string): string {
  const flag = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`--${name}=${value}`];
  const on = (name: string, isOn: boolean | undefined): string[] => (isOn === true ? [`--${name}`] : []);
  const words = [
    step.kind === 'copy' ? 'COPY' : 'ADD',
    ...on('link', step.link),
    ...flag('chown', step.chown),
    ...flag('chmod', step.chmod),
    ...step.excludes.map((pattern) => `--exclude=${pattern}`),
    ...(step.kind === 'copy' ? on('parents', step.parents) : []),
    ...(step.kind === 'add'
      ? [
          ...flag('checksum', step.checksum),
          ...flag('keep-git-dir', step.keepGitDir?.toString()),
          ...flag('unpack', step.unpack?.toString()),
        ]
      : []),
    ...step.sources.map(({ text }) => withoutLogin(text)),
    ...step.inlineFiles.map(({ name }) => `<<${name}`),
    destination,
  ];
  return words.join(' ');
}

/** Credentials say who may read a source, not what it is. */
function withoutLogin(source: string): string {
  return source.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

/** A RUN reads its root, its command and environment, and what is bound into it; nothing of secrets, agents, caches. */
export function runInputs(
  step: RunStep,
  chain: string | undefined,
  platform: string,
  defaults: RunDefaults,
  mounted: readonly StepInput[],
): StepInput[] {
  return [
    filesystemInput(chain),
    { name: 'command', value: JSON.stringify(step.argv) },
    ...(step.script === undefined ? [] : [{ name: 'script', value: step.script.content }]),
    { name: 'working directory', value: step.workdir },
    { name: 'user', value: step.user },
    { name: 'platform', value: platform },
    ...(step.network === 'default' ? [] : [{ name: 'network', value: step.network }]),
    ...step.devices.map(({ name }) => ({ name: 'device', value: name })),
    ...(step.security === 'sandbox' ? [] : [{ name: 'security', value: step.security }]),
    ...environmentInputs(step),
    ...step.mounts.flatMap((mount, i) => mountInput(mount, i)),
    ...mounted,
    ...defaultInputs(defaults),
  ];
}

/** Under the old rule for volumes a RUN comes to something else, if there are any. */
export function discardInputs(volumes: readonly string[]): StepInput[] {
  return volumes.length === 0 ? [] : [{ name: '--compat-volumes', value: volumes.join(' ') }];
}

/** Sorted: the order of variables is nothing a command should build on, and would be hard to explain. */
function environmentInputs(step: RunStep): StepInput[] {
  const args = new Set(step.args.map(({ name }) => name));
  const inputs = step.env.map((entry) => {
    const at = entry.indexOf('=');
    const name = entry.slice(0, at);
    return { name: `${args.has(name) ? ARGUMENT : VARIABLE}${name}`, value: entry.slice(at + 1) };
  });
  return inputs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * The shape of a mount without what it holds. Secrets and agents are no inputs at all; of a cache it counts only which
 * directory it hides, for what is written there does not reach the layer.
 */
function mountInput(mount: StepMount, i: number): StepInput[] {
  const name = `mount ${i + 1}`;
  switch (mount.type) {
    case 'secret':
    case 'ssh':
      return [];
    case 'cache':
      return [{ name, value: `type=cache,target=${mount.target}${mount.readOnly ? ',ro' : ''}` }];
    case 'bind': {
      const { span: _, content: __, from: ___, ...shape } = mount;
      return [{ name, value: JSON.stringify(shape) }];
    }
    default: {
      const { span: _, content: __, ...shape } = mount;
      return [{ name, value: JSON.stringify(shape) }];
    }
  }
}

/**
 * Flags of the command line that a process can see. How it is isolated is not among them: it must come to the same.
 * Proxies never count.
 */
function defaultInputs(d: RunDefaults): StepInput[] {
  const flags: Readonly<Record<string, unknown>> = {
    '--network': d.network,
    default_capabilities: d.baseCapabilities,
    base_hosts_file: d.baseHosts,
    host_containers_internal_ip: d.hostAddress,
    '--cap-add': d.addCapabilities,
    '--cap-drop': d.dropCapabilities,
    '--add-host': d.addHosts,
    '--dns': d.dns,
    '--dns-search': d.dnsSearch,
    '--dns-option': d.dnsOptions,
    '--no-hosts': d.noHosts === true ? true : undefined,
    '--no-hostname': d.noHostname === true ? true : undefined,
    '--ulimit': d.limits?.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`),
    '--shm-size': d.shmSizeBytes,
    '--security-opt': d.securityOptions,
    '--volume': d.volumes,
    '--device': d.devices,
  };
  return Object.entries(flags).flatMap(([name, value]) => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
    return [{ name, value: Array.isArray(value) ? value.join(' ') : String(value) }];
  });
}
