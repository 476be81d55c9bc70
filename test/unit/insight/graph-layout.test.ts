import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GraphLayout, type LayoutNode, layoutGraph, NODE } from '../../../src/insight/graph-layout.ts';

const node = (id: string, ...needs: string[]): LayoutNode => ({ id, lane: id.split('.')[0]!, needs });

/** A random acyclic graph of lanes whose steps follow one another and sometimes need another lane's. */
function randomGraph(lanes: number, seed: number): LayoutNode[] {
  let state = seed;
  const next = (n: number): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state % n;
  };
  const nodes: LayoutNode[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const others = nodes.filter((_, i) => i % 2 === 0).map(({ id }) => id);
    for (let i = 0; i < 1 + next(8); i++) {
      const needs = i === 0 ? [] : [`${lane}.${i - 1}`];
      if (others.length > 0 && next(3) === 0) needs.push(others[next(others.length)]!);
      nodes.push({ id: `${lane}.${i}`, lane: `${lane}`, needs });
    }
  }
  return nodes;
}

/** Nodes lie apart, everything lies inside, edges lead down and touch no node but their own. */
function assertReadable(nodes: readonly LayoutNode[], layout: GraphLayout): void {
  const boxes = layout.nodes.map(({ id, x, y }) => ({
    id,
    left: x,
    top: y,
    right: x + NODE.width,
    bottom: y + NODE.height,
  }));
  const byId = new Map(boxes.map((box) => [box.id, box]));
  for (const a of boxes) {
    assert.ok(a.left >= 0 && a.top >= 0 && a.right <= layout.width && a.bottom <= layout.height);
    for (const b of boxes) {
      if (a === b) continue;
      assert.ok(a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top, `${a.id} and ${b.id}`);
    }
  }
  assert.equal(
    layout.edges.length,
    nodes.reduce((sum, { needs }) => sum + new Set(needs).size, 0),
  );
  for (const { from, to, points } of layout.edges) {
    assert.ok(byId.get(from)!.bottom < byId.get(to)!.top, `${from} stands above ${to}`);
    for (let i = 1; i < points.length; i++) {
      const [a, b] = [points[i - 1]!, points[i]!];
      assert.ok(a.x === b.x || a.y === b.y, 'right angles');
      assert.ok(Math.max(a.x, b.x) <= layout.width && Math.min(a.x, b.x) >= 0);
      for (const box of boxes) {
        const isCrossed =
          Math.max(a.x, b.x) > box.left &&
          Math.min(a.x, b.x) < box.right &&
          Math.max(a.y, b.y) > box.top &&
          Math.min(a.y, b.y) < box.bottom;
        assert.ok(!isCrossed, `${from} → ${to} crosses ${box.id}`);
      }
    }
  }
}

describe('graph layout', () => {
  it('is readable for graphs of many shapes', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const nodes = randomGraph(1 + (seed % 7), seed * 7919);
      assertReadable(nodes, layoutGraph(nodes));
    }
  });

  it('has a lane for each stage, side by side where nothing waits', () => {
    const layout = layoutGraph([node('a.1'), node('a.2', 'a.1'), node('b.1'), node('b.2', 'b.1', 'a.2')]);
    const [a1, a2, b1, b2] = layout.nodes;
    assert.deepEqual(
      layout.lanes.map(({ id }) => id),
      ['a', 'b'],
    );
    assert.equal(a1!.y, b1!.y);
    assert.ok(b2!.y > a2!.y);
    assert.equal(a1!.x, a2!.x);
  });

  it('of nothing is empty; needs that are not there are left out', () => {
    assert.deepEqual(layoutGraph([]).nodes, []);
    assert.deepEqual(layoutGraph([node('a.1', 'gone')]).edges, []);
  });

  it('takes thousands of steps', () => {
    const nodes = Array.from({ length: 5000 }, (_, i) => node(`a.${i}`, ...(i === 0 ? [] : [`a.${i - 1}`])));
    assert.equal(layoutGraph(nodes).nodes.length, 5000);
  });
});
