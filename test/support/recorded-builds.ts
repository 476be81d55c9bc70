/** Event streams of builds with the times at which they came, for the displays to replay. */

import type { BuildEvent, PlannedStage, PlannedStep } from '../../src/report/event.ts';
import type { BuildExplanation } from '../../src/report/explanation.ts';

export interface Recorded {
  /** Milliseconds since the beginning. */
  readonly at: number;
  readonly event: BuildEvent;
}

export interface Recording {
  readonly name: string;
  readonly events: readonly Recorded[];
  readonly error?: { readonly code: 'step.failed'; readonly exitCode: number };
}

type Step = { readonly at: number; readonly until: number; readonly output?: readonly (readonly [number, string])[] };

const ID = '407f87af2cb2d6a1c0ffee00000000000000000000000000000000000000beef';
const BLOB = `sha256:${'3f2a9c1b2d4e'.padEnd(64, '0')}`;

function started(stages: readonly PlannedStage[]): Recorded {
  return { at: 0, event: { type: 'build-started', at: 0, platform: 'linux/amd64', stages } };
}

function line(at: number, step: string, text: string): Recorded {
  return { at, event: { type: 'step-line', step, text } };
}

function step(
  id: string,
  name: string,
  { at, until, output = [] }: Step,
  outcome: 'ran' | 'cached' | 'failed' = 'ran',
): Recorded[] {
  return [
    { at, event: { type: 'step-started', step: id, name, at } },
    ...output.map(([when, text]): Recorded => {
      const stream = text.startsWith('!') ? 'stderr' : 'stdout';
      const data = Buffer.from(text.replace(/^!/, ''));
      return { at: when, event: { type: 'step-output', step: id, stream, data } };
    }),
    { at: until, event: { type: 'step-finished', step: id, outcome, at: until } },
  ];
}

function stageEnd(at: number, stage: string, outcome: 'built' | 'failed' | 'canceled' = 'built'): Recorded {
  return { at, event: { type: 'stage-finished', stage, outcome, at } };
}

function pullOf(stage: string, from: number, to: number): Recorded[] {
  const total = 31_000_000;
  const base = { type: 'transfer', id: BLOB, label: `Copying blob ${BLOB}`, stage } as const;
  const last = { id: 'm', label: 'Writing manifest to image destination', state: 'done', stage } as const;
  const middle = Array.from({ length: 9 }, (_, i): Recorded => {
    const at = from + Math.round(((to - from) * (i + 1)) / 10);
    return { at, event: { ...base, state: 'progress', current: (total * (i + 1)) / 10, total } };
  });
  return [
    { at: from, event: { ...base, state: 'started', current: 0, total } },
    ...middle,
    { at: to, event: { ...base, state: 'done', current: total, total } },
    { at: to, event: { type: 'transfer', ...last } },
  ];
}

const source = { name: 'Containerfile', text: 'FROM node AS deps\nRUN npm ci\nMAINTAINER me@example.org\n' };

/** In the order of time; what happens at once keeps its order. */
function inTime(events: readonly Recorded[]): Recorded[] {
  return [...events].sort((a, b) => a.at - b.at);
}

const TWO_STAGES: readonly PlannedStage[] = [
  { id: '0', name: 'deps', steps: 4 },
  { id: '1', name: 'app', steps: 5 },
];

/** Each step needs the one above. */
function plannedOf(stages: readonly PlannedStage[]): PlannedStep[] {
  return stages.flatMap(({ id, steps }) =>
    Array.from({ length: steps }, (_, i) => ({
      id: `${id}.${i + 1}`,
      stage: id,
      name: `step ${i + 1}`,
      needs: i === 0 ? [] : [`${id}.${i}`],
      isBase: i === 0,
    })),
  );
}

const NO_TIMINGS = { totalMs: 0, steps: [], phases: [], criticalPathMs: 0, overlap: 0 };

