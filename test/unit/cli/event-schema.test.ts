import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JsonReporter } from '../../../src/cli/output/json-reporter.ts';
import { TextOutput } from '../../../src/cli/output/output.ts';
import type { Ending } from '../../../src/cli/output/reporter.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import type { BuildEvent } from '../../../src/report/event.ts';
import { assertEventStream, EVENT_TYPES } from '../../support/event-schema.ts';
import { RECORDINGS } from '../../support/recorded-builds.ts';

/** The compiler asks for a line here when a type of events is added. */
const SENT: Readonly<Record<BuildEvent['type'], true>> = {
  'build-started': true,
  'stage-finished': true,
  'build-finished': true,
  'steps-planned': true,
  'debug-shell': true,
  'step-started': true,
  'step-line': true,
  'step-output': true,
  'step-finished': true,
  phase: true,
  timings: true,
  explained: true,
  transfer: true,
  note: true,
  warning: true,
  diagnostic: true,
};

function linesOf(events: readonly BuildEvent[], ...errors: readonly unknown[]): string {
  const stderr = new TextOutput();
  const reporter = new JsonReporter({ stderr, now: () => 0 });
  for (const event of events) reporter.emit(event);
  reporter.finish(errors.length === 0 ? {} : { error: errors[0] });
  return stderr.text;
}

const file = { name: 'Dockerfile', text: 'FROM a\n' };
const span = { file, start: 0, end: 4 };

describe('the schema of events', () => {
  it('knows every type that is sent, and no other', () => {
    assert.deepEqual([...EVENT_TYPES].sort(), [...Object.keys(SENT), 'error'].sort());
  });

  it('fits recorded builds, in which every type occurs', () => {
    const seen = new Set<unknown>();
    for (const { events } of RECORDINGS) {
      for (const { type } of assertEventStream(linesOf(events.map(({ event }) => event)))) seen.add(type);
    }
    assert.deepEqual([...seen].sort(), Object.keys(SENT).sort());
  });

  it('fits every member there can be', () => {
    const diagnostic = {
      severity: 'warning',
      code: 'Rule',
      message: 'm',
      span,
      notes: [{ message: 'n', span }, { message: 'o' }],
      help: 'h',
    } as const;
    const events: BuildEvent[] = [
      { type: 'step-output', step: '0.2', stream: 'stderr', data: Uint8Array.of(0xff) },
      { type: 'transfer', id: 'x', label: 'y', state: 'progress', current: 1, total: 2, stage: '0' },
      { type: 'note', text: 'n', stage: '0' },
      { type: 'warning', text: 'w', code: 'Rule', stage: '0' },
      { type: 'diagnostic', diagnostic },
      { type: 'steps-planned', steps: [{ id: '0.1', stage: '0', name: 'FROM a', needs: [], isBase: true, span }] },
      {
        type: 'step-finished',
        step: '0.2',
        outcome: 'ran',
        at: 1,
        key: 'sha256:0',
        missed: 'what it stands on changed',
      },
      { type: 'phase', phase: 'commit', startedAt: 1, at: 2 },
      { type: 'build-finished', at: 1.5, id: 'a'.repeat(64), names: ['x'], sizeBytes: 3 },
      { type: 'build-finished', at: 1, names: [] },
    ];
    assert.equal(assertEventStream(linesOf(events)).length, events.length);
  });

  it('fits errors', () => {
    const error = new BuilderError('step.failed', 'exit status 137', {
      span,
      hint: 'h',
      facts: { exitCode: 137, path: 'p', retryable: false },
      cause: new Error('deeper'),
    });
    const [event] = assertEventStream(linesOf([], error));
    assert.equal(event!['exit'], 'exit 137: killed by SIGKILL (out of memory?)');
    assert.deepEqual(event!['causes'], ['deeper']);
    assert.equal(assertEventStream(linesOf([], new TypeError('bug')))[0]!['code'], 'internal');
    assert.equal(assertEventStream(linesOf([], 'thrown text'))[0]!['message'], 'thrown text');
  });

  it('tells a stop and a failure of the machine from a bug', () => {
    const codeOf = (ending: Ending): unknown => {
      const stderr = new TextOutput();
      new JsonReporter({ stderr, now: () => 0 }).finish(ending);
      return assertEventStream(stderr.text)[0]!['code'];
    };
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
    assert.equal(codeOf({ error: new Error('stopped by SIGINT'), isStopped: true }), 'sys.cancelled');
    assert.equal(codeOf({ error: full }), 'sys.call-failed');
    assert.equal(codeOf({ error: new Error('x') }), 'internal');
  });

  it('does not fit what is not documented', () => {
    assert.throws(() => assertEventStream('{"schema":1,"type":"note","text":"x","extra":1}\n'));
    assert.throws(() => assertEventStream('{"schema":1,"type":"unheard","text":"x"}\n'));
    assert.throws(() => assertEventStream('{"schema":1,"type":"step-output","step":"0.1","stream":"stdout"}\n'));
  });
});
