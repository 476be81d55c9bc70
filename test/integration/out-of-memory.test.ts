/** Steps that the kernel's OOM killer ends: the error says that it was a kill, and of what it smells. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isRoot, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { firstReason, tryCommand } from '../support/command.ts';
import { quote, Rig } from '../support/rig.ts';

/** Enough for the program, not for the step. */
const LIMIT_BYTES = 400 << 20;
const STEP_BYTES = 700 << 20;

const skip = firstReason(!isRoot && 'needs root', staticBusybox() === undefined && 'not installed: a static busybox');

describe('a step that takes all memory', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-greedy-'));
  let rig: Rig;
  before(async () => {
    makeBusyboxBase(join(scratch, 'busybox'));
    const step = `echo begun; x=$(head -c ${STEP_BYTES} /dev/zero | tr "\\0" x); echo survived`;
    writeFileSync(join(scratch, 'Dockerfile'), `FROM localhost/latest\nRUN ${step}\n`);
    rig = await Rig.open({ account: rootAccount()! });
    rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const isolation of ['chroot', 'oci']) {
    it(`F26 is told to have been killed, and the store works, ${isolation}`, (t) => {
      if (isolation === 'oci' && !/^isolation: oci/m.test(rig.try(['doctor']).stdout))
        return t.skip('no OCI runtime works here');
      const group = memoryGroup();
      if (group === undefined) return t.skip('no control group can be given a limit of memory');
      try {
        const words = [rig.program, ...rig.storeFlags, 'build', '--isolation', isolation, '--no-cache', scratch];
        const script = `echo $$ > ${quote(join(group, 'cgroup.procs'))} && exec ${words.map(quote).join(' ')}`;
        const o = { env: rig.env, cwd: rig.folder, timeoutMs: 120_000 };
        const built = tryCommand('sh', ['-c', script], o);
        assert.equal(built.signal, undefined, 'the program itself was killed');
        assert.notEqual(built.status, 0, built.stdout);
        assert.match(built.stdout, /^begun$/m);
        assert.doesNotMatch(built.stdout, /^survived$/m);
        assert.match(built.stderr, /Dockerfile:2/);
        assert.match(built.stderr, /killed by SIGKILL \(out of memory\?\)/);
      } finally {
        rmdirSync(group);
      }
      assert.equal(rig.try(['images', '-q']).status, 0);
    });
  }
});

/** A fresh group with that limit, or undefined where none can be had. */
function memoryGroup(): string | undefined {
  const name = `slipway-test-${process.pid}`;
  for (const [root, limit] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const) {
    const group = join(root, name);
    try {
      mkdirSync(group);
      writeFileSync(join(group, limit), String(LIMIT_BYTES));
      for (const swap of ['memory.swap.max', 'memory.memsw.limit_in_bytes']) {
        if (existsSync(join(group, swap)))
          writeFileSync(join(group, swap), swap.endsWith('max') ? '0' : String(LIMIT_BYTES));
      }
      readFileSync(join(group, limit));
      return group;
    } catch {
      if (existsSync(group)) rmdirSync(group);
    }
  }
  return undefined;
}
