/**
 * What is measured. A case prepares a context once (`context`) and each builder once (`prepare`), then gives what one
 * round costs (`round`); what must be undone between rounds is in `after`. `aim`: the ratio to reach.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const APPLETS = ['sh', 'ls', 'cat', 'dd', 'mkdir', 'seq', 'touch', 'rm', 'echo', 'sleep'];

/** Makes the base every case stands on. @param {import('./builder.mjs').Builder} builder @param {string} context */
export function makeBase(builder, context) {
  builder.run('build', '-q', '-t', 'base', context);
}

/** @param {string} folder */
export function baseContext(folder) {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(folder, 'bin/busybox'));
  for (const name of APPLETS) execFileSync('ln', ['-s', 'busybox', join(folder, 'bin', name)]);
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY bin /bin\nCMD ["/bin/sh"]\n');
}

/** Many files of some hundred bytes, a thousand in a folder. @param {string} folder @param {number} count */
function manyFiles(folder, count) {
  for (let i = 0; i < count; i++) {
    const below = join(folder, String(Math.floor(i / 1000)));
    if (i % 1000 === 0) mkdirSync(below, { recursive: true });
    writeFileSync(join(below, `file-${i}`), `${i}\n`.repeat(20 + (i % 100)));
  }
}

const remove = (builder) => builder.run('rmi', '--force', 'result');

