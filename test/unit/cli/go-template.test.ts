import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTemplate } from '../../../src/cli/output/go-template.ts';
import { fromJson, goDuration, shaped } from '../../../src/cli/output/go-value.ts';
import { INSPECT_SHAPE } from '../../../src/cli/output/inspect-shape.ts';

const DATA = {
  Name: 'app',
  Count: 3,
  On: true,
  Off: false,
  Empty: '',
  None: null,
  List: ['a', 'b'],
  Nested: { b: { c: [1, 2] }, a: 'x' },
  Labels: { 'io.x': '1', a: 'z' },
};

/** Template and what Go prints; checked against Go's text/template where Buildah could be asked. */
const TABLE: readonly [string, string][] = [
  ['plain', 'plain'],
  ['{{.Name}}', 'app'],
  ['{{ .Name }}:{{.Count}}', 'app:3'],
  [
    '{{.}}',
    'map[Count:3 Empty: Labels:map[a:z io.x:1] List:[a b] Name:app Nested:map[a:x b:map[c:[1 2]]] None:<nil> Off:false On:true]',
  ],
  ['{{.List}} {{.Nested}} {{.On}}', '[a b] map[a:x b:map[c:[1 2]]] true'],
  ['{{.Nested.b.c}}', '[1 2]'],
  ['{{.Missing}}', '<no value>'],
  ['{{.None}}', '<no value>'],
  ['{{index .List 1}}', 'b'],
  ['{{index .Labels "io.x"}}', '1'],
  ['{{index .Nested "b" "c" 0}}', '1'],
  ['{{(index .Nested "b").c}}', '[1 2]'],
  ['{{len .List}} {{len .Name}} {{len .Labels}}', '2 3 2'],
  ['{{slice .Name 1 2}}', 'p'],
  ['{{printf "%s-%d %v %q" .Name .Count .List .List}}', 'app-3 [a b] ["a" "b"]'],
  ['{{printf "%5s|%-5s|%05d|%x" "a" "b" 42 255}}', '    a|b    |00042|ff'],
  ['{{printf "%d" "x"}} {{printf "%s"}}', '%!d(string=x) %!s(MISSING)'],
  ['{{.Name | printf "%s!"}}', 'app!'],
  ['{{"quoted \\"x\\"\\n"}}', 'quoted "x"\n'],
  ['{{`raw \\n`}}', 'raw \\n'],
  ['{{json .Nested}}', '{"a":"x","b":{"c":[1,2]}}'],
  ['{{json .List}}{{json .None}}', '["a","b"]null'],
  ['{{json "<a>"}}', '"<a>"'],
  ['{{range .List}}<{{.}}>{{end}}', '<a><b>'],
  ['{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}', '0=a 1=b '],
  ['{{range $e := .List}}{{$e}}{{$.Name}} {{end}}', 'aapp bapp '],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=z;io.x=1;'],
  ['{{range .Empty2}}x{{else}}none{{end}}', 'none'],
  ['{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', 'a'],
  ['{{range .List}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{end}}', 'b'],
  ['{{if .On}}yes{{else}}no{{end}}{{if .Off}}yes{{else}}no{{end}}', 'yesno'],
  ['{{if .Empty}}a{{else if .List}}b{{else}}c{{end}}', 'b'],
  ['{{with .Nested}}{{.a}}{{end}}{{with .Empty}}x{{else}}y{{end}}', 'xy'],
  ['{{if eq .Name "x" "app"}}in{{end}}{{if ne .Count 3}}{{else}}three{{end}}', 'inthree'],
  ['{{if and .On .Off}}a{{else}}b{{end}}{{if or .Off .On}}c{{end}}{{not .On}}', 'bcfalse'],
  ['{{and .On .Name}} {{or .Empty .Name}}', 'app app'],
  ['{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge "b" "a"}}', 'true true false true'],
  ['{{$x := .Name}}{{$x}}{{$x = "y"}}{{$x}}', 'appy'],
  ['a {{- .Name -}} b', 'aappb'],
  ['a\n{{- /* note */ -}}\nb', 'ab'],
  ['{{/* note */}}x', 'x'],
  ['{{print 1 2 "a" "b" 3}}', '1 2ab3'],
  ['{{println .Name}}', 'app\n'],
  ['{{html "<a & \'b\'>"}}', '&lt;a &amp; &#39;b&#39;&gt;'],
  ['{{join .List ","}} {{upper .Name}} {{lower "AB"}} {{index (split "a,b" ",") 1}}', 'a,b APP ab b'],
  ['{{"}}"}}', '}}'],
  ['{{ 1 }}{{ -2 }}{{ 0x10 }}', '1-216'],
  ['{{.List | len | printf "%d"}}', '2'],
];

const ERRORS: readonly [string, RegExp][] = [
  ['{{.Name', /Template parsing error: template: format:1: unclosed action$/],
  ['a\n{{nosuch 1}}', /Template parsing error: template: format:2: function "nosuch" not defined$/],
  ['{{if .On}}x', /unexpected EOF/],
  ['{{end}}', /unexpected \{\{end\}\}/],
  ['{{}}', /missing value for command/],
  ['{{.Name |}}', /missing command/],
  ['{{(.Name}}', /unclosed left paren/],
  ['{{.Name.x}}', /format:1:7: executing "format" at <\.Name\.x>: can't evaluate field x in type string/],
  ['{{index .List 5}}', /error calling index: index out of range: 5/],
  ['{{$y}}', /undefined variable "\$y"/],
  ['{{template "x"}}', /not supported/],
  ['{{len 3}}', /error calling len/],
];

describe('Go templates', () => {
  for (const [source, expected] of TABLE) {
    it(`renders ${JSON.stringify(source)}`, () => {
      assert.equal(compileTemplate('format', source).render(fromJson(DATA)), expected);
    });
  }
  for (const [source, message] of ERRORS) {
    it(`refuses ${JSON.stringify(source)}`, () => {
      assert.throws(() => compileTemplate('format', source).render(fromJson(DATA)), message);
    });
  }
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
  ['{{.Docker.Config.Healthcheck}}', '&{[CMD x] 0s 0s 30s 0s 0}'],
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
