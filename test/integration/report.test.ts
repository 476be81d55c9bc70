/** `--timings`, `--trace` and `--report` of real builds, and the page in a real browser. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { BuildReport } from '../../src/index.ts';
import type { Trace } from '../../src/insight/trace-events.ts';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { Browser, chromium } from '../support/browser.ts';
import { firstReason } from '../support/command.ts';
import { assertEventStream } from '../support/event-schema.ts';
import { Rig } from '../support/rig.ts';

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

const DOCKERFILE = `FROM oci:BASE AS tools
RUN echo '<b>tools</b> & co' && echo made > /made && sleep 0.2
FROM oci:BASE AS app
COPY note /srv/note
RUN head -c 500000 /dev/zero > /srv/big && echo '</script><script>alert(1)</script>'
RUN rm /srv/big
COPY --from=tools /made /made
CMD ["cat", "/made"]
`;

function writeContext(rig: Rig, dockerfile = DOCKERFILE, name = 'context'): string {
  const context = rig.makeFolder(`work/${name}`);
  if (!existsSync(join(rig.folder, 'base'))) makeBusyboxBase(join(rig.folder, 'base'));
  writeFileSync(join(context, 'note'), 'one');
  writeFileSync(join(context, 'Dockerfile'), dockerfile.replaceAll('BASE', join(rig.folder, 'base')));
  rig.give(join(rig.folder, 'base'));
  rig.give(context);
  return context;
}

/** Told apart from every other sleep of the machine. */
const SECONDS = 100_000 + process.pid;

const json = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;

