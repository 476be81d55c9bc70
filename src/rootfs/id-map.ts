/** Which owners this process can give to files. @see user_namespaces(7) */
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';

interface Range {
  readonly first: number;
  readonly count: number;
}

/** The ids mapped into this user namespace. */
export class IdMap {
  readonly #uids: readonly Range[];
  readonly #gids: readonly Range[];
  readonly #texts: { readonly uid: string; readonly gid: string };

  /** @param uidMap content of a uid_map file, lines of `inside outside count`; likewise `gidMap` */
  constructor(uidMap: string, gidMap: string) {
    this.#uids = parseRanges(uidMap);
    this.#gids = parseRanges(gidMap);
    this.#texts = { uid: describe(this.#uids), gid: describe(this.#gids) };
  }

  static ofThisProcess(): IdMap {
    return new IdMap(readFileSync('/proc/self/uid_map', 'utf8'), readFileSync('/proc/self/gid_map', 'utf8'));
  }

  holds(uid: number, gid: number): boolean {
    return isIn(this.#uids, uid) && isIn(this.#gids, gid);
  }

  /** @throws `layer.id-unmapped` naming the id and the map */
  require(uid: number, gid: number, name: string): void {
    if (!isIn(this.#uids, uid)) throw this.#unmapped('uid', uid, name);
    if (!isIn(this.#gids, gid)) throw this.#unmapped('gid', gid, name);
  }

  #unmapped(kind: 'uid' | 'gid', id: number, name: string): BuilderError {
    return new BuilderError(
      'layer.id-unmapped',
      `cannot give ${JSON.stringify(name)} the ${kind} ${id}: this user namespace maps only ${kind}s ${this.#texts[kind]}`,
      {
        hint: `give this user a larger range in /etc/sub${kind}, or such files to this user: --storage-opt ignore_chown_errors=true`,
        facts: { [kind]: id, map: this.#texts[kind], path: name },
      },
    );
  }
}

function parseRanges(text: string): Range[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
      return { first, count };
    });
}

function isIn(ranges: readonly Range[], id: number): boolean {
  for (const { first, count } of ranges) if (id >= first && id < first + count) return true;
  return false;
}

function describe(ranges: readonly Range[]): string {
  return ranges.map(({ first, count }) => (count === 1 ? `${first}` : `${first}-${first + count - 1}`)).join(', ');
}
