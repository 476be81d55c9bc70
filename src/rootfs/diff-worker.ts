/** The thread behind `measureDiff`: takes one order as its data, posts one answer. */
import { parentPort, workerData } from 'node:worker_threads';
import { isBuilderError } from '../report/builder-error.ts';
import { type DiffAnswer, type DiffOrder, measureHere } from './measure-diff.ts';

async function answer({ source, options }: DiffOrder): Promise<DiffAnswer> {
  try {
    return { measure: await measureHere(source, withBuffers(options)) };
  } catch (error) {
    if (!isBuilderError(error))
      return { failure: { code: undefined, message: String(error), hint: undefined, facts: {} } };
    const { code, message, hint, facts } = error;
    return { failure: { code, message, hint, facts } };
  }
}

/** Buffers arrive as plain Uint8Arrays. */
function withBuffers(options: DiffOrder['options']): DiffOrder['options'] {
  if (options.exclude === undefined) return options;
  return { ...options, exclude: options.exclude.map((path) => (typeof path === 'string' ? path : Buffer.from(path))) };
}

parentPort!.postMessage(await answer(workerData as DiffOrder));