describe('telling of a build', { skip }, () => {
  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      let context: string;
      let out: string;

      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        context = writeContext(rig);
        out = rig.makeFolder('out');
      });
      after(() => rig?.[Symbol.asyncDispose]());

      it('writes times, a trace and reports of a build that succeeds', () => {
        const files = [`--trace=${out}/t.json`, `--report=${out}/r.json`, `--report=${out}/r.html`];
        const first = rig.must(['build', '--layers', '--timings', ...files, '-t', 'app', context]);
        assert.match(first.stderr, /where the time went: .*\n(.*\n)*\* critical path: /);

        const report = json<BuildReport>(join(out, 'r.json'));
        assert.equal(report.outcome, 'built');
        assert.equal(report.steps.length, 8);
        assert.deepEqual(
          report.steps.find(({ id }) => id === '1.5')!.needs,
          ['1.4', '0.2'],
          'COPY --from waits for the step above and for the last of the stage it reads',
        );
        const tools = report.steps.find(({ id }) => id === '0.2')!;
        assert.equal(tools.output.text, '<b>tools</b> & co\n');
        assert.equal(tools.missed, 'no earlier run of this step is known here');
        assert.ok(tools.phases.some(({ phase }) => phase === 'run'));
        assert.equal(report.images.length, 1);
        assert.equal(report.images[0]!.insight.wasted[0]!.path, 'srv/big');
        assert.equal(report.images[0]!.insight.wastedBytes, 500_000);

        const { traceEvents } = json<Trace>(join(out, 't.json'));
        const steps = traceEvents.filter(({ cat }) => cat === 'step').map(({ name: step }) => step);
        assert.ok(steps.includes('RUN rm /srv/big'));
        // Made for people: as the umask says, not as the store's own files.
        assert.equal(statSync(join(out, 'r.html')).mode & 0o777, 0o644);
        assert.deepEqual(readdirSync(out).sort(), ['r.html', 'r.json', 't.json']);
      });

      it('says why a step missed', () => {
        writeFileSync(join(context, 'note'), 'two');
        rig.run('build', '--layers', '-q', `--report=${out}/r.json`, '-t', 'app', context);
        const { steps } = json<BuildReport>(join(out, 'r.json'));
        const missed = steps.map(({ id, outcome, missed: why }) => [id, outcome, why]);
        assert.deepEqual(missed.slice(1), [
          ['0.2', 'cached', undefined],
          ['1.1', 'ran', undefined],
          ['1.2', 'ran', 'note changed'],
          ['1.3', 'ran', 'step 2 above was run again'],
          ['1.4', 'ran', 'step 3 above was run again'],
          ['1.5', 'ran', 'step 4 above was run again'],
          ['1.6', 'ran', 'step 5 above was run again'],
        ]);
      });

      it('tells of a build that fails, with the exit code of the step', () => {
        const broken = writeContext(rig, 'FROM oci:BASE\nRUN echo before; exit 7\nRUN never\n', 'broken');
        const files = [`--trace=${out}/f.json`, `--report=${out}/fr.json`, `--report=${out}/fr.html`];
        const result = rig.try(['build', '--timings', ...files, broken]);
        assert.equal(result.status, 7);
        assert.match(result.stderr, /where the time went[\s\S]*failed: RUN echo before[\s\S]*exit status 7/);
        const report = json<BuildReport>(join(out, 'fr.json'));
        assert.deepEqual([report.outcome, report.error!.code], ['failed', 'step.failed']);
        assert.deepEqual(
          report.steps.map(({ outcome }) => outcome),
          ['ran', 'failed', undefined],
        );
        assert.equal(report.steps[1]!.output.text, 'before\n');
        assert.match(readFileSync(join(out, 'fr.html'), 'utf8'), /What went wrong/);
        const failed = json<Trace>(join(out, 'f.json')).traceEvents.find(({ args }) => args?.['step'] === '0.2');
        assert.equal(failed!.args!['outcome'], 'failed');
      });

      it('gives programs the times as an event before the last', () => {
        const { stderr } = rig.must(['build', '--progress=json', '--timings', '--layers', context]);
        const types = assertEventStream(stderr).map(({ type }) => type);
        assert.deepEqual(types.slice(-2), ['timings', 'build-finished']);
        assert.doesNotMatch(stderr, /where the time went/);
      });

      it('writes what is known when it is stopped', async () => {
        const slow = writeContext(rig, `FROM oci:BASE\nRUN touch /begun\nRUN sleep ${SECONDS}\n`, 'slow');
        const child = rig.start(['build', '--layers', `--trace=${out}/s.json`, `--report=${out}/sr.json`, slow]);
        const ended = new Promise((resolve) => child.once('exit', resolve));
        // The sleep has begun when the step before it is remembered.
        for (let i = 0; i < 300 && !sleeps(); i++) await pause(100);
        process.kill(child.pid!, 'SIGINT');
        await ended;
        const report = json<BuildReport>(join(out, 'sr.json'));
        assert.equal(report.outcome, 'canceled');
        assert.deepEqual(
          report.steps.map(({ outcome }) => outcome),
          ['ran', 'ran', 'canceled'],
        );
        const steps = json<Trace>(join(out, 's.json')).traceEvents.filter(({ cat }) => cat === 'step');
        assert.deepEqual(
          steps.slice(-2).map(({ args }) => args!['outcome']),
          ['ran', 'canceled'],
        );
      });

      it('refuses what cannot be written before anything is built', () => {
        for (const [flag, why] of [
          ['--report=x.txt', /ends neither with .html nor with .json/],
          ['--report=/nowhere/r.html', /is not a directory/],
          ['--trace=/proc', /it is a directory/],
        ] as const) {
          const result = rig.try(['build', flag, context]);
          assert.equal(result.status, 125);
          assert.match(result.stderr, why);
          assert.equal(result.stdout, '');
        }
      });
    });
  }
});

function sleeps(): boolean {
  return spawnSync('pgrep', ['-f', `^sleep ${SECONDS}$`]).status === 0;
}

