/** Bundles the program and the library into dist/: one file per entry point and shared chunks, loaded lazily. */
import { existsSync, renameSync, rmSync } from 'node:fs';
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

const entries = {
  cli: 'src/cli/main.ts',
  index: 'src/index.ts',
  'diff-worker': 'src/rootfs/diff-worker.ts',
  'launch-pad-worker': 'src/run/launch-pad-worker.ts',
  'gzip-worker': 'src/archive/gzip-worker.ts',
};
// Built aside and swapped in, so that a program that runs meanwhile never sees half a bundle.
const fresh = `dist.new-${process.pid}`;
await build({
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path))),
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  chunkNames: 'chunk-[hash]',
  sourcemap: 'linked',
  minifySyntax: true,
  minifyWhitespace: true,
  // Native and wasm packages find their own files beside themselves.
  plugins: [parserOnly],
  external: ['koffi', '@bokuweb/zstd-wasm'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
const old = `dist.old-${process.pid}`;
if (existsSync('dist')) renameSync('dist', old);
renameSync(fresh, 'dist');
rmSync(old, { recursive: true, force: true });
