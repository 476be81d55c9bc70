/**
 * Power that fails, on a real file system: at the end of a command and at each of its calls that flush or rename. What
 * was pulled is whole or was never there; what was built may have lost files of its layers, and then says so, leaves
 * everything else alone and can be built again.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isRoot, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { afterPowerLoss, lossyDiskProblem } from '../support/lossy-disk.ts';
import { quote, Rig } from '../support/rig.ts';

const skip = firstReason(
  !isRoot && 'needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('strace'),
);

describe('power that fails', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-power-'));
  const context = join(scratch, 'context');
  let rig: Rig;
  let problem: string | false = false;
  before(async () => {
    problem = lossyDiskProblem(scratch);
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM localhost/base\nCOPY file /file\nRUN echo made >/made\n');
    writeFileSync(join(context, 'file'), 'x'.repeat(300_000));
    rig = await Rig.open({ account: rootAccount()! });
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const pull = `pull -q oci:${quote(join(scratch, 'busybox'))}:latest`;
  const base = `slipway ${pull} && slipway tag localhost/latest localhost/base && slipway rmi localhost/latest`;
  /** Says which images are there, and of each whether it can be sent somewhere whole. */
  const look = `
for name in $(slipway images --format '{{.Name}}' | grep -v none | sort); do
  rm -rf /tmp/slipway-sent-$$
  if said=$(slipway push -q $name dir:/tmp/slipway-sent-$$ 2>&1); then echo "whole $name"; else echo "broken $name: $said"; fi
done
rm -rf /tmp/slipway-sent-$$`;

  it('F17 what was pulled is whole once the pull has ended', (t) => {
    if (problem !== false) return t.skip(problem);
    const told = afterPowerLoss(rig, {
      before: base,
      script: `slipway ${pull}`,
      after: `${look}\nslipway system check --read-data`,
    });
    assert.equal(told.status, 0, told.stdout + told.stderr);
    assert.deepEqual(told.stdout.match(/^(?:whole|broken) .*$/gm), ['whole localhost/base', 'whole localhost/latest']);
  });

  for (const [calls, moments] of [
    ['fsync,fdatasync,syncfs', [1, 2, 3]],
    ['rename,renameat,renameat2', [1, 3]],
  ] as const) {
    for (const nth of moments) {
      it(`F17 power lost in a pull at ${calls} ${nth}: the image is whole or not there, and can be pulled`, (t) => {
        if (problem !== false) return t.skip(problem);
        const told = afterPowerLoss(rig, {
          before: base,
          script: `killed ${calls} ${nth} ${pull}`,
          after: `${look}\nslipway ${pull} >/dev/null && echo pulled${look}\nslipway system check --read-data`,
        });
        assert.equal(told.status, 0, told.stdout + told.stderr);
        const lines: readonly string[] = told.stdout.match(/^(?:whole|broken|pulled).*$/gm) ?? [];
        const at = lines.indexOf('pulled');
        assert.ok(
          lines.slice(0, at).every((line) => line.startsWith('whole ')),
          told.stdout,
        );
        assert.deepEqual(lines.slice(at + 1), ['whole localhost/base', 'whole localhost/latest']);
      });
    }
  }

  for (const script of [
    `slipway build -q --layers -t localhost/made ${quote(context)}`,
    `killed fsync,fdatasync,syncfs 1 build -q --layers -t localhost/made ${quote(context)}`,
    `killed rename,renameat,renameat2 4 build -q --layers -t localhost/made ${quote(context)}`,
  ]) {
    it(`F17 power lost at the end of ${script.split(' ').slice(0, 3).join(' ')}: what was there is whole, what was made is or says so`, (t) => {
      if (problem !== false) return t.skip(problem);
      const again = `slipway build -q --no-cache -t localhost/made ${quote(context)} >/dev/null && echo again`;
      const mend = 'slipway system check --read-data --repair >/dev/null 2>&1; echo mended';
      const told = afterPowerLoss(rig, { before: base, script, after: `${look}\n${mend}\n${again}${look}` });
      assert.equal(told.status, 0, told.stdout + told.stderr);
      const lines: readonly string[] = told.stdout.match(/^(?:whole|broken|mended|again).*$/gm) ?? [];
      const at = lines.indexOf('again');
      const first = lines.slice(0, lines.indexOf('mended'));
      assert.ok(first.includes('whole localhost/base'), told.stdout);
      for (const line of first)
        assert.match(line, /^whole |^broken localhost\/made: Error: .*(?:sha256:|snapshot|layer)/);
      assert.deepEqual(lines.slice(at + 1), ['whole localhost/base', 'whole localhost/made']);
    });
  }
});
