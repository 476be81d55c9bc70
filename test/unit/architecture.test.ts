/**
 * The shape of the source, as a test: which folder may import from which, no cycles, and folders that must stay pure.
 * Type imports count. Reads only text; takes milliseconds.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const source = resolve(dirname(fileURLToPath(import.meta.url)), '../../../src');

/** Rings from the inside out. A folder imports from its own folder and from rings further inside. */
const RINGS: readonly (readonly string[])[] = [
  ['report'],
  ['spec'],
  ['archive', 'sys'],
  ['store', 'registry', 'trust', 'rootfs', 'graph'],
  ['image', 'run', 'dockerfile', 'solver', 'insight', 'attest'],
  ['container'],
  ['build'],
  ['builder.ts', 'credentials.ts', 'host-report.ts', 'image-places.ts'],
  ['dockerfile-queries.ts'],
  ['index.ts'],
  ['cli'],
];

/** The command line sees the library as every other user does. */
const ONLY_FROM: Readonly<Record<string, readonly string[]>> = { cli: ['index.ts'], 'index.ts': [] };

/** Folders of pure functions: no files, processes or sockets. */
const PURE = ['spec', 'report', 'archive', 'graph', 'dockerfile', 'solver', 'insight'];
const IMPURE_MODULES = /^(node:)?(fs|fs\/promises|child_process|net|http|https|http2|tls|dgram|dns|worker_threads)$/;

interface Import {
  /** Path beneath src, with `/`. */
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** Path beneath src, for an import of a file of this package. */
  readonly to: string | undefined;
  /** Loaded when a function runs, not when the file is. */
  readonly isLazy: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))
  .sort();
const imports = files.flatMap(importsOf);

it('every folder has a place in the rings', () => {
  const known = new Set(RINGS.flat());
  assert.deepEqual(
    [...new Set(files.map(unitOf))].filter((unit) => !known.has(unit)),
    [],
  );
});

it('imports point inwards', () => {
  const wrong = imports
    .filter(({ to }) => to !== undefined)
    .filter(({ from, to }) => !mayImport(unitOf(from), unitOf(to ?? '')))
    .map(({ from, to }) => `${from} imports ${to}`);
  assert.deepEqual(wrong, []);
});

it('no file imports itself through others', () => {
  assert.deepEqual(cycles(), []);
});

it('pure folders import no files, processes or sockets', () => {
  const wrong = imports
    .filter(({ from, specifier }) => PURE.includes(unitOf(from)) && IMPURE_MODULES.test(specifier))
    .map(({ from, specifier }) => `${from} imports ${specifier}`);
  assert.deepEqual(wrong, []);
});

it('every relative import names a file that exists', () => {
  const existing = new Set(files);
  const wrong = imports.filter(({ to }) => to !== undefined && !existing.has(to));
  assert.deepEqual(
    wrong.map(({ from, specifier }) => `${from} imports ${specifier}`),
    [],
  );
});

it('no file is longer than 500 lines', () => {
  const long = files.filter((name) => name !== 'spec/schema-validators.ts');
  assert.deepEqual(
    long.filter((name) => readFileSync(join(source, name), 'utf8').split('\n').length > 501),
    [],
  );
});

function unitOf(file: string): string {
  return file.split('/')[0] ?? file;
}

function ringOf(unit: string): number {
  return RINGS.findIndex((ring) => ring.includes(unit));
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  const only = ONLY_FROM[from];
  if (only !== undefined && only.length > 0) return only.includes(to);
  return ringOf(to) < ringOf(from);
}

/** Static and dynamic imports, re-exports, and worker files named by URL. Comments are taken out first. */
function importsOf(from: string): Import[] {
  const text = readFileSync(join(source, from), 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '');
  const forms = [
    { isLazy: false, form: /\b(?:import|export)\b[^'"`;()]*?\bfrom\s*['"]([^'"]+)['"]/g },
    { isLazy: false, form: /^\s*import\s*['"]([^'"]+)['"]/gm },
    { isLazy: true, form: /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g },
    { isLazy: true, form: /\brequire\(\s*['"]([^'"]+)['"]\s*\)/g },
  ];
  return forms.flatMap(({ form, isLazy }) =>
    [...text.matchAll(form)].map(([, specifier = '']) => ({
      from,
      specifier,
      to: specifier.startsWith('.') ? resolved(from, specifier) : undefined,
      isLazy,
    })),
  );
}

function resolved(from: string, specifier: string): string {
  const path = relative(source, resolve(source, dirname(from), specifier));
  return posix.normalize(path.replaceAll('\\', '/'));
}

/** Each cycle once, as the files on it. What is loaded lazily may point back: the table of commands does. */
function cycles(): string[] {
  const edges = new Map<string, string[]>();
  for (const { from, to, isLazy } of imports)
    if (to !== undefined && !isLazy) edges.set(from, [...(edges.get(from) ?? []), to]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}
