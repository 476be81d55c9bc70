import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { TextOutput } from '../../../src/cli/output/output.ts';
import { PlainReporter } from '../../../src/cli/output/plain-reporter.ts';
import { logName, SplitReporter } from '../../../src/cli/output/split-reporter.ts';
import { styleFor } from '../../../src/cli/output/style.ts';
import type { BuildEvent } from '../../../src/report/event.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-split-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** The texts of the main log and of the files, after all events. */
function logsOf(name: string, events: readonly BuildEvent[], platforms: readonly string[]) {
  const main = new TextOutput();
  const reporterTo = (output: import('../../../src/cli/output/output.ts').Output) =>
    new PlainReporter({
      stdout: output,
      stderr: output,
      style: styleFor(output, {}, 'never'),
      env: {},
      now: () => 0,
      logLevel: 'warn',
      hidesIds: false,
      quiet: false,
    });
  const path = join(work, name);
  const reporter = new SplitReporter(reporterTo(main), path, reporterTo);
  for (const event of events) reporter.emit(event);
  reporter.finish();
  const files = platforms.map((platform) => readFileSync(logName(path, platform, platforms), 'utf8'));
  return { main: main.text, files };
}

const line = (step: string, text: string): BuildEvent => ({ type: 'step-line', step, text });
const output = (step: string, text: string): BuildEvent => ({
  type: 'step-output',
  step,
  stream: 'stdout',
  data: Buffer.from(text),
});

describe('a log for each platform', () => {
  it('has what belongs to the platform, the main log the rest', () => {
    const platforms = ['linux/amd64', 'linux/arm64'];
    const stages = platforms.map((platform) => ({ id: `${platform} 0`, name: `${platform} stage-0`, steps: 2 }));
    const end = (platform: string): BuildEvent => ({
      type: 'stage-finished',
      stage: `${platform} 0`,
      outcome: 'built',
      at: 1,
    });
    const { main, files } = logsOf(
      'two',
      [
        { type: 'note', text: 'before' },
        { type: 'build-started', at: 0, platform: platforms.join(), stages },
        line('linux/arm64 0.1', '[linux/arm64] STEP 1/2: FROM a'),
        line('linux/amd64 0.1', '[linux/amd64] STEP 1/2: FROM a'),
        output('linux/arm64 0.2', 'arm\n'),
        { type: 'warning', text: 'careful', stage: 'linux/amd64 0' },
        end('linux/arm64'),
        end('linux/amd64'),
        line('commit', '[linux/amd64] --> 0123456789ab'),
        line('commit', 'Successfully tagged x'),
      ],
      platforms,
    );
    assert.equal(files[0], '[linux/amd64] STEP 1/2: FROM a\nwarning: careful\n[linux/amd64] --> 0123456789ab\n');
    assert.equal(files[1], '[linux/arm64] STEP 1/2: FROM a\narm\n');
    assert.equal(main, 'before\nSuccessfully tagged x\n');
  });

  it('is the whole log of a build for one platform', () => {
    const stages = [{ id: '0', name: 'stage-0', steps: 1 }];
    const { main, files } = logsOf(
      'one',
      [
        { type: 'build-started', at: 0, platform: 'linux/amd64', stages },
        line('0.1', 'STEP 1/1: FROM a'),
        { type: 'stage-finished', stage: '0', outcome: 'built', at: 1 },
        line('commit', 'COMMIT x'),
      ],
      ['linux/amd64'],
    );
    assert.deepEqual({ main, files }, { main: '', files: ['STEP 1/1: FROM a\nCOMMIT x\n'] });
  });

  it('is named as with Buildah; variants of one architecture do not share a file', () => {
    const all = ['linux/amd64', 'linux/arm/v6', 'linux/arm/v7', 'linux/arm64'];
    assert.deepEqual(
      all.map((platform) => logName('log', platform, all)),
      ['log_linux_amd64', 'log_linux_arm_v6', 'log_linux_arm_v7', 'log_linux_arm64'],
    );
    assert.equal(logName('log', 'linux/arm/v7', ['linux/arm/v7']), 'log_linux_arm');
  });
});
