/**
 * Bundles the program and the library into dist/. The program is one CommonJS file, whose parts are still initialised
 * only when something imports them, with V8's code cache beside it: loading 120 small modules would take longer than
 * most commands.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
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
const fresh = `dist.new-${process.pid}`;
const common = {
  outdir: fresh,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  minify: true,
  plugins: [parserOnly],
  // Native and wasm packages find their own files beside themselves.
  external: ['koffi', '@bokuweb/zstd-wasm'],
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
    // Template literals keep characters beyond ASCII, which the start script relies on not meeting.
    supported: { 'template-literal': false },
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

/** Runs a command that loads the engine and keeps what V8 compiled. Without the cache everything works, slower. */
function makeCodeCache() {
  const root = mkdtempSync(join(tmpdir(), 'slipway-cache-'));
  const options = ['--storage-driver', 'vfs', '--root', join(root, 'r'), '--runroot', join(root, 'rr')];
  spawnSync(process.execPath, ['--no-warnings', join(fresh, 'slipway.cjs'), ...options, 'images'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SLIPWAY_WRITE_CODE_CACHE: '1' },
  });
  rmSync(root, { recursive: true, force: true });
}
