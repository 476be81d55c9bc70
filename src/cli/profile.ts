/**
 * `--cpu-profile` and `--memory-profile`: where a command spends its time and its memory, as V8 tells it. Browsers'
 * developer tools open the files (`.cpuprofile`, `.heapprofile`). Of the main thread; steps and helpers are not in it.
 */
import { writeFileSync } from 'node:fs';
import type { Session } from 'node:inspector/promises';
import type { Flags } from './flags.ts';

/** Runs `work` and writes the profiles that the flags ask for, also when it fails. */
export async function profiled<T>(flags: Flags, work: () => Promise<T>): Promise<T> {
  const [cpu, memory] = [flags.string('cpu-profile'), flags.string('memory-profile')];
  if (cpu === undefined && memory === undefined) return work();
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await begin(session, cpu, memory);
    return await work();
  } finally {
    await end(session, cpu, memory);
    session.disconnect();
  }
}

async function begin(session: Session, cpu: string | undefined, memory: string | undefined): Promise<void> {
  if (cpu !== undefined) {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }
  if (memory !== undefined) await session.post('HeapProfiler.startSampling');
}

async function end(session: Session, cpu: string | undefined, memory: string | undefined): Promise<void> {
  const write = (path: string, profile: unknown): void => writeFileSync(path, JSON.stringify(profile));
  if (cpu !== undefined) write(cpu, (await session.post('Profiler.stop')).profile);
  if (memory !== undefined) write(memory, (await session.post('HeapProfiler.stopSampling')).profile);
}
