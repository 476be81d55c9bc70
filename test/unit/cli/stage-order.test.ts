import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StageOrder } from '../../../src/cli/output/stage-order.ts';
import type { BuildEvent } from '../../../src/report/event.ts';

const STARTED: BuildEvent = {
  type: 'build-started',
  at: 0,
  platform: 'linux/amd64',
  stages: ['a', 'b', 'c'].map((name, i) => ({ id: `${i}`, name, steps: 2 })),
};

const line = (stage: number | string, text: string): BuildEvent => ({ type: 'step-line', step: `${stage}`, text });
const output = (stage: number, text: string): BuildEvent => ({
  type: 'step-output',
  step: `${stage}.2`,
  stream: 'stdout',
  data: Buffer.from(text),
});
const ended = (stage: number, outcome: 'built' | 'failed' | 'canceled' = 'built'): BuildEvent => ({
  type: 'stage-finished',
  stage: `${stage}`,
  outcome,
  at: 0,
});

/** What came out, and after which of the events. */
function play(events: readonly BuildEvent[], maxHeldBytes?: number): { told: string[]; live: string[] } {
  const told: string[] = [];
  const order = new StageOrder(
    (event) => {
      if (event.type === 'step-output') told.push(Buffer.from(event.data).toString());
      else if ('text' in event) told.push(event.text);
      else if (event.type === 'build-finished') told.push('finished');
    },
    maxHeldBytes === undefined ? {} : { maxHeldBytes },
  );
  for (const event of events) order.emit(event);
  const live = [...told];
  order.end();
  return { told, live };
}

describe('stages side by side', () => {
  it('come out one after the other in their order, the first of them live', () => {
    const events = [STARTED, line(1, 'b1'), line(0, 'a1'), output(1, 'b2'), output(0, 'a2')];
    assert.deepEqual(play(events).live, ['a1', 'a2']);
    const all = play([...events, ended(0), line(2, 'c1'), line(1, 'b3'), ended(1), line(2, 'c2'), ended(2)]);
    assert.deepEqual(all.live, ['a1', 'a2', 'b1', 'b2', 'b3', 'c1', 'c2']);
    assert.deepEqual(all.told, all.live);
  });

  it('come out the same whichever was quicker', () => {
    const stages = [0, 1, 2].map((i) => [line(i, `${i} first`), output(i, `${i} second`), ended(i)]);
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ];
    const told = orders.map((order) => play([STARTED, ...order.flatMap((i) => stages[i]!)]).live);
    const turns = play([STARTED, ...[0, 1, 2].flatMap((i) => orders[i]!.map((k) => stages[k]![i]!))]).told;
    for (const other of [...told, turns]) assert.deepEqual(other, told[0]);
  });

  it('are all told before the commit', () => {
    const events = [STARTED, ended(1), ended(2), line('commit', 'COMMIT x'), line(0, 'a1'), ended(0)];
    assert.deepEqual(play(events).live, ['a1', 'COMMIT x']);
  });

  it('keep the notes and transfers of their own', () => {
    const events: BuildEvent[] = [
      STARTED,
      { type: 'note', text: 'pulls b', stage: '1' },
      { type: 'note', text: 'of all' },
      line(0, 'a1'),
      ended(0),
    ];
    assert.deepEqual(play(events).live, ['of all', 'a1', 'pulls b']);
  });

  it('that failed are told last, those that did not are left out by name', () => {
    const events = [STARTED, line(0, 'a1'), line(1, 'b1'), line(2, 'c1'), ended(1, 'canceled'), ended(2, 'failed')];
    assert.deepEqual(play([...events, line(0, 'a2'), ended(0, 'canceled')]).told, [
      'a1',
      'a2',
      'output of stages that did not fail is not shown: b',
      'c1',
    ]);
  });

  it('that failed in the foreground stand right above the error', () => {
    const events = [STARTED, line(1, 'b1'), line(0, 'a1'), ended(1), ended(0, 'failed')];
    assert.deepEqual(play(events).told.at(-1), 'output of stages that did not fail is not shown: b');
  });

  it('lose no warning to the failure of another', () => {
    const warning: BuildEvent = { type: 'warning', text: 'w', stage: '1' };
    assert.ok(play([STARTED, warning, ended(0, 'failed')]).told.includes('w'));
  });

  it('are all told when the build was stopped', () => {
    const events = [STARTED, line(0, 'a1'), line(2, 'c1'), line(1, 'b1'), ended(0, 'canceled'), ended(1, 'canceled')];
    assert.deepEqual(play(events).told, ['a1', 'b1', 'c1']);
  });

  it('hold a bounded number of bytes and lose none', () => {
    const pieces = Array.from({ length: 40 }, (_, i) => output(1, `${i}`.padEnd(100, '.')));
    const { live, told } = play([STARTED, line(0, 'a1'), ...pieces, ended(1), line(0, 'a2'), ended(0)], 2000);
    assert.ok(live.indexOf('a2') > live.findIndex((text) => text.startsWith('0.')));
    assert.match(live[1]!, /^stage b is ahead/);
    assert.equal(
      told.filter((text) => text.length === 100).join(''),
      pieces.map((_, i) => `${i}`.padEnd(100, '.')).join(''),
    );
  });

  it('do not change what waits when its buffer is used again', () => {
    const data = Buffer.from('kept');
    const told: string[] = [];
    const order = new StageOrder((e) => e.type === 'step-output' && told.push(Buffer.from(e.data).toString()));
    order.emit(STARTED);
    order.emit({ type: 'step-output', step: '1.2', stream: 'stdout', data });
    data.fill('x');
    order.end();
    assert.deepEqual(told, ['kept']);
  });
});

it('one stage never waits', () => {
  const events = [line(0, 'a1'), output(0, 'a2'), line('commit', 'COMMIT')];
  assert.deepEqual(play(events).live, ['a1', 'a2', 'COMMIT']);
  const started: BuildEvent = { ...STARTED, stages: [{ id: '0', name: '0', steps: 2 }] } as BuildEvent;
  assert.deepEqual(play([started, ...events.slice(0, 2), ended(0), events[2]!]).live, ['a1', 'a2', 'COMMIT']);
});
