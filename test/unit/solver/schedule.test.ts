import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { schedule } from '../../../src/solver/schedule.ts';

const node = (key: string, ...needs: string[]): { key: string; needs: string[] } => ({ key, needs });

describe('schedule', () => {
  it('runs a node after what it needs and hands over the results', async () => {
    const seen: string[] = [];
    const results = await schedule(
      [node('c', 'a', 'b'), node('b', 'a'), node('a')],
      async (key, done) => {
        seen.push(key);
        return `${key}(${[...done.keys()].join('')})`;
      },
      { concurrency: 4 },
    );
    assert.deepEqual(seen, ['a', 'b', 'c']);
    assert.equal(results.get('c'), 'c(ab)');
  });

  it('never runs more nodes at once than allowed, and does run that many', async () => {
    let now = 0;
    let most = 0;
    await schedule(
      ['a', 'b', 'c', 'd', 'e'].map((key) => node(key)),
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
      [node('slow'), node('bad'), node('later', 'slow')],
      async (key, _, signal) => {
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
    const work = schedule([node('a')], (_, __, signal) => pause(10_000, undefined, { signal }), {
      concurrency: 1,
      signal: controller.signal,
    });
    controller.abort(new Error('enough'));
    await assert.rejects(work);
  });

  it('refuses cycles and unknown needs before anything runs', async () => {
    let ran = false;
    const run = async (): Promise<void> => {
      ran = true;
    };
    await assert.rejects(schedule([node('a', 'b'), node('b', 'a')], run, { concurrency: 1 }), /cycle/);
    await assert.rejects(schedule([node('a', 'x')], run, { concurrency: 1 }), /not in the graph/);
    assert.equal(ran, false);
  });

  it('takes a chain of 20,000 nodes', async () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => ({ key: i, needs: i === 0 ? [] : [i - 1] })).reverse();
    const results = await schedule(chain, async (key) => key, { concurrency: 8 });
    assert.equal(results.size, 20_000);
  });
});
