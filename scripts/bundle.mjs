/**
 * Bundles the program and the library into dist/. The program is one CommonJS file, whose parts are still initialised
 * only when something imports them, with V8's code cache beside it: loading 120 small modules would take longer than
 * most commands.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Of yargs the program uses the parser; its terminal layout and translations, whose loading takes half of a short
 * command's time, are left out where nothing refers to them.
 */
const parserOnly = {
  name: 'yargs-parser-only',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /platform-shims|apply-extends|hide-bin/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'again') return undefined;
      return { ...(await resolve(path, { ...from, pluginData: 'again' })), sideEffects: false };
    });
  },
};

// Built aside and swapped in, so that a program that runs meanwhile never sees half a bundle.
const fresh = join(process.cwd(), `dist.new-${process.pid}`);
const common = {
  outdir: fresh,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  minify: true,
  plugins: [parserOnly],
  // Native and wasm packages find their own files beside themselves; openpgp is larger than half the program and hardly
  // ever needed.
  external: ['koffi', '@bokuweb/zstd-wasm', 'openpgp'],
  legalComments: 'external',
  logLevel: 'warning',
};
const required =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

await Promise.all([
  build({
    ...common,
    entryPoints: { program: 'src/cli/main.ts' },
    format: 'cjs',
    // Template literals keep characters beyond ASCII, which the start script relies on not meeting; and what it compiles
    // cannot import() packages that stay outside the bundle, only require() them.
    supported: { 'template-literal': false, 'dynamic-import': false },
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': '__file_url' },
    banner: { js: "const __file_url = require('node:url').pathToFileURL(__filename).href;" },
  }),
  build({
    ...common,
    entryPoints: {
      index: 'src/index.ts',
      'diff-worker': 'src/rootfs/diff-worker.ts',
      'launch-pad-worker': 'src/run/launch-pad-worker.ts',
    },
    format: 'esm',
    banner: { js: required },
  }),
]);
if (/[^\x00-\x7f]/.test(readFileSync(join(fresh, 'program.cjs'), 'utf8'))) {
  throw new Error(
    'the program holds characters beyond ASCII: write them as escapes, scripts/start.cjs reads it as one-byte text',
  );
}
copyFileSync('scripts/start.cjs', join(fresh, 'slipway.cjs'));
makeCodeCache();

const old = `dist.old-${process.pid}`;
if (existsSync('dist')) renameSync('dist', old);
renameSync(fresh, 'dist');
rmSync(old, { recursive: true, force: true });

/**
 * Runs a small build and keeps what V8 compiled for it. Where no user namespace can be entered, listing images has to
 * do. Without the cache everything works, slower.
 */
function makeCodeCache() {
  const place = mkdtempSync(join(tmpdir(), 'slipway-cache-'));
  mkdirSync(join(place, 'context'));
  writeFileSync(join(place, 'context', 'Dockerfile'), 'FROM scratch\nENV A=b\nCOPY Dockerfile /d/\nCMD ["/d"]\n');
  const store = ['--storage-driver', 'vfs', '--root', join(place, 'r'), '--runroot', join(place, 'rr')];
  const script = join(fresh, 'slipway.cjs');
  const env = { ...process.env, SLIPWAY_WRITE_CODE_CACHE: '1', SLIPWAY_NODE: process.execPath, SLIPWAY_SCRIPT: script };
  const build = spawnSync('bin/slipway', [...store, 'build', '--layers', '-q', join(place, 'context')], {
    stdio: 'ignore',
    env,
  });
  if (build.status !== 0)
    spawnSync(process.execPath, ['--no-warnings', script, ...store, 'images'], { stdio: 'ignore', env });
  rmSync(place, { recursive: true, force: true });
}