const EXPLANATION: BuildExplanation = {
  file: '/src/Dockerfile',
  context: '/src',
  platform: 'linux/amd64',
  at: 0,
  isDryRun: false,
  stages: [
    {
      index: 0,
      name: 'deps',
      from: 'FROM node AS deps',
      steps: [
        { step: '0.2', text: 'WORKDIR /src', outcome: 'hit', savedAt: 0, causes: [] },
        {
          step: '0.3',
          text: 'COPY package.json .',
          outcome: 'ran',
          causes: [{ kind: 'file', name: 'package.json', text: 'package.json changed' }],
        },
      ],
    },
  ],
};

/** Two stages side by side, the later one quicker; a pull, cached steps, wide characters, hostile output, warnings. */
const SIDE_BY_SIDE: Recording = {
  name: 'side-by-side',
  events: inTime([
    started(TWO_STAGES),
    { at: 0, event: { type: 'steps-planned', steps: plannedOf(TWO_STAGES) } },
    { at: 2850, event: { type: 'phase', phase: 'pull', step: '0.1', startedAt: 50, at: 2850 } },
    { at: 4300, event: { type: 'timings', timings: NO_TIMINGS } },
    { at: 4300, event: { type: 'explained', explanation: EXPLANATION } },
    {
      at: 0,
      event: {
        type: 'diagnostic',
        diagnostic: {
          severity: 'warning',
          code: 'MaintainerDeprecated',
          message: 'MAINTAINER is deprecated',
          span: { file: source, start: 29, end: 54 },
          notes: [],
          help: 'use LABEL org.opencontainers.image.authors',
        },
      },
    },
    line(10, '1.1', '[2/2] STEP 1/5: FROM alpine'),
    line(20, '0.1', '[1/2] STEP 1/4: FROM node AS deps'),
    { at: 30, event: { type: 'note', text: 'Trying to pull docker.io/library/node:latest...', stage: '0' } },
    ...pullOf('0', 50, 2850),
    line(2900, '0', '[1/2] STEP 2/4: WORKDIR /src'),
    ...step('0.2', 'WORKDIR /src', { at: 2900, until: 2910 }),
    line(2910, '0', '[1/2] --> aaaaaaaaaaaa'),
    line(2920, '0', '[1/2] STEP 3/4: COPY package.json .'),
    ...step('0.3', 'COPY package.json .', { at: 2920, until: 2960 }),
    line(2970, '0', '[1/2] STEP 4/4: RUN npm ci'),
    ...step('0.4', 'RUN npm ci', {
      at: 2970,
      until: 4400,
      output: [
        [3000, 'npm http fetch 1\nnpm http fetch 2\n'],
        [3100, '!npm warn deprecated 日本語\x1b[2J\x1b[31m red\x1b[0m\n'],
        [3300, '10%\r20%\r30%'],
        [3900, '\r100%\n'],
        [4300, `added ${'many '.repeat(40)}packages\n`],
      ],
    }),
    stageEnd(4400, '0'),
    line(60, '1', '[2/2] STEP 2/5: ENV A=b'),
    ...step('1.2', 'ENV A=b', { at: 60, until: 61 }, 'cached'),
    line(62, '1', '[2/2] --> Using cache bbbb'),
    ...step('1.3', 'WORKDIR /app', { at: 70, until: 71 }, 'cached'),
    line(80, '1', '[2/2] STEP 4/5: RUN apk add --no-cache git'),
    ...step('1.4', 'RUN apk add --no-cache git', {
      at: 80,
      until: 2000,
      output: [
        [300, 'fetch APKINDEX\n(1/2) Installing git\n'],
        [1500, 'OK: 12 MiB\n'],
      ],
    }),
    line(4410, '1', '[2/2] STEP 5/5: COPY --from=deps /src /app'),
    ...step('1.5', 'COPY --from=deps /src /app', { at: 4410, until: 4500 }),
    { at: 4510, event: { type: 'warning', text: 'HEALTHCHECK is not kept by the OCI format', stage: '1' } },
    line(4520, 'commit', '[2/2] COMMIT registry.example.org/team/app:1'),
    stageEnd(4530, '1'),
    line(4550, 'commit', `--> ${ID.slice(0, 12)}`),
    line(4550, 'commit', 'Successfully tagged registry.example.org/team/app:1'),
    {
      at: 4560,
      event: {
        type: 'build-finished',
        at: 4560,
        id: ID,
        names: ['registry.example.org/team/app:1'],
        sizeBytes: 48_200_000,
      },
    },
  ]),
};

