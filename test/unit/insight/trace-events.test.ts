import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Trace, type TraceEvent, traceOf } from '../../../src/insight/trace-events.ts';
import { sampleRecording } from './sample-build.ts';

const about = { name: 'slipway build app', facts: { platform: 'linux/amd64' } };

/** The rules of the format that a viewer relies on. @see "Trace Event Format" */
function assertValid(trace: Trace): void {
  assert.deepEqual(JSON.parse(JSON.stringify(trace)), trace, 'only JSON values');
  const open = new Map<string, number>();
  const named = new Set<string>();
  for (const event of trace.traceEvents) {
    assert.ok(['X', 'b', 'e', 'i', 'M'].includes(event.ph));
    assert.ok(Number.isInteger(event.ts) && event.ts >= 0);
    assert.ok(Number.isInteger(event.pid) && Number.isInteger(event.tid));
    assert.ok(event.name.length > 0);
    if (event.ph === 'X') assert.ok(Number.isInteger(event.dur) && event.dur! >= 0);
    if (event.ph === 'M') {
      assert.ok(['process_name', 'thread_name', 'thread_sort_index'].includes(event.name));
      named.add(`${event.name} ${event.tid}`);
    }
    if (event.ph === 'i') assert.ok(['g', 'p', 't'].includes(event.s!));
    const key = `${event.cat} ${event.id}`;
    if (event.ph === 'b') {
      assert.ok(!open.has(key));
      open.set(key, event.ts);
    }
    if (event.ph === 'e') {
      assert.ok(event.ts >= open.get(key)!);
      open.delete(key);
    }
  }
  assert.equal(open.size, 0, 'every async event ends');
  for (const { tid } of trace.traceEvents) assert.ok(named.has(`thread_name ${tid}`));
  for (const tid of new Set(trace.traceEvents.map((event) => event.tid))) assertNested(trace.traceEvents, tid);
}

/** Complete events of a thread lie side by side or inside one another. */
function assertNested(events: readonly TraceEvent[], tid: number): void {
  const spans = events
    .filter((event) => event.ph === 'X' && event.tid === tid)
    .map((event) => ({ from: event.ts, to: event.ts + event.dur! }));
  for (const a of spans) {
    for (const b of spans) {
      const isApart = a.to <= b.from || b.to <= a.from;
      const isInside = (a.from <= b.from && b.to <= a.to) || (b.from <= a.from && a.to <= b.to);
      assert.ok(isApart || isInside);
    }
  }
}

describe('trace', () => {
  it('keeps the rules of the format, whenever the build ended', () => {
    for (const until of [0, 400, 650, 1000, 2600, 3000]) assertValid(traceOf(sampleRecording(until), about));
  });

  it('has a thread for each stage, with its steps and their phases', () => {
    const { traceEvents } = traceOf(sampleRecording(), about);
    const threads = traceEvents.filter((event) => event.name === 'thread_name');
    assert.deepEqual(
      threads.map(({ tid, args }) => [tid, args!['name']]),
      [
        [0, 'build'],
        [1, 'tools'],
        [2, 'app'],
      ],
    );
    const inApp = traceEvents.filter((event) => event.ph === 'X' && event.tid === 2);
    assert.deepEqual(
      inApp.map(({ name, ts, dur }) => [name, ts, dur]),
      [
        ['COPY . .', 500_000, 100_000],
        ['RUN npm ci', 600_000, 1_900_000],
        ['mount', 610_000, 90_000],
        ['run', 700_000, 1_300_000],
        ['COPY --from=tools /t /t', 2_500_000, 100_000],
      ],
    );
    assert.deepEqual(inApp[0]!.args, { step: '1.2', outcome: 'cached', key: 'sha256:k1' });
  });

  it('tells of transfers and warnings, also of those under way at the end', () => {
    const { traceEvents, otherData } = traceOf(sampleRecording(), about);
    assert.deepEqual(
      traceEvents.filter(({ ph }) => ph === 'b').map(({ name, ts, args }) => [name, ts, args]),
      [
        ['Copying blob sha256:aa', 400_000, { state: 'done', bytes: 1000 }],
        ['Copying blob sha256:bb', 2_600_000, { state: 'progress', bytes: 5 }],
      ],
    );
    const [warning] = traceEvents.filter(({ ph }) => ph === 'i');
    assert.deepEqual([warning!.name, warning!.ts, warning!.args], ['something smells', 800_000, { code: 'Smell' }]);
    assert.deepEqual(otherData, { startedAt: '2023-11-14T22:13:20.000Z', platform: 'linux/amd64' });
  });

  it('the same build gives the same trace', () => {
    assert.deepEqual(traceOf(sampleRecording(), about), traceOf(sampleRecording(), about));
  });
});
