/**
 * Measures Slipway against limits that are no other builder: planning of a large file, and a rebuild that finds
 * everything in the cache against one walk over its context. `node bench/limits.mjs [--rounds N]`, medians.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './measure.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const slipway = resolve(here, '../bin/slipway');
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const scratch = mkdtempSync(join(tmpdir(), 'slipway-limits-'));
const store = ['--root', join(scratch, 'root'), '--runroot', join(scratch, 'runroot')];
const timed = (program, args) => {
  const from = performance.now();
  execFileSync(program, args, { stdio: 'ignore' });
  return performance.now() - from;
};

try {
  planning();
  cachedRebuild();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** 40 stages, 300 instructions: reading, evaluating and lowering, each round in a process of its own. */
function planning() {
  const file = join(scratch, 'Dockerfile');
  const stages = Array.from({ length: 40 }, (_, i) => {
    const copy = i === 0 ? 'LABEL first=yes' : `COPY --from=s${i - 1} /x${i - 1} /x${i}`;
    const runs = Array.from(
      { length: 4 + (i % 2) },
      (_, n) => `RUN --mount=type=cache,target=/c echo "$A ${n}" > /out/${n}`,
    );
    return [`FROM scratch AS s${i}`, `ARG V=${i}`, `ENV A=\${V:-none}`, copy, ...runs].join('\n');
  });
  writeFileSync(file, `${stages.join('\n')}\n`);
  const script = `
    const { performance } = await import('node:perf_hooks');
    const load = (name) => import(${JSON.stringify(resolve(here, '../build/src/dockerfile'))} + '/' + name + '.js');
    const [{ parseDockerfile }, { buildInstructions }, { planStages, findTarget }, { lower }] =
      await Promise.all(['parser', 'instructions', 'stages', 'lower'].map(load));
    const text = (await import('node:fs')).readFileSync(${JSON.stringify(file)}, 'utf8');
    const platform = { os: 'linux', architecture: 'amd64' };
    const from = performance.now();
    const plan = planStages(buildInstructions(parseDockerfile({ name: 'Dockerfile', text })), {
      platforms: { build: platform, target: platform },
    });
    const { graph } = await lower(plan, { target: findTarget(plan), resolveBase: async () => undefined });
    console.log(performance.now() - from, graph.vertices.filter(({ op }) => op.kind === 'step').length);`;
  const runs = Array.from({ length: rounds }, () =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).split(' ').map(Number),
  );
  console.log(`planning ${runs[0][1]} steps in 40 stages: ${median(runs.map(([ms]) => ms)).toFixed(0)} ms (aim 100)`);
}

/** 20 steps, one of them a COPY of 50,000 files; what \`find -printf\` needs to look at them once is the unit. */
function cachedRebuild() {
  const context = join(scratch, 'context');
  mkdirSync(join(context, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'bin/busybox'));
  for (const name of ['sh', 'echo']) execFileSync('ln', ['-s', 'busybox', join(context, 'bin', name)]);
  for (let i = 0; i < 50_000; i++) {
    const folder = join(context, 'many', String(Math.floor(i / 1000)));
    if (i % 1000 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${i}`), `${i}\n`.repeat(20));
  }
  const steps = Array.from({ length: 9 }, (_, i) => `RUN echo ${i} > /f${i}\nENV E${i}=${i}\n`);
  writeFileSync(join(context, 'Dockerfile'), `FROM scratch\nCOPY bin /bin\nCOPY many /many\n${steps.join('')}`);
  const build = () => timed(slipway, [...store, 'build', '-q', '--layers', '-t', 'result', context]);
  const walk = () => timed('find', [context, '-printf', '%p %s %T@ %C@ %i\n']);
  build();
  build();
  const pairs = Array.from({ length: rounds }, () => ({ walk: walk(), build: build() }));
  const ratio = median(pairs.map((pair) => pair.build / pair.walk));
  const [one, other] = [median(pairs.map((pair) => pair.walk)), median(pairs.map((pair) => pair.build))];
  console.log(`cached rebuild of 20 steps, 50,000 files: ${other.toFixed(0)} ms`);
  console.log(`one find -printf over the context: ${one.toFixed(0)} ms; ratio ${ratio.toFixed(2)} (aim 3)`);
}
