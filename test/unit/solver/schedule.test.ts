import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Graph, type Vertex } from '../../../src/graph/graph.ts';
import { schedule } from '../../../src/solver/schedule.ts';

const vertex = (key: string, ...needs: string[]): Vertex<undefined> => ({ key, needs, name: key, op: undefined });
const graph = (...vertices: Vertex<undefined>[]): Graph<undefined> => new Graph(vertices);

describe('schedule', () => {
  it('runs a vertex after what it needs', async () => {
    const seen: string[] = [];
    const work = graph(vertex('c', 'a', 'b'), vertex('b', 'a'), vertex('a'));
    await schedule(work, async ({ key }) => void seen.push(key), { concurrency: 4 });
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  it('one at a time, follows the order of the graph and not the order in which vertices became ready', async () => {
    const seen: string[] = [];
    const work = graph(vertex('a1'), vertex('a2', 'a1'), vertex('b1'), vertex('b2', 'b1'), vertex('a3', 'a2', 'b2'));
    await schedule(work, async ({ key }) => void seen.push(key), { concurrency: 1 });
    assert.deepEqual(seen, ['a1', 'a2', 'b1', 'b2', 'a3']);
  });

  it('never runs more vertices at once than allowed, and does run that many', async () => {
    let now = 0;
    let most = 0;
    await schedule(
      graph(...['a', 'b', 'c', 'd', 'e'].map((key) => vertex(key))),
      async () => {
        most = Math.max(most, ++now);
        await pause(5);
        now -= 1;
      },
      { concurrency: 2 },
    );
    assert.equal(most, 2);
  });

  it('cancels what runs at the first failure, starts nothing more and throws that failure', async () => {
    const started: string[] = [];
    let cancelled = false;
    const work = schedule(
      graph(vertex('slow'), vertex('bad'), vertex('later', 'slow')),
      async ({ key }, signal) => {
        started.push(key);
        if (key === 'bad') throw new Error('boom');
        await pause(10_000, undefined, { signal }).catch((error: unknown) => {
          cancelled = true;
          throw error;
        });
      },
      { concurrency: 2 },
    );
    await assert.rejects(work, /boom/);
    assert.equal(cancelled, true);
    assert.deepEqual(started, ['slow', 'bad']);
  });

  it('stops with the reason of the signal', async () => {
    const controller = new AbortController();
    const work = schedule(graph(vertex('a')), (_, signal) => pause(10_000, undefined, { signal }), {
      concurrency: 1,
      signal: controller.signal,
    });
    controller.abort(new Error('enough'));
    await assert.rejects(work);
  });
});
