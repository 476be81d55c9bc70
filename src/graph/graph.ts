/**
 * A graph of work: vertices in a fixed order, each with those it needs. What a vertex does (its op) and how it is shown
 * (name, span) are carried along and never looked at here.
 */
import type { Span } from '../report/source-file.ts';

export interface Vertex<Op> {
  /** Unique in the graph. */
  readonly key: string;
  /** Keys of vertices that must be done first; repetitions count once. */
  readonly needs: readonly string[];
  /** For people. */
  readonly name: string;
  readonly span?: Span;
  readonly op: Op;
}

/** An immutable acyclic graph. The order in which vertices were given is kept wherever several would do. */
export class Graph<Op> {
  readonly vertices: readonly Vertex<Op>[];
  readonly #byKey: ReadonlyMap<string, Vertex<Op>>;

  /** @throws RangeError when two vertices have one key, a need is unknown, or there is a cycle */
  constructor(vertices: readonly Vertex<Op>[]) {
    this.vertices = vertices;
    this.#byKey = new Map(vertices.map((vertex) => [vertex.key, vertex]));
    if (this.#byKey.size !== vertices.length) throw new RangeError('two vertices of the graph have one key');
    this.#assertAcyclic();
  }

  /** @throws RangeError for an unknown key */
  get(key: string): Vertex<Op> {
    const vertex = this.#byKey.get(key);
    if (vertex === undefined) throw new RangeError(`there is no vertex ${key} in the graph`);
    return vertex;
  }

  /** For each key, the keys of the vertices that need it, in order. */
  dependents(): Map<string, string[]> {
    const found = new Map<string, string[]>(this.vertices.map(({ key }) => [key, []]));
    for (const { key, needs } of this.vertices) for (const need of new Set(needs)) found.get(need)!.push(key);
    return found;
  }

  /**
   * The chain of needs whose weights sum up to the most, first to last: with times as weights, what decides how long
   * everything takes however much runs side by side.
   */
  heaviestPath(weight: (vertex: Vertex<Op>) => number): Vertex<Op>[] {
    const total = new Map<string, number>();
    const before = new Map<string, string>();
    for (const vertex of this.#needsFirst()) {
      let most = 0;
      for (const need of vertex.needs) {
        const sum = total.get(need)!;
        if (sum <= most && before.has(vertex.key)) continue;
        most = sum;
        before.set(vertex.key, need);
      }
      total.set(vertex.key, most + weight(vertex));
    }
    let last: string | undefined;
    for (const { key } of this.vertices) if (last === undefined || total.get(key)! > total.get(last)!) last = key;
    const path: Vertex<Op>[] = [];
    for (let key = last; key !== undefined; key = before.get(key)) path.unshift(this.get(key));
    return path;
  }

  /** Every vertex after those it needs. Iterative: a chain of thousands must not overflow the stack. */
  *#needsFirst(): Generator<Vertex<Op>> {
    const state = new Map<string, 'open' | 'done'>();
    for (const root of this.vertices) {
      const stack = [{ vertex: root, next: 0 }];
      while (stack.length > 0) {
        const top = stack.at(-1)!;
        const { key, needs } = top.vertex;
        if (top.next === 0 && state.get(key) === 'done') {
          stack.pop();
          continue;
        }
        state.set(key, 'open');
        if (top.next >= needs.length) {
          state.set(key, 'done');
          stack.pop();
          yield top.vertex;
          continue;
        }
        const need = this.#byKey.get(needs[top.next]!);
        if (need === undefined) throw new RangeError(`${key} needs ${needs[top.next]}, which is not in the graph`);
        top.next += 1;
        if (state.get(need.key) === 'open') throw new RangeError(`the graph has a cycle through ${need.key}`);
        if (state.get(need.key) !== 'done') stack.push({ vertex: need, next: 0 });
      }
    }
  }

  #assertAcyclic(): void {
    for (const _ of this.#needsFirst());
  }
}
