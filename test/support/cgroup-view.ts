/** The control groups that tests see. */
import { readFileSync } from 'node:fs';
import { CLONE, MS, mountCall, umountCall, unshareCall } from '../../src/sys/libc.ts';

const SECOND_VERSION = '/sys/fs/cgroup/unified';

/**
 * Takes the second version's control groups out of sight of this process and of all it starts, where both versions are
 * mounted: crun refuses such machines. Only root can; others see what there is.
 */
export function seeOneCgroupVersion(): void {
  const isMounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${SECOND_VERSION} `);
  if (!isMounted || process.getuid?.() !== 0) return;
  // Of the main thread alone, which starts all processes.
  unshareCall(CLONE.NEWNS);
  mountCall('none', '/', undefined, MS.REC | MS.PRIVATE);
  umountCall(SECOND_VERSION);
}
