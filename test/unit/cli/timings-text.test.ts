import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { styleFor } from '../../../src/cli/output/style.ts';
import { displayWidth } from '../../../src/cli/output/text-width.ts';
import { timingsText } from '../../../src/cli/output/timings-text.ts';
import { measureBuild } from '../../../src/insight/measure-build.ts';
import type { BuildTimings } from '../../../src/report/build-timings.ts';
import { sampleRecording } from '../insight/sample-build.ts';
import { slipway } from './fake-program.ts';

const style = styleFor({ isTty: false }, { LANG: 'C.UTF-8' }, 'never');
const ascii = styleFor({ isTty: false }, {}, 'never');
const timings: BuildTimings = {
  ...measureBuild(sampleRecording()),
  phases: [{ phase: 'commit', durationMs: 12 }],
};

describe('timings', () => {
  it('tells the longest first, with bars, phases and the critical path', () => {
    assert.equal(
      timingsText(timings, { width: 72, style }),
      [
        'where the time went: 3.0s · 1.4 steps at once · 1 step cached',
        '    1.9s  ██████████████████ * [app 3/5] RUN npm ci',
        '                               run 1.3s, mount 90ms',
        '    1.0s  █████████            [tools 2/2] RUN make tools',
        '   400ms  ████                 [tools 1/2] FROM base AS tools',
        '   100ms  █                  * [app 2/5] cached: COPY . .',
        '   100ms  █                  * [app 4/5] failed: COPY --from=tools /t /t',
        '    12ms  █                    commit',
        '* critical path: 2.1s',
        '',
      ].join('\n'),
    );
  });

  it('stays within any width, and within ASCII where the locale asks for it', () => {
    for (const width of [40, 60, 80, 200]) {
      for (const line of timingsText(timings, { width, style }).split('\n')) {
        assert.ok(displayWidth(line) <= width, `${width}: ${line}`);
      }
    }
    assert.match(timingsText(timings, { width: 80, style: ascii }), /^[\n -~]*$/);
  });

  it('sums up what does not fit', () => {
    const [step] = timings.steps;
    const steps = Array.from({ length: 30 }, (_, i) => ({ ...step!, id: `0.${i}`, durationMs: 1000 - i }));
    assert.match(timingsText({ ...timings, steps }, { width: 80, style }), /\n {4}9\.8s {2}11 more\n/);
  });

  it('come after the display, before the error, and as an event for programs', async () => {
    const verbs = {
      build: (emit: (event: never) => void) => {
        emit({ type: 'timings', timings } as never);
        throw new Error('boom');
      },
    };
    const plain = await slipway(['build', '--timings', '.'], { verbs });
    assert.match(plain.stderr, /where the time went[\s\S]*critical path[\s\S]*boom/);
    assert.equal(plain.stdout, '');
    assert.equal((plain.calls[0]!.args[0] as { timings: boolean }).timings, true);
    const json = await slipway(['build', '--timings', '--progress=json', '.'], { verbs });
    const lines = json.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ type }) => type),
      ['timings', 'error'],
    );
    assert.equal(lines[0].timings.criticalPathMs, 2100);
  });
});
