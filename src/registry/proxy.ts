/**
 * Which proxy a URL goes through, by the environment and as Go programs read it, so that a machine set up for other
 * builders works for this one: lower case first, never for loopback, `no_proxy` with hosts, domains, addresses, CIDRs.
 */
import { BlockList, isIP } from 'node:net';
import { BuilderError } from '../report/builder-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy's URL, or undefined to connect directly. @throws `registry.request-failed` for a malformed proxy URL */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const secure = url.protocol === 'https:';
  const name = secure ? 'https_proxy' : 'http_proxy';
  const text = env[name] || env[name.toUpperCase()];
  if (text === undefined || text === '') return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(host)) return undefined;
  const port = url.port === '' ? (secure ? '443' : '80') : url.port;
  if (isExempt(host, port, env['no_proxy'] || env['NO_PROXY'] || '')) return undefined;
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full)) {
    throw new BuilderError('registry.request-failed', `the environment variable ${name} holds no URL`);
  }
  const proxy = new URL(full);
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    throw new BuilderError(
      'registry.request-failed',
      `the environment variable ${name} names a proxy with scheme "${proxy.protocol}"; http and https are supported`,
    );
  }
  return proxy;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isExempt(host: string, port: string, list: string): boolean {
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && exempts(entry, host, port));
}

function exempts(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inNetwork(entry, host);
  const withPort = /^(.+):(\d+)$/.exec(entry);
  const isBareIpv6 = isIP(entry) === 6;
  if (!isBareIpv6 && withPort !== null) return withPort[2] === port && exempts(withPort[1]!, host, port);
  const name = entry.replace(/^\[|\]$/g, '').replace(/^\*/, '');
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || (isIP(name) === 0 && host.endsWith(`.${name}`));
}

function inNetwork(entry: string, host: string): boolean {
  const [network, prefix] = entry.split('/') as [string, string];
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const block = new BlockList();
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  block.addSubnet(network, Number(prefix), kind);
  return block.check(host, kind);
}
