import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { compileTemplate } from '../../../src/cli/output/go-template.ts';
import { goDuration } from '../../../src/cli/output/go-time.ts';
import { fromJson, shaped } from '../../../src/cli/output/go-value.ts';
import { INSPECT_SHAPE } from '../../../src/cli/output/inspect-shape.ts';
import type { UsageError } from '../../../src/cli/usage-error.ts';

interface Vectors {
  readonly value: unknown;
  /** Template, what it prints, and the error when it prints nothing. */
  readonly vectors: readonly (readonly [string, string | null, string?])[];
}

const CORPUS = JSON.parse(readFileSync('test/corpus/go-templates.json', 'utf8')) as Record<
  'untyped' | 'inspection',
  Vectors
>;

/** The kind of templates `inspect` is given, against a value whose types are known, and all others. */
const VALUES = {
  untyped: fromJson(CORPUS.untyped.value),
  inspection: shaped(INSPECT_SHAPE, CORPUS.inspection.value),
};

describe('Go templates', () => {
  for (const kind of ['untyped', 'inspection'] as const) {
    for (const [source, expected, error] of CORPUS[kind].vectors) {
      it(`${error === undefined ? 'renders' : 'refuses'} ${JSON.stringify(source)}`, () => {
        const render = () => compileTemplate('format', source).render(VALUES[kind]);
        if (error === undefined) assert.equal(render(), expected);
        else assert.throws(render, { message: error });
      });
    }
  }
  it('chains `else with`, as Go does since 1.23', () => {
    const source = '{{with .Empty}}a{{else with .Name}}{{.}}{{else}}c{{end}}';
    assert.equal(compileTemplate('format', source).render(VALUES.untyped), 'app');
  });
  it('stops a template that calls itself', () => {
    const source = '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}';
    assert.throws(() => compileTemplate('format', source).render(VALUES.untyped), /exceeded maximum template depth/);
  });
  it('suggests the field that was meant', () => {
    const render = () => compileTemplate('format', '{{.OCIv1.Confg}}').render(VALUES.inspection);
    assert.throws(render, (error: UsageError) => error.near?.candidates.includes('Config') === true);
  });
});

const INSPECTION = {
  FromImage: 'localhost/bb:latest',
  OCIv1: {
    created: '2026-11-21T08:05:24.472182594Z',
    architecture: 'amd64',
    os: 'linux',
    config: {
      ExposedPorts: { '80/tcp': {} },
      Env: ['PATH=/bin'],
      Cmd: ['/bin/sh'],
      Labels: { 'io.buildah.version': '1.28.2' },
    },
    rootfs: { type: 'layers', diff_ids: ['sha256:75'] },
    history: [{ created: '2026-11-21T08:05:24.32890827Z', created_by: 'COPY', empty_layer: true }],
  },
  Docker: { config: { Cmd: ['/bin/sh'], Healthcheck: { Test: ['CMD', 'x'], Interval: 30e9 } } },
};

/** What buildah 1.28.2 printed for an image of this content. */
const INSPECTED: readonly [string, string][] = [
  [
    '{{.OCIv1}}',
    '{2026-11-21 08:05:24.472182594 +0000 UTC  amd64  linux  [] { map[80/tcp:{}] [PATH=/bin] [] [/bin/sh] map[]  map[io.buildah.version:1.28.2]  false} {layers [sha256:75]} [{2026-11-21 08:05:24.32890827 +0000 UTC COPY   true}]}',
  ],
  ['{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Volumes}}', '[] map[]'],
  ['{{.OCIv1.Created}}', '2026-11-21 08:05:24.472182594 +0000 UTC'],
  ['{{.OCIv1.RootFS.DiffIDs}} {{len .OCIv1.History}}', '[sha256:75] 1'],
  ['{{printf "%q" .OCIv1.Config.Cmd}}', '["/bin/sh"]'],
  ['{{index .OCIv1.Config.Labels "io.buildah.version"}}', '1.28.2'],
  ['{{.Docker.Config.Cmd}} {{.Docker.Config.Healthcheck.Interval}}', '[/bin/sh] 30s'],
  ['{{.Docker.Config.Healthcheck}}', '{[CMD x] 0s 0s 30s 0s 0}'],
  ['{{.OCIv1.Author}}x{{.Container}}', 'x'],
  ['{{json .OCIv1.Config.Cmd}}', '["/bin/sh"]'],
  ['{{.OCIv1.Config.ExposedPorts}}', 'map[80/tcp:{}]'],
  ['{{.IDMappingOptions}}', '{false false [] [] false {0 0   [] []}}'],
];

describe('inspect templates', () => {
  for (const [source, expected] of INSPECTED) {
    it(`renders ${source}`, () => {
      assert.equal(compileTemplate('format', source).render(shaped(INSPECT_SHAPE, INSPECTION)), expected);
    });
  }
  it('names the Go type of a field that does not exist', () => {
    assert.throws(
      () => compileTemplate('format', '{{.OCIv1.Os}}').render(shaped(INSPECT_SHAPE, INSPECTION)),
      /template: format:1:8: executing "format" at <\.OCIv1\.Os>: can't evaluate field Os in type v1\.Image/,
    );
  });
  it('prints a missing health check as nil', () => {
    const value = shaped(INSPECT_SHAPE, { Docker: { config: {} } });
    assert.equal(compileTemplate('format', '{{.Docker.Config.Healthcheck}}').render(value), '<nil>');
  });
});

it('durations print as in Go', () => {
  const texts = [0, 15, 1500, 2_500_000, 1e9, 90e9, 3.6e12, 5.4e12].map((ns) => goDuration(ns).printed);
  assert.deepEqual(texts, ['0s', '15ns', '1.5µs', '2.5ms', '1s', '1m30s', '1h0m0s', '1h30m0s']);
});