/** A step of the second stage fails while the first still runs. */
const FAILING: Recording = {
  name: 'failing',
  error: { code: 'step.failed', exitCode: 127 },
  events: inTime([
    started(TWO_STAGES),
    line(10, '0.1', '[1/2] STEP 1/4: FROM node AS deps'),
    line(10, '1.1', '[2/2] STEP 1/5: FROM alpine'),
    line(20, '0', '[1/2] STEP 2/4: RUN sleep 10'),
    ...step('0.2', 'RUN sleep 10', { at: 20, until: 900, output: [[100, 'sleeping\n']] }).slice(0, -1),
    line(30, '1', '[2/2] STEP 2/5: RUN make all && nosuch --token=$TOKEN'),
    ...step(
      '1.2',
      'RUN make all && nosuch --token=$TOKEN',
      {
        at: 30,
        until: 800,
        output: [
          [100, Array.from({ length: 30 }, (_, i) => `cc -c file${i}.c\n`).join('')],
          [700, '!/bin/sh: nosuch: not found\n'],
        ],
      },
      'failed',
    ),
    stageEnd(800, '1', 'failed'),
    { at: 850, event: { type: 'step-finished', step: '0.2', outcome: 'canceled', at: 850 } },
    stageEnd(860, '0', 'canceled'),
  ]),
};

/** A shell is opened where a step failed. */
const DEBUGGED: Recording = {
  name: 'debugged',
  error: { code: 'step.failed', exitCode: 7 },
  events: inTime([
    started([{ id: '0', name: '0', steps: 2 }]),
    line(10, '0.1', 'STEP 1/2: FROM alpine'),
    line(20, '0', 'STEP 2/2: RUN make'),
    ...step('0.2', 'RUN make', { at: 20, until: 900, output: [[100, 'cc -c a.c\n']] }, 'failed'),
    { at: 300, event: { type: 'debug-shell', step: '0.2', state: 'opened', text: 'exit status 7: make' } },
    { at: 800, event: { type: 'debug-shell', step: '0.2', state: 'closed' } },
    stageEnd(900, '0', 'failed'),
  ]),
};

/** Nothing to do. */
const CACHED: Recording = {
  name: 'cached',
  events: inTime([
    started([{ id: '0', name: '0', steps: 4 }]),
    line(0, '0.1', 'STEP 1/4: FROM alpine'),
    ...[2, 3, 4].flatMap((n) => [
      line(n * 10, '0', `STEP ${n}/4: RUN ${n}`),
      ...step(`0.${n}`, `RUN ${n}`, { at: n * 10, until: n * 10 + 1 }, 'cached'),
      line(n * 10 + 2, '0', `--> Using cache ${ID}`),
    ]),
    stageEnd(45, '0'),
    line(45, 'commit', 'COMMIT'),
    line(50, 'commit', `--> ${ID.slice(0, 12)}`),
    { at: 55, event: { type: 'build-finished', at: 55, id: ID, names: [], sizeBytes: 4_000_000 } },
  ]),
};

/** No build at all. */
const PULL: Recording = {
  name: 'pull',
  events: [
    { at: 0, event: { type: 'note', text: 'Trying to pull https://user:hunter2@example.org/x...' } },
    ...pullOf('', 100, 5100),
  ],
};

export const RECORDINGS: readonly Recording[] = [SIDE_BY_SIDE, FAILING, DEBUGGED, CACHED, PULL];
