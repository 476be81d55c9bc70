/** A small build as events: two stages side by side, a cached step, a failure, a step that never began. */
import { BuildRecorder } from '../../../src/insight/build-recorder.ts';
import type { BuildRecording } from '../../../src/insight/build-recording.ts';
import type { BuildEvent } from '../../../src/report/event.ts';
import type { SourceFile, Span } from '../../../src/report/source-file.ts';

/** When the sample begins, in ms since the epoch. */
export const START = 1_700_000_000_000;

export const SOURCE: SourceFile = {
  name: 'Dockerfile',
  text: 'FROM base AS tools\nRUN make tools\nFROM base AS app\nCOPY . .\nRUN npm ci\nCOPY --from=tools /t /t\nCMD ["app"]\n',
};

export function lineSpan(line: number): Span {
  const lines = SOURCE.text.split('\n');
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  return { file: SOURCE, start, end: start + lines[line - 1]!.length };
}

const planned = (id: string, name: string, needs: readonly string[], line: number) => ({
  id,
  stage: id.split('.')[0]!,
  name,
  needs,
  isBase: name.startsWith('FROM '),
  span: lineSpan(line),
});

/** [ms after the start, event] */
export const EVENTS: readonly (readonly [number, BuildEvent])[] = [
  [0, { type: 'phase', phase: 'pull', step: '0.1', startedAt: START, at: START + 400 }],
  [
    400,
    {
      type: 'build-started',
      at: START + 400,
      platform: 'linux/amd64',
      stages: [
        { id: '0', name: 'tools', steps: 2 },
        { id: '1', name: 'app', steps: 5 },
      ],
    },
  ],
  [
    400,
    {
      type: 'steps-planned',
      steps: [
        planned('0.1', 'FROM base AS tools', [], 1),
        planned('0.2', 'RUN make tools', ['0.1'], 2),
        planned('1.1', 'FROM base AS app', [], 3),
        planned('1.2', 'COPY . .', ['1.1'], 4),
        planned('1.3', 'RUN npm ci', ['1.2'], 5),
        planned('1.4', 'COPY --from=tools /t /t', ['1.3', '0.2'], 6),
        planned('1.5', 'CMD ["app"]', ['1.4'], 7),
      ],
    },
  ],
  [400, { type: 'transfer', id: 'a', label: 'Copying blob sha256:aa', state: 'started', total: 1000 }],
  [500, { type: 'step-started', step: '0.2', name: 'RUN make tools', at: START + 500 }],
  [500, { type: 'step-started', step: '1.2', name: 'COPY . .', at: START + 500 }],
  [600, { type: 'step-finished', step: '1.2', outcome: 'cached', at: START + 600, key: 'sha256:k1' }],
  [600, { type: 'step-started', step: '1.3', name: 'RUN npm ci', at: START + 600 }],
  [700, { type: 'phase', phase: 'mount', step: '1.3', startedAt: START + 610, at: START + 700 }],
  [800, { type: 'warning', text: 'something smells', code: 'Smell' }],
  [900, { type: 'step-output', step: '1.3', stream: 'stdout', data: Buffer.from('\x1b[31mred\x1b[0m 10%\r100%\n') }],
  [1400, { type: 'transfer', id: 'a', label: 'Copying blob sha256:aa', state: 'done' }],
  [1500, { type: 'step-finished', step: '0.2', outcome: 'ran', at: START + 1500, missed: 'command changed' }],
  [2000, { type: 'phase', phase: 'run', step: '1.3', startedAt: START + 700, at: START + 2000 }],
  [2500, { type: 'step-finished', step: '1.3', outcome: 'ran', at: START + 2500, key: 'sha256:k2' }],
  [2500, { type: 'step-started', step: '1.4', name: 'COPY --from=tools /t /t', at: START + 2500 }],
  [2600, { type: 'step-finished', step: '1.4', outcome: 'failed', at: START + 2600 }],
  [2600, { type: 'transfer', id: 'b', label: 'Copying blob sha256:bb', state: 'progress', current: 5 }],
];

/** @param until only events up to this many ms after the start, as if the build had been interrupted then */
export function sampleRecording(until = 3000): BuildRecording {
  let now = START;
  const recorder = new BuildRecorder(() => now);
  for (const [at, event] of EVENTS.filter(([time]) => time <= until)) {
    now = START + at;
    recorder.emit(event);
  }
  now = START + until;
  return recorder.recording();
}
