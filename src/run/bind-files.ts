/**
 * The files every RUN is shown and no layer gets: /etc/hosts, /etc/resolv.conf, /etc/hostname, /run/.containerenv. They
 * are written to a private directory and bind mounted over whatever the image has there.
 *
 * @see buildah-run(1), resolv.conf(5), hosts(5)
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { RunMount } from '../spec/process-spec.ts';
import { writeFile } from '../sys/file-write.ts';

export interface BindFileOptions {
  readonly network: 'host' | 'none' | 'private';
  /** A resolver that answers in there, asked before the host's own. */
  readonly resolver?: string;
  /** What `host-gateway` stands for; default the loopback, where a step that shares the host's network finds it. */
  readonly hostAddress?: string;
  readonly hostname: string;
  /** `name:address`; several names may share one entry, separated by `;`. */
  readonly addHosts?: readonly string[];
  /** No /etc/hosts of ours. */
  readonly noHosts?: boolean;
  /** No /etc/hostname of ours. */
  readonly noHostname?: boolean;
  /** Replaces the host's servers; `none` alone leaves the image's resolv.conf alone. */
  readonly dnsServers?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly dnsSearch?: readonly string[];
  /** Base of /etc/hosts; default the host's. `none` starts empty, `image` from the image's file (given as text). */
  readonly baseHosts?: string;
  /** Lines of /run/.containerenv. */
  readonly container: {
    readonly engine: string;
    readonly name: string;
    readonly id: string;
    readonly image: string;
    readonly imageId: string;
    readonly rootless: boolean;
  };
  /** Folder for the private directory, swept by its owner after a crash; the system's temporary folder unless told. */
  readonly temporary?: string;
  /** Declared volumes: a file at or below one is left alone. */
  readonly volumes?: readonly string[];
}

/** The mounts, and the directory behind them until disposed. */
export interface BindFiles extends Disposable {
  readonly mounts: readonly RunMount[];
}

/** Writes the files. @throws `usage.invalid` for a malformed extra host */
export function makeBindFiles(options: BindFileOptions): BindFiles {
  const files = new Map<string, string>();
  if (options.noHosts !== true) files.set('/etc/hosts', hostsText(options, readHost('/etc/hosts')));
  if (wantsResolver(options)) files.set('/etc/resolv.conf', resolverText(options, readHost('/etc/resolv.conf')));
  if (options.noHostname !== true) files.set('/etc/hostname', `${options.hostname}\n`);
  files.set('/run/.containerenv', containerText(options.container));
  const directory = mkdtempSync(join(options.temporary ?? tmpdir(), 'slipway-files-'));
  const mounts = [...files]
    .filter(([target]) => !isBelow(target, options.volumes ?? []))
    .map(([target, text], index): RunMount => {
      const source = join(directory, String(index));
      writeFile(source, text, { mode: 0o644 });
      return { type: 'bind', source, target, readOnly: false, options: ['nosuid', 'nodev', 'noexec'] };
    });
  return { mounts, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

function readHost(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isBelow(path: string, volumes: readonly string[]): boolean {
  return volumes.some((volume) => path === volume || path.startsWith(`${volume.replace(/\/+$/, '')}/`));
}

function wantsResolver(options: BindFileOptions): boolean {
  const servers = options.dnsServers ?? [];
  return options.network !== 'none' && !(servers.length === 1 && servers[0] === 'none');
}

const LOOPBACK = ['127.0.0.1\tlocalhost', '::1\tlocalhost'];

/** Text of /etc/hosts. */
export function hostsText(options: BindFileOptions, hostFile: string): string {
  const base = options.baseHosts ?? hostFile;
  const lines = base === 'none' ? [] : base.split('\n').filter((line) => line.trim() !== '');
  const extra = (options.addHosts ?? []).flatMap((entry) => extraHost(entry, options));
  const named = (name: string): boolean =>
    [...extra, ...lines].some((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1).includes(name));
  // Extra hosts come first: a resolver takes the first line that has the name.
  const out = [...extra, ...lines];
  if (!named('localhost')) out.push(...LOOPBACK);
  if (!named(options.hostname)) out.push(`127.0.0.1\t${options.hostname}`);
  return `${out.join('\n')}\n`;
}

/** Where a step reaches the host when it shares its network. */
const HOST_ADDRESS = '127.0.0.1';

/** The names and the address of `name[;name]:address`. @throws `usage.invalid` */
export function parseExtraHost(entry: string): { readonly names: readonly string[]; readonly address: string } {
  const separator = /^([^:=]+)[:=](.+)$/.exec(entry);
  const names = separator?.[1]?.split(';').filter((name) => name !== '') ?? [];
  const address = separator?.[2]?.replace(/^\[(.*)\]$/, '$1');
  if (names.length === 0 || address === undefined || /\s/.test(entry)) {
    throw new BuilderError('usage.invalid', `${JSON.stringify(entry)} is not an extra host: expected name:address`);
  }
  if (address !== 'host-gateway' && !/^[0-9a-fA-F:.]+$/.test(address)) {
    throw new BuilderError(
      'usage.invalid',
      `${JSON.stringify(address)} in the extra host ${JSON.stringify(entry)} is not an address`,
    );
  }
  return { names, address };
}

function extraHost(entry: string, options: BindFileOptions): string[] {
  const { names, address } = parseExtraHost(entry);
  if (address !== 'host-gateway') return [`${address}\t${names.join(' ')}`];
  if (options.network === 'private' && options.hostAddress === undefined) {
    throw new BuilderError('run.network-unavailable', 'host-gateway has no address: the network has no default route');
  }
  return [`${options.hostAddress ?? HOST_ADDRESS}\t${names.join(' ')}`];
}

/** Text of /etc/resolv.conf. In the host's own network its loopback resolver works and stays. */
export function resolverText(options: BindFileOptions, hostFile: string): string {
  const lines = hostFile.split('\n').map((line) => line.trim());
  const values = (keyword: string): string[] =>
    lines
      .filter((line) => line.startsWith(`${keyword} `) || line.startsWith(`${keyword}\t`))
      .map((line) => line.slice(keyword.length).trim());
  const reachable = (server: string): boolean => options.network === 'host' || !/^(127\.|::1$)/.test(server);
  const given = options.dnsServers ?? [];
  const own = options.resolver === undefined ? [] : [options.resolver];
  const servers = given.length > 0 ? given : [...own, ...values('nameserver').filter(reachable)];
  const search = options.dnsSearch ?? values('search').at(-1)?.split(/\s+/) ?? [];
  const settings = options.dnsOptions ?? values('options').flatMap((line) => line.split(/\s+/));
  const out = [];
  // A single dot means no search list at all.
  if (search.length > 0 && !(search.length === 1 && search[0] === '.')) out.push(`search ${search.join(' ')}`);
  for (const server of servers) out.push(`nameserver ${server}`);
  if (settings.length > 0) out.push(`options ${settings.join(' ')}`);
  return out.length === 0 ? '' : `${out.join('\n')}\n`;
}

/** Text of /run/.containerenv: shell assignments, by which programs tell that they are in a container. */
export function containerText(container: BindFileOptions['container']): string {
  const quoted = (text: string): string => JSON.stringify(text);
  return [
    `engine=${quoted(container.engine)}`,
    `name=${quoted(container.name)}`,
    `id=${quoted(container.id)}`,
    `image=${quoted(container.image)}`,
    `imageid=${quoted(container.imageId)}`,
    `rootless=${container.rootless ? 1 : 0}`,
    '',
  ].join('\n');
}
