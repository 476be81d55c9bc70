import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BuildRecorder } from '../../../src/insight/build-recorder.ts';
import { measureBuild } from '../../../src/insight/measure-build.ts';
import { OutputTail } from '../../../src/insight/output-tail.ts';
import { sampleRecording } from './sample-build.ts';

describe('where the time went', () => {
  const timings = measureBuild(sampleRecording());

  it('has every step that was planned, with its time and its place', () => {
    assert.deepEqual(
      timings.steps.map((s) => [s.id, `${s.stageName} ${s.number}/${s.of}`, s.outcome, s.durationMs]),
      [
        ['0.1', 'tools 1/2', 'ran', 400],
        ['0.2', 'tools 2/2', 'ran', 1000],
        ['1.1', 'app 1/5', 'ran', 0],
        ['1.2', 'app 2/5', 'cached', 100],
        ['1.3', 'app 3/5', 'ran', 1900],
        ['1.4', 'app 4/5', 'failed', 100],
        ['1.5', 'app 5/5', undefined, 0],
      ],
    );
    assert.equal(timings.totalMs, 3000);
  });

  it('marks the chain of steps that decides how long it takes', () => {
    assert.deepEqual(
      timings.steps.filter((s) => s.isCritical).map((s) => s.id),
      ['1.1', '1.2', '1.3', '1.4'],
    );
    assert.equal(timings.criticalPathMs, 2100);
  });

  it('phases inside steps, most time first', () => {
    assert.deepEqual(timings.steps[4]!.phases, [
      { phase: 'run', durationMs: 1300 },
      { phase: 'mount', durationMs: 90 },
    ]);
  });

  it('tells how many steps ran at once', () => {
    // 400 before; then 2100 in which 3100 of steps ran.
    assert.equal(timings.overlap, (400 + 1000 + 100 + 1900 + 100) / (400 + 2100));
  });

  it('an interrupted build is measured until then', () => {
    const early = measureBuild(sampleRecording(1000));
    assert.equal(early.steps.find((s) => s.id === '1.3')!.durationMs, 400);
    assert.equal(early.steps.find((s) => s.id === '1.3')!.outcome, undefined);
  });

  it('a build without steps has neither path nor overlap', () => {
    const timings = measureBuild(new BuildRecorder(() => 5).recording());
    assert.deepEqual(timings, { totalMs: 0, steps: [], phases: [], criticalPathMs: 0, overlap: 0 });
  });

  it('what happens after a step finished still belongs to it; what belongs to none is the build’s', () => {
    let now = 0;
    const recorder = new BuildRecorder(() => now);
    recorder.emit({ type: 'step-started', step: '0.2', name: 'RUN x', at: 0 });
    recorder.emit({ type: 'step-finished', step: '0.2', outcome: 'ran', at: 10 });
    recorder.emit({ type: 'phase', phase: 'seal', step: '0.2', startedAt: 10, at: 30 });
    recorder.emit({ type: 'phase', phase: 'commit', startedAt: 30, at: 40 });
    now = 40;
    const timings = measureBuild(recorder.recording());
    assert.equal(timings.steps[0]!.durationMs, 30);
    assert.deepEqual(timings.phases, [{ phase: 'commit', durationMs: 10 }]);
  });
});

describe('the end of the output', () => {
  const tail = (most: number, ...pieces: string[]) => {
    const output = new OutputTail(most);
    for (const piece of pieces) output.add(Buffer.from(piece));
    return output.read();
  };

  it('loses control sequences and what was drawn over', () => {
    assert.equal(sampleRecording().steps[4]!.output.text, '100%\n');
    assert.equal(tail(100, '\x1b]0;title\x07a\x1b[2Jb\x00c\r\n').text, 'abc\n');
  });

  it('keeps whole lines of the last bytes and says how many came before', () => {
    assert.deepEqual(tail(12, 'first line\n', 'second\n', 'third\n'), { text: 'third\n', skippedBytes: 18 });
    assert.deepEqual(tail(4, 'abcdefgh'), { text: 'efgh', skippedBytes: 4 });
  });

  it('stays small while a lot is printed in small pieces', () => {
    const output = new OutputTail(1000);
    for (let i = 0; i < 100_000; i++) output.add(Buffer.from('0123456789\n'));
    const { text, skippedBytes } = output.read();
    assert.equal(text.length + skippedBytes, 1_100_000);
    assert.ok(text.length <= 1000 && text.length > 980);
  });
});