describe('the page in a browser', {
  skip: firstReason(skip, chromium === undefined && 'not installed: chromium'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-page-'));
  const page = join(folder, 'report.html');
  let browser: Browser;
  let report: BuildReport;

  before(async () => {
    const account = accounts()
      .map((one) => one.account)
      .find((one) => typeof one !== 'string');
    assert.ok(account !== undefined, 'somebody runs the tests');
    await using rig = await Rig.open({ account });
    const context = writeContext(rig);
    const out = rig.makeFolder('out');
    rig.run('build', '--layers', '-q', `--report=${out}/r.html`, `--report=${out}/r.json`, '-t', 'app', context);
    writeFileSync(page, readFileSync(join(out, 'r.html')));
    report = json<BuildReport>(join(out, 'r.json'));
    browser = await Browser.open();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('loads without a word on the console and asks for nothing but itself', async () => {
    const { requests, complaints } = await browser.visit(`file://${page}`);
    assert.deepEqual(requests, [`file://${page}`]);
    assert.deepEqual(complaints, []);
  });

  it('draws a node for every step, and none of the build’s own markup', async () => {
    await browser.visit(`file://${page}`);
    assert.equal(await browser.evaluate(`document.querySelectorAll('svg.graph .node').length`), report.steps.length);
    assert.equal(await browser.evaluate(`document.querySelectorAll('#steps tbody tr').length`), report.steps.length);
    assert.equal(await browser.evaluate(`document.querySelectorAll('b, img, iframe').length`), 0);
    const printed = await browser.evaluate<string>(
      `[...document.querySelectorAll('.output')].map((e) => e.textContent).join('')`,
    );
    assert.ok(printed.includes('</script><script>alert(1)</script>'));
  });

  it('is as wide as its window, narrow or wide, light or dark', async () => {
    for (const width of [360, 1280]) {
      await browser.resize(width, 800);
      for (const value of ['light', 'dark']) {
        await browser.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
        await browser.visit(`file://${page}`);
        const [inner, outer] = await browser.evaluate<[number, number]>(
          '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
        );
        assert.equal(inner, outer, `${width} ${value}`);
        assert.ok(outer > width - 30 && outer <= width);
      }
    }
    const back = 'getComputedStyle(document.body).backgroundColor';
    assert.equal(await browser.evaluate(back), 'rgb(16, 20, 26)');
  });

  it('is sorted and opened with the keyboard alone', async () => {
    await browser.visit(`file://${page}`);
    const focus = 'document.activeElement.textContent.trim()';
    const reach = async (wanted: string): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        await browser.press('Tab');
        if ((await browser.evaluate<string>(focus)) === wanted) return;
      }
      assert.fail(`${wanted} is not reached`);
    };
    const times = `[...document.querySelectorAll('#steps tbody tr')].map((row) => Number(row.cells[3].dataset.value))`;
    await reach('Time');
    await browser.press('Enter');
    const falling = await browser.evaluate<number[]>(times);
    assert.deepEqual(
      falling,
      [...falling].sort((a, b) => b - a),
    );
    await browser.press('Enter');
    const rising = await browser.evaluate<number[]>(times);
    assert.deepEqual(
      rising,
      [...rising].sort((a, b) => a - b),
    );
    assert.equal(
      await browser.evaluate(`document.querySelector('#steps [aria-sort]').getAttribute('aria-sort')`),
      'ascending',
    );
    const open = `document.querySelectorAll('#steps details[open]').length`;
    assert.equal(await browser.evaluate(open), 0);
    for (let i = 0; i < 20 && (await browser.evaluate('document.activeElement.tagName')) !== 'SUMMARY'; i++) {
      await browser.press('Tab');
    }
    await browser.press('Enter');
    assert.equal(await browser.evaluate(open), 1);
  });

  it('tells all without script', async () => {
    await browser.call('Emulation.setScriptExecutionDisabled', { value: true });
    await browser.visit(`file://${page}`, { scripts: false });
    const { root } = await browser.call<{ root: { nodeId: number } }>('DOM.getDocument', { depth: 0 });
    const { outerHTML } = await browser.call<{ outerHTML: string }>('DOM.getOuterHTML', { nodeId: root.nodeId });
    await browser.call('Emulation.setScriptExecutionDisabled', { value: false });
    assert.equal(outerHTML.match(/<tr id="step-/g)!.length, report.steps.length);
    assert.equal(outerHTML.match(/<button/g), null);
  });
});
