import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { type BuildReport, type ReportImage, reportOf } from '../../../src/insight/build-report.ts';
import { escapeText, html } from '../../../src/insight/page/html.ts';
import { reportPage } from '../../../src/insight/page/report-page.ts';
import { bytesText, percentText, timeText } from '../../../src/insight/page/units.ts';
import type { DiffId } from '../../../src/spec/digest.ts';
import { lineSpan, SOURCE, sampleRecording } from './sample-build.ts';

const layer = {
  index: 0,
  diffId: `sha256:${'d'.repeat(64)}` as DiffId,
  digest: `sha256:${'d'.repeat(64)}` as DiffId,
  sizeBytes: 2_000_000,
  createdBy: 'RUN make',
  contentBytes: 1_500_000,
  entries: 3,
  added: 3,
  changed: 0,
  removed: 0,
  wastedBytes: 500_000,
  largest: [{ path: 'bin/tool', bytes: 1_000_000 }],
};

const IMAGE: ReportImage = {
  id: 'a'.repeat(64),
  digest: `sha256:${'b'.repeat(64)}`,
  names: ['localhost/app:latest'],
  platform: 'linux/amd64',
  sizeBytes: 2_000_000,
  config: { Cmd: ['app'], Env: ['A=b'] },
  insight: {
    id: 'a'.repeat(64),
    names: [],
    layers: [layer],
    contentBytes: 1_500_000,
    wastedBytes: 500_000,
    efficiency: 2 / 3,
    wasted: [{ path: 'tmp/x', bytes: 500_000, layer: 0, hiddenBy: 1, how: 'removed' }],
  },
};

const failed = reportOf(sampleRecording(), {
  program: 'slipway 0.0.0',
  title: 'app',
  outcome: 'failed',
  error: { code: 'copy.source-missing', message: 'no /t', hint: 'look again', span: lineSpan(6) },
  images: [IMAGE],
});

/** Every text a build can put into a report, hostile. */
const HOSTILE = `</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&amp;--><!--]]>\u202e\u0000\u001b[31m`;

function hostileReport(): BuildReport {
  const swap = (value: unknown): unknown => {
    if (typeof value === 'string') return HOSTILE;
    if (Array.isArray(value)) return value.map(swap);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, swap(member)]));
  };
  const report = swap(failed) as BuildReport;
  return {
    ...report,
    outcome: 'failed',
    sources: [{ name: HOSTILE, text: `${HOSTILE}\n`.repeat(9) }],
    steps: report.steps.map((step, i) => ({ ...step, outcome: failed.steps[i]!.outcome })),
  };
}

describe('the report as a value', () => {
  it('has places in the source and times from the beginning', () => {
    assert.deepEqual(failed.sources, [SOURCE]);
    const step = failed.steps.find(({ id }) => id === '1.3')!;
    assert.deepEqual(step.place, { source: 0, start: { line: 5, column: 1 }, end: { line: 5, column: 11 } });
    assert.equal(step.startMs, 600);
    assert.equal(step.output.text, '100%\n');
    assert.equal(failed.steps.find(({ id }) => id === '0.2')!.missed, 'command changed');
    assert.deepEqual(failed.error!.place!.start, { line: 6, column: 1 });
    assert.deepEqual(failed.warnings, [{ severity: 'warning', text: 'something smells', code: 'Smell' }]);
    assert.equal('startMs' in failed.steps.at(-1)!, false);
  });
});

describe('the report as a page', () => {
  const page = reportPage(failed);

  it('lets in nothing but its own style and script', () => {
    const hashOf = (tag: string): string => {
      const [, text] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)!;
      return `'sha256-${createHash('sha256').update(text!).digest('base64')}'`;
    };
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll('&#39;', "'");
    assert.equal(
      policy,
      `default-src 'none'; style-src ${hashOf('style')}; script-src ${hashOf('script')}; base-uri 'none'; form-action 'none'`,
    );
    assert.doesNotMatch(page, /\b(src|action|srcset|style|on[a-z]+)=/);
    assert.doesNotMatch(page, /https?:\/\/|@import|url\(/);
    for (const [, href] of page.matchAll(/href="([^"]*)"/g)) assert.match(href!, /^#step-[\w.-]+$/);
  });

  it('shows every step in the graph and in the table, with a word beside each colour', () => {
    assert.equal(page.match(/<a class="node /g)!.length, failed.steps.length);
    for (const { id } of failed.steps) assert.ok(page.includes(`<tr id="step-${id}">`));
    for (const word of ['ran', 'cached', 'failed', 'not run', 'critical path', 'ready']) assert.ok(page.includes(word));
    assert.ok(page.includes('Not cached: command changed.'));
  });

  it('shows the error with its frame, warnings, layers and what is wasted', () => {
    assert.match(page, /no \/t[\s\S]*<mark>COPY --from=tools \/t \/t<\/mark>[\s\S]*look again/);
    assert.match(page, /something smells/);
    assert.match(page, /efficiency\s+<strong>66\.6 %<\/strong>/);
    assert.match(page, /500\.0 kB[\s\S]*\/tmp\/x[\s\S]*removed in\s+layer 1/);
  });

  it('escapes whatever a build can say, and only once', () => {
    const hostile = reportPage(hostileReport());
    const tags = (text: string): string[] => [...text.matchAll(/<\/?([a-z][\w-]*)/g)].map(([, name]) => name!);
    const allowed = new Set(tags(page));
    for (const tag of tags(hostile)) assert.ok(allowed.has(tag), tag);
    assert.equal(hostile.match(/<script>/g)!.length, 1);
    assert.equal(hostile.match(/<img/g), null);
    assert.doesNotMatch(hostile, /[\u0000\u001b\u202e]/);
    assert.ok(hostile.includes('&lt;/script&gt;&lt;script&gt;alert(1)'));
    assert.ok(hostile.includes('&amp;amp;'));
  });

  it('is made of nothing, too', () => {
    const empty = reportOf(
      { ...sampleRecording(0), stages: [], steps: [], phases: [] },
      {
        program: 'slipway',
        title: '.',
        outcome: 'canceled',
        error: { message: 'stopped' },
        images: [],
      },
    );
    assert.match(reportPage(empty), /ended before its steps were known/);
  });
});

describe('html', () => {
  it('escapes parts, joins lists, leaves nothing out of nothing', () => {
    const inner = html`<b>${'<'}</b>`;
    assert.equal(html`${inner}${[inner, '"']}${undefined}${false}${0}`.text, '<b>&lt;</b><b>&lt;</b>&quot;0');
    assert.equal(escapeText('a\ud800b\tc\n\u{1f600}'), 'a\ufffdb\tc\n\u{1f600}');
  });
});

describe('figures', () => {
  it('have a unit that fits', () => {
    assert.deepEqual([0, 999, 1000, 999_949, 999_950, 2e15].map(bytesText), [
      '0 B',
      '999 B',
      '1.0 kB',
      '999.9 kB',
      '1.0 MB',
      '2000.0 TB',
    ]);
    assert.deepEqual([0.4, 999, 1000, 59_949, 60_000, 3_599_999].map(timeText), [
      '0 ms',
      '999 ms',
      '1.0 s',
      '59.9 s',
      '1 min 00 s',
      '60 min 00 s',
    ]);
    assert.deepEqual([1, 0.9999, 0].map(percentText), ['100.0 %', '99.9 %', '0.0 %']);
  });
});
