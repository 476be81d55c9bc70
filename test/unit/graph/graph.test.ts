import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Graph, type Vertex } from '../../../src/graph/graph.ts';

const vertex = (key: string, ...needs: string[]): Vertex<number> => ({
  key,
  needs,
  name: key,
  op: Number(key.slice(1)),
});

describe('Graph', () => {
  it('refuses cycles, unknown needs and keys given twice', () => {
    assert.throws(() => new Graph([vertex('a', 'b'), vertex('b', 'a')]), /cycle/);
    assert.throws(() => new Graph([vertex('a', 'a')]), /cycle/);
    assert.throws(() => new Graph([vertex('a', 'x')]), /needs x, which is not in the graph/);
    assert.throws(() => new Graph([vertex('a'), vertex('a')]), /one key/);
  });

  it('takes a chain of 20,000 vertices', () => {
    const chain = Array.from({ length: 20_000 }, (_, i) =>
      vertex(`v${i}`, ...(i === 0 ? [] : [`v${i - 1}`])),
    ).reverse();
    const graph = new Graph(chain);
    assert.equal(graph.heaviestPath(() => 1).length, 20_000);
  });

  it('lists who needs a vertex, once each', () => {
    const graph = new Graph([vertex('a'), vertex('b', 'a', 'a'), vertex('c', 'a')]);
    assert.deepEqual(graph.dependents().get('a'), ['b', 'c']);
    assert.deepEqual(graph.dependents().get('c'), []);
  });

  it('finds the heaviest chain of needs', () => {
    const graph = new Graph([
      vertex('a1'),
      vertex('b5'),
      vertex('c2', 'a1', 'b5'),
      vertex('d9', 'a1'),
      vertex('e1', 'c2'),
    ]);
    assert.deepEqual(
      graph.heaviestPath(({ op }) => op).map(({ key }) => key),
      ['a1', 'd9'],
    );
    assert.deepEqual(
      graph.heaviestPath(() => 1).map(({ key }) => key),
      ['a1', 'c2', 'e1'],
    );
  });
});
