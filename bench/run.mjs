/**
 * Measures Slipway against Buildah, pair by pair in one run: `sudo node bench/run.mjs [--case NAME]… [--rounds N]
 * [--mode rootful|rootless]… [--minutes M] [--json FILE] [--list]`. Needs root, buildah, busybox-static and GNU time.
 *
 * All stores lie on an ext4 with a journal in a file of its own: on a journal-less disk, making files soon after many
 * were deleted is ten times slower, and every round deletes many.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Builder, settle } from './builder.mjs';
import { baseContext, cases, makeBase } from './cases.mjs';
import { median } from './measure.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const IMAGE_SIZE = '24G';

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    mode: { type: 'string', multiple: true },
    minutes: { type: 'string', default: '45' },
    json: { type: 'string' },
    slipway: { type: 'string', default: resolve(here, '../bin/slipway') },
    list: { type: 'boolean', default: false },
  },
});

if (options.list) {
  for (const { name, title, aim } of cases) console.log(`${name.padEnd(18)} ${title} (aim ${aim})`);
  process.exit(0);
}
if (process.getuid?.() !== 0) fail('the bench mounts a file system of its own: run it as root');
if (process.env['SLIPWAY_BENCH_INSIDE'] === undefined) {
  // A mount namespace of its own: whatever happens, no mount outlives the bench.
  const argv = ['--mount', '--propagation', 'private', process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, SLIPWAY_BENCH_INSIDE: '1' };
  process.exit(spawnSync('unshare', argv, { stdio: 'inherit', env }).status ?? 1);
}

const unknown = (options.case ?? []).filter((name) => !cases.some((known) => known.name === name));
if (unknown.length > 0) fail(`no such case: ${unknown.join(', ')} (--list shows all)`);
const chosen = cases.filter(({ name }) => options.case === undefined || options.case.includes(name));
const modes = options.mode ?? ['rootful', 'rootless'];
const rounds = Number(options.rounds);
const endsAt = Date.now() + Number(options.minutes) * 60_000;

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-disk-'));
const disk = join(folder, 'disk');
let registry;
const results = [];
try {
  execFileSync('truncate', ['-s', IMAGE_SIZE, `${disk}.img`]);
  execFileSync('mkfs.ext4', [
    '-q',
    '-F',
    '-O',
    'has_journal',
    '-E',
    'lazy_itable_init=0',
    '-N',
    '4000000',
    `${disk}.img`,
  ]);
  mkdirSync(disk);
  execFileSync('mount', ['-o', 'loop,noatime', `${disk}.img`, disk]);
  chmodSync(folder, 0o755);
  chmodSync(disk, 0o755);
  if (chosen.some(({ needsRegistry }) => needsRegistry)) registry = await startRegistry(join(disk, 'registry'));
  for (const one of chosen) {
    for (const mode of modes) {
      if (Date.now() > endsAt) {
        console.error(`${one.name} ${mode}: left out, ${options.minutes} minutes are over`);
        continue;
      }
      results.push(runCase(one, mode));
      print(results.at(-1));
    }
  }
} finally {
  registry?.child.kill('SIGKILL');
  spawnSync('umount', ['-l', disk]);
  rmSync(folder, { recursive: true, force: true });
}
report();

function runCase(one, mode) {
  const contexts = join(disk, 'contexts');
  const context = contextOf(one.shares === undefined ? one : cases.find(({ name }) => name === one.shares), contexts);
  const base = contextOf({ name: 'base', context: baseContext }, contexts);
  const builders = ['slipway', 'buildah'].map((name) => {
    const program = name === 'slipway' ? options.slipway : 'buildah';
    const builder = new Builder({ name, program, mode, folder: join(disk, `${name}-${mode}`), user: testUser() });
    builder.remakeBase = () => makeBase(builder, base);
    builder.remakeBase();
    return builder;
  });
  const measured = { slipway: [], buildah: [] };
  for (const builder of builders) one.prepare?.(builder, context, { registry: registry?.host });
  for (let round = 0; round < rounds; round++) {
    // Taking turns in going first.
    for (const builder of round % 2 === 0 ? builders : [...builders].reverse()) {
      const o = { registry: registry?.host, round };
      one.before?.(builder, context, o);
      settle();
      const { seconds, peakMiB } = one.round(builder, context, o);
      measured[builder.name].push({ seconds, peakMiB });
      one.after?.(builder, context, o);
    }
  }
  for (const builder of builders) builder.reset();
  return { name: one.name, title: one.title, aim: one.aim, mode, measured, ...summary(measured) };
}

function summary(measured) {
  const of = (name, key) => median(measured[name].map((one) => one[key]));
  const slipway = of('slipway', 'seconds');
  const buildah = of('buildah', 'seconds');
  const memory = { slipwayMiB: of('slipway', 'peakMiB'), buildahMiB: of('buildah', 'peakMiB') };
  return { slipway, buildah, ratio: slipway / buildah, ...memory };
}

function contextOf(one, contexts) {
  const path = join(contexts, one.name);
  if (spawnSync('test', ['-d', path]).status === 0) return path;
  mkdirSync(path, { recursive: true });
  one.context?.(path);
  execFileSync('chmod', ['-R', 'a+rX', contexts]);
  return path;
}

/** The ordinary user of the tests, made when there is none. */
function testUser() {
  const name = 'slipway-test';
  if (spawnSync('id', [name]).status !== 0) execFileSync('useradd', ['--create-home', '--shell', '/bin/sh', name]);
  const id = (flag) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  if (!new RegExp(`^${name}:`, 'm').test(readFileSync('/etc/subuid', 'utf8')))
    fail(`${name} has no range in /etc/subuid`);
  return { name, uid: id('-u'), gid: id('-g') };
}

async function startRegistry(data) {
  mkdirSync(data);
  const port = await new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
  const config = join(data, 'config.yml');
  const lines = ['version: 0.1', 'log: { level: error }', `storage: { filesystem: { rootdirectory: ${data} } }`];
  writeFileSync(config, [...lines, `http: { addr: "127.0.0.1:${port}" }`, ''].join('\n'));
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  await new Promise((done) => setTimeout(done, 1000));
  if (child.exitCode !== null) fail('docker-registry does not start');
  return { child, host: `127.0.0.1:${port}` };
}

function print(result) {
  const seconds = (value) => value.toFixed(2).padStart(8);
  const memory = `${result.slipwayMiB.toFixed(0)}/${result.buildahMiB.toFixed(0)} MiB`.padStart(14);
  const verdict = result.ratio <= result.aim ? 'reached' : 'missed';
  if (results.length === 1) console.log(`${'case'.padEnd(44)}mode      slipway  buildah   ratio    aim           peak`);
  const ratio = result.ratio.toFixed(2).padStart(8);
  console.log(
    `${result.title.padEnd(44)}${result.mode}${seconds(result.slipway)}${seconds(result.buildah)}${ratio}${String(result.aim).padStart(7)} ${memory}  ${verdict}`,
  );
}

function report() {
  const version = (program) => execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, kernel: release(), node: process.version };
  const versions = { slipway: version(options.slipway), buildah: version('buildah') };
  const document = { at: new Date().toISOString(), machine, versions, rounds, results };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(document, null, 2)}\n`);
}

function fail(text) {
  console.error(text);
  process.exit(1);
}
