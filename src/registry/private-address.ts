/**
 * Addresses that a registry on the internet has no business naming. A redirect, a token realm, an upload location or a
 * page link that points there would make this process ask the cloud metadata service or a neighbour's port for it.
 */
import { BlockList, isIP } from 'node:net';
import { BuilderError } from '../report/builder-error.ts';
import { redactUrl } from './registry-error.ts';

const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  // Loopback, unspecified and the IPv4-compatible block in one.
  ['::', 96],
  // IPv4 translated. The mapped form (::ffff:a.b.c.d) is checked against the rules above by BlockList itself, and a
  // rule for it here would fit every IPv4 address.
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** Whether a URL's host name is `localhost` or a literal address that is not on the public internet. */
export function isPrivateHost(hostname: string): boolean {
  const bare = hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true;
  const family = isIP(bare);
  return family !== 0 && PRIVATE.check(bare, family === 4 ? 'ipv4' : 'ipv6');
}

export function sameOrigin(a: URL, b: URL): boolean {
  return a.protocol === b.protocol && a.host === b.host;
}

/**
 * Resolves an address that the registry `origin` gave us, refusing what must not be asked: other schemes, a fall from
 * https to http, and private addresses other than the registry's own.
 * @param what `redirect`, `token realm`, `upload location`, `page link`
 * @throws `registry.request-failed`
 */
export function followable(text: string, base: URL, origin: URL, what: string): URL {
  const refuse = (why: string): BuilderError =>
    new BuilderError('registry.request-failed', `registry ${origin.host} gave a ${what} that is not followed: ${why}`);
  if (!URL.canParse(text, base.href)) throw refuse(`${JSON.stringify(text.slice(0, 200))} is not a URL`);
  const url = new URL(text, base);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refuse(`scheme "${url.protocol}" is not http or https`);
  if (origin.protocol === 'https:' && url.protocol === 'http:') {
    throw refuse(`${redactUrl(url)} leaves https for plain http`);
  }
  if (isPrivateHost(url.hostname) && url.host !== origin.host) {
    throw refuse(`${redactUrl(url)} is a private address other than the registry's own`);
  }
  // A login that a registry puts into an address is nobody's we know.
  url.username = '';
  url.password = '';
  return url;
}
