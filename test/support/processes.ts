/** Processes and mounts of this machine that belong to a rig: found by a word in their environment or path. */
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of processes whose environment or command line holds the word; those of others' that cannot be read are left out. */
export function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(
      (pid) =>
        readOrNothing(`/proc/${pid}/environ`).includes(word) || readOrNothing(`/proc/${pid}/cmdline`).includes(word),
    )
    .filter((pid) => !/^\d+ \(.*\) Z /s.test(readOrNothing(`/proc/${pid}/stat`)))
    .map(Number);
}

/** Lines of the machine's own mount table that hold the word. */
export function mountsWith(word: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(word));
}

/** Waits until the question is answered with an empty list; gives what is left when the time is over. */
export async function waitUntilNone<T>(ask: () => readonly T[], timeoutMs: number): Promise<readonly T[]> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const left = ask();
    if (left.length === 0 || Date.now() > until) return left;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
