/** EXPOSE's port specifications: `[ip:][host:]port[-port][/tcp|udp|sctp]`. */

export interface PortSpecification {
  /** `80/tcp`, ranges unrolled, protocol in lower case. */
  readonly ports: readonly string[];
  /** As written; `tcp` when absent. */
  readonly protocol: string;
  /** An address or host port was given, which EXPOSE has no use for. */
  readonly hasHostPart: boolean;
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The specification, or the reason why it is none. */
export function parsePort(text: string): PortSpecification | { readonly error: string } {
  const parts = text.split(':');
  const container = parts.at(-1)!;
  const host = parts.length > 1 ? parts.at(-2)! : '';
  const address = parts.slice(0, -2).join(':');
  const slash = container.indexOf('/');
  const rangeText = slash === -1 ? container : container.slice(0, slash);
  const protocol = (slash === -1 ? '' : container.slice(slash + 1)) || 'tcp';
  if (rangeText === '') return { error: 'no port is given' };
  if (!/^(tcp|udp|sctp)$/i.test(protocol)) return { error: `unknown protocol ${JSON.stringify(protocol)}` };
  if (address !== '' && !isAddress(address)) return { error: `invalid IP address ${JSON.stringify(address)}` };
  const range = parseRange(rangeText);
  if (range === undefined) return { error: `invalid port ${JSON.stringify(rangeText)}: ports are 0 to 65535` };
  const hostError = host === '' ? undefined : checkHostRange(host, range);
  if (hostError !== undefined) return { error: hostError };
  const ports: string[] = [];
  for (let port = range.first; port <= range.last; port++) ports.push(`${port}/${protocol.toLowerCase()}`);
  return { ports, protocol, hasHostPart: parts.length > 1 && (host !== '' || address !== '') };
}

function checkHostRange(host: string, range: PortRange): string | undefined {
  const hostRange = parseRange(host);
  if (hostRange === undefined) return `invalid host port ${JSON.stringify(host)}`;
  const isRange = range.last !== range.first;
  if (isRange && hostRange.last - hostRange.first !== range.last - range.first)
    return 'the two port ranges differ in length';
  return undefined;
}

function parseRange(text: string): PortRange | undefined {
  const [start, end = start, ...more] = splitOnce(text);
  const first = parseNumber(start!);
  const last = parseNumber(end!);
  if (first === undefined || last === undefined || last < first || more.length > 0) return undefined;
  return { first, last };
}

function splitOnce(text: string): string[] {
  const dash = text.indexOf('-');
  return dash === -1 ? [text] : [text.slice(0, dash), text.slice(dash + 1)];
}

function parseNumber(text: string): number | undefined {
  if (!/^\+?\d+$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

/** Good enough to tell an address from a mistake; the address itself is not used. */
function isAddress(text: string): boolean {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (bare.includes(':')) return /^[0-9a-f:.]+$/i.test(bare) && bare.split(':').length <= 8;
  const octets = bare.split('.');
  return octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255);
}
