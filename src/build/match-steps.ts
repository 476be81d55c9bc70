/** Which step of the build before is the same one, after lines were changed, inserted and removed. Pure. */

interface Line {
  readonly kind: string;
  readonly text: string;
}

/**
 * For each line of `now` the index of its partner in `before`. Equal lines in the longest common order belong together;
 * between them lines of one kind do, in order.
 */
export function matchSteps(now: readonly Line[], before: readonly Line[]): (number | undefined)[] {
  const partners: (number | undefined)[] = now.map(() => undefined);
  for (const [i, j] of commonLines(now, before)) partners[i] = j;
  let start = 0;
  let startBefore = 0;
  for (let i = 0; i <= now.length; i++) {
    const anchor = i === now.length ? before.length : partners[i];
    if (anchor === undefined) continue;
    pairByKind(now, before, partners, { from: start, to: i, fromBefore: startBefore, toBefore: anchor });
    start = i + 1;
    startBefore = anchor + 1;
  }
  return partners;
}

interface Gap {
  readonly from: number;
  readonly to: number;
  readonly fromBefore: number;
  readonly toBefore: number;
}

function pairByKind(now: readonly Line[], before: readonly Line[], partners: (number | undefined)[], gap: Gap): void {
  const taken = new Set<number>();
  for (let i = gap.from; i < gap.to; i++) {
    for (let j = gap.fromBefore; j < gap.toBefore; j++) {
      if (taken.has(j) || before[j]!.kind !== now[i]!.kind) continue;
      taken.add(j);
      partners[i] = j;
      break;
    }
  }
}

/** Pairs of equal lines, as many as keep their order. */
function commonLines(now: readonly Line[], before: readonly Line[]): [number, number][] {
  const lengths = Array.from({ length: now.length + 1 }, () => new Uint32Array(before.length + 1));
  for (let i = now.length - 1; i >= 0; i--) {
    for (let j = before.length - 1; j >= 0; j--) {
      lengths[i]![j] = isEqual(now[i]!, before[j]!)
        ? lengths[i + 1]![j + 1]! + 1
        : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < now.length && j < before.length; ) {
    if (isEqual(now[i]!, before[j]!)) pairs.push([i++, j++]);
    else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++;
    else j++;
  }
  return pairs;
}

const isEqual = (a: Line, b: Line): boolean => a.kind === b.kind && a.text === b.text;
