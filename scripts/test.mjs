/**
 * Compiles and runs the tests. `node scripts/test.mjs [unit|integration] [file-substring…]`; without arguments, all.
 * Integration tests need real tools; each says which one is missing and counts as skipped then.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const [first, ...rest] = process.argv.slice(2);
const tier = first === 'unit' || first === 'integration' ? first : undefined;
const wanted = tier === undefined && first !== undefined ? [first, ...rest] : rest;

// Every node would read these certificates when it starts, which takes longer than most tests; none is needed.
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
const run = (command, args) => spawnSync(command, args, { stdio: 'inherit', env }).status ?? 1;

const compiled = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
if (compiled !== 0) process.exit(compiled);
const bundled = run(process.execPath, ['scripts/bundle.mjs']);
if (bundled !== 0) process.exit(bundled);

const files = readdirSync('build/test', { recursive: true })
  .map((name) => `build/test/${name}`)
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => tier === undefined || name.includes(`/${tier}/`))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
const concurrency = Math.min(3, availableParallelism() + 1);
process.exit(
  run(process.execPath, [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-reporter=spec',
    ...files,
  ]),
);
