/** What differs between two lists of copied files. Pure. @see TreeDigest, for the form of a list */
import type { Cause } from '../report/explanation.ts';
import { displayName } from '../rootfs/copy-walk.ts';

interface FileFacts {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly content: string;
  readonly attributes: string;
}

const FIELDS = 7;

/** @param sources paths of the sources, by the number the paths of records begin with */
export function readList(records: string, sources: readonly string[]): Map<string, FileFacts> {
  const files = new Map<string, FileFacts>();
  const parts = records.split('\0');
  let kind = parts[0]!;
  for (let at = 0; at + FIELDS < parts.length; at += FIELDS) {
    const [path, mode, uid, gid, size, content, tail] = parts.slice(at + 1, at + 1 + FIELDS) as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    // The last field ends with the line; the kind of the next record follows it.
    const end = tail.lastIndexOf('\n');
    const facts = { kind, mode, owner: `${uid}:${gid}`, content: `${size} ${content}`, attributes: tail.slice(0, end) };
    files.set(shownPath(path, sources), facts);
    kind = tail.slice(end + 1);
  }
  return files;
}

/** `2/lib/x` of the source `src` is `src/lib/x`; a source that is a file stands for itself. */
function shownPath(path: string, sources: readonly string[]): string {
  const slash = path.indexOf('/');
  const source = (sources[Number(slash === -1 ? path : path.slice(0, slash))] ?? '').replace(/^\/+/, '');
  const below = slash === -1 ? '' : displayName(path.slice(slash + 1));
  if (below === '') return source === '' ? '.' : source;
  if (source === below || source.endsWith(`/${below}`)) return source;
  return source === '' ? below : `${source}/${below}`;
}

/** Changes in the order of the newer list, then what is gone. Digests in `after` and `before` play no part in words. */
export function contentChanges(before: ReadonlyMap<string, FileFacts>, after: ReadonlyMap<string, FileFacts>): Cause[] {
  const changes: Cause[] = [];
  for (const [name, now] of after) {
    const then = before.get(name);
    const change = then === undefined ? `${name} is new` : changeOf(name, then, now);
    if (change !== undefined) changes.push(typeof change === 'string' ? { kind: 'file', name, text: change } : change);
  }
  for (const name of before.keys()) {
    if (!after.has(name)) changes.push({ kind: 'file', name, text: `${name} is gone` });
  }
  return changes;
}

function changeOf(name: string, then: FileFacts, now: FileFacts): Cause | undefined {
  if (then.kind !== now.kind) {
    return differs(name, `${name} was a ${then.kind} and is a ${now.kind}`, then.kind, now.kind);
  }
  if (then.content !== now.content) return { kind: 'file', name, text: `${name} changed` };
  if (then.mode !== now.mode) {
    const [from, to] = [modeText(then.mode), modeText(now.mode)];
    return differs(name, `mode of ${name}: ${from} → ${to}`, from, to);
  }
  if (then.owner !== now.owner) {
    return differs(name, `owner of ${name}: ${then.owner} → ${now.owner}`, then.owner, now.owner);
  }
  if (then.attributes !== now.attributes) return { kind: 'file', name, text: `extended attributes of ${name} changed` };
  return undefined;
}

const differs = (name: string, text: string, before: string, after: string): Cause => ({
  kind: 'file',
  name,
  text,
  before,
  after,
});

const modeText = (octal: string): string => (Number.parseInt(octal, 8) & 0o7777).toString(8).padStart(4, '0');