/** @type {readonly Case[]} */
export const cases = [
  {
    name: 'tiny',
    title: 'tiny Dockerfile (FROM, RUN, COPY, CMD)',
    aim: 0.5,
    context: (folder) => {
      writeFileSync(join(folder, 'file'), 'content\n');
      writeFileSync(
        join(folder, 'Dockerfile'),
        'FROM base\nRUN echo hello > /hello\nCOPY file /file\nCMD ["/bin/sh"]\n',
      );
    },
    round: (builder, context) => builder.run('build', '-q', '-t', 'result', context),
    after: remove,
  },
  {
    name: 'copy-50k',
    title: 'COPY of 50,000 small files',
    aim: 0.5,
    context: (folder) => {
      manyFiles(join(folder, 'many'), 50_000);
      writeFileSync(join(folder, 'Dockerfile'), 'FROM base\nCOPY many /many\n');
    },
    round: (builder, context) => builder.run('build', '-q', '-t', 'result', context),
    after: remove,
  },
  {
    name: 'copy-50k-cached',
    title: 'the same rebuilt unchanged, --layers',
    aim: 0.15,
    shares: 'copy-50k',
    prepare: (builder, context) => builder.run('build', '-q', '--layers', '-t', 'result', context),
    round: (builder, context) => builder.run('build', '-q', '--layers', '-t', 'result', context),
  },
  {
    name: 'cached-20',
    title: '20 steps, all cached, --layers',
    aim: 0.5,
    context: (folder) => {
      const steps = Array.from({ length: 10 }, (_, i) => `RUN echo ${i} > /file-${i}\nENV STEP_${i}=${i}\n`);
      writeFileSync(join(folder, 'Dockerfile'), `FROM base\n${steps.join('')}`);
    },
    prepare: (builder, context) => builder.run('build', '-q', '--layers', '-t', 'result', context),
    round: (builder, context) => builder.run('build', '-q', '--layers', '-t', 'result', context),
  },
  {
    name: 'stages-4',
    title: '4 independent stages that sleep 2 s',
    aim: 0.5,
    context: (folder) => {
      const names = ['a', 'b', 'c', 'd'];
      const stages = names.map((name) => `FROM base AS ${name}\nRUN sleep 2; echo ${name} > /${name}\n`);
      const copies = names.map((name) => `COPY --from=${name} /${name} /\n`);
      writeFileSync(join(folder, 'Dockerfile'), `${stages.join('')}FROM base\n${copies.join('')}`);
    },
    round: (builder, context) => builder.run('build', '-q', '--no-cache', '-t', 'result', context),
    after: remove,
  },
  {
    name: 'commit-2g',
    title: 'commit of one new 2 GiB file',
    aim: 0.5,
    before: (builder) => {
      builder.run('from', '--name', 'work', 'base');
      builder.run('run', 'work', '--', 'dd', 'if=/dev/zero', 'of=/large', 'bs=1M', 'count=2048');
    },
    round: (builder) => builder.run('commit', '-q', 'work', 'result'),
    after: (builder) => {
      builder.run('rm', 'work');
      remove(builder);
    },
  },
  {
    name: 'commit-200k',
    title: 'commit of 200,000 tiny files',
    aim: 0.5,
    before: (builder) => {
      builder.run('from', '--name', 'work', 'base');
      const make =
        'for d in $(seq 200); do mkdir -p /many/$d; for f in $(seq 1000); do echo $f > /many/$d/$f; done; done';
      builder.run('run', 'work', '--', 'sh', '-c', make);
    },
    round: (builder) => builder.run('commit', '-q', 'work', 'result'),
    after: (builder) => {
      builder.run('rm', 'work');
      remove(builder);
    },
  },
  {
    name: 'script-12',
    title: '12-call bash script',
    aim: 1,
    context: (folder) => writeFileSync(join(folder, 'file'), 'content\n'),
    round: (builder, context) =>
      builder.script(`
        c=$($b from base)
        $b run $c -- mkdir -p /srv/app
        $b copy -q $c ${context}/file /srv/app/
        $b run $c -- sh -c 'echo made > /srv/app/made'
        $b config --env A=1 $c
        $b config --label b=2 $c
        $b config --workingdir /srv/app $c
        $b config --cmd /bin/sh $c
        $b config --port 80 $c
        $b run $c -- ls /srv/app
        $b commit -q $c result
        $b rm $c`),
    after: remove,
  },
  {
    name: 'push-500m',
    title: 'push of a 500 MB image',
    aim: 1,
    needsRegistry: true,
    context: largeContext,
    prepare: (builder, context) => builder.run('build', '-q', '-t', 'large', context),
    // Each round a repository of its own: the registry has nothing of it yet.
    round: (builder, _context, { registry, round }) =>
      builder.run(
        'push',
        '-q',
        '--tls-verify=false',
        'large',
        `docker://${registry}/${builder.name}-${builder.mode}-${round}`,
      ),
    // A compressed form that is kept would make the second round another thing.
    after: (builder, context) => {
      builder.reset();
      builder.remakeBase();
      builder.run('build', '-q', '-t', 'large', context);
    },
  },
  {
    name: 'pull-500m',
    title: 'pull of a 500 MB image',
    aim: 1,
    needsRegistry: true,
    shares: 'push-500m',
    prepare: (builder, context, { registry }) => {
      builder.run('build', '-q', '-t', 'large', context);
      builder.run('push', '-q', '--tls-verify=false', 'large', `docker://${registry}/pull-${builder.mode}`);
      builder.reset();
    },
    round: (builder, _context, { registry }) =>
      builder.run('pull', '-q', '--tls-verify=false', `${registry}/pull-${builder.mode}`),
    after: (builder) => builder.reset(),
  },
];

/** Half of it cannot be compressed, half of it well. @param {string} folder */
function largeContext(folder) {
  mkdirSync(join(folder, 'data'));
  for (let i = 0; i < 10; i++) {
    const noise = randomBytes(25_000_000);
    writeFileSync(join(folder, `data/noise-${i}`), noise);
    writeFileSync(
      join(folder, `data/text-${i}`),
      noise.subarray(0, 6_250_000).toString('hex') + ' '.repeat(12_500_000),
    );
  }
  writeFileSync(join(folder, 'Dockerfile'), 'FROM base\nCOPY data /data\n');
}

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} title
 * @property {number} aim
 * @property {string} [shares] name of the case whose context it uses
 * @property {boolean} [needsRegistry]
 * @property {(folder: string) => void} [context]
 * @property {(builder: any, context: string, o: any) => void} [prepare] once for each builder, after the base
 * @property {(builder: any, context: string, o: any) => void} [before] before each round, not measured
 * @property {(builder: any, context: string, o: any) => { seconds: number, peakMiB: number }} round
 * @property {(builder: any, context: string, o: any) => void} [after] after each round, not measured
 */
