/**
 * A registry that fails at random: one request in so many is refused for the moment, loses its connection before, in or
 * after the answer, or gets an answer of the wrong length. What it would have done is repeated by the seed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FakeRegistry, SeenRequest } from './fake-registry.ts';
import { randomNumbers } from './random.ts';

export const PASSING_FAULTS = ['busy', 'cut before', 'cut inside', 'answer lost'] as const;
export type Fault = (typeof PASSING_FAULTS)[number] | 'too long' | 'too short';

export interface Flakiness {
  readonly seed: number;
  /** One request in so many fails. */
  readonly oneIn: number;
  readonly faults: readonly Fault[];
  /** Failures of one request that follow each other at most; the next attempt is answered truly. */
  readonly inARow?: number;
}

/** Makes a registry flaky from now on; the list grows with what it did. */
export function makeFlaky(registry: FakeRegistry, o: Flakiness): readonly string[] {
  const random = randomNumbers(o.seed);
  const told: string[] = [];
  const failures = new Map<string, number>();
  registry.intercept = (seen, response, request) => {
    const key = `${seen.method} ${seen.path.replace(/uploads\/.*digest=/, 'uploads/')}`;
    const before = failures.get(key) ?? 0;
    // Drawn for every request, so that one more or less does not change what the others meet.
    const [draw, which] = [random(), random()];
    if (draw >= 1 / o.oneIn || before >= (o.inARow ?? Number.POSITIVE_INFINITY)) {
      failures.delete(key);
      return false;
    }
    failures.set(key, before + 1);
    const fault = o.faults[Math.floor(which * o.faults.length)]!;
    told.push(`${fault}: ${seen.method} ${seen.path}`);
    return commit(fault, seen, response, request);
  };
  return told;
}

/** True when the fault is the whole answer. */
function commit(fault: Fault, seen: SeenRequest, response: ServerResponse, request: IncomingMessage): boolean {
  if (fault === 'busy') {
    request.resume().on('end', () => response.writeHead(503, { 'retry-after': '0' }).end());
    return true;
  }
  if (fault === 'cut before') {
    request.socket.resetAndDestroy();
    return true;
  }
  if (fault === 'cut inside' && seen.method !== 'GET') {
    request.once('data', () => request.socket.destroy());
    request.once('end', () => request.socket.destroy());
    return true;
  }
  changeAnswer(fault, response);
  return false;
}

/** The registry does what it is asked for; its answer is another. */
function changeAnswer(fault: Fault, response: ServerResponse): void {
  const { writeHead, end } = response;
  response.writeHead = ((status: number, headers: Record<string, string | number> = {}) => {
    const length = Number(headers['content-length'] ?? 0);
    const wrong = fault === 'too long' ? length + 7 : Math.max(0, length - 7);
    const isWrong = fault === 'too long' || fault === 'too short';
    return writeHead.call(response, status, isWrong ? { ...headers, 'content-length': wrong } : headers);
  }) as typeof response.writeHead;
  response.end = ((content?: Buffer | string) => {
    const bytes = Buffer.from(content ?? '');
    if (fault === 'answer lost') response.socket?.destroy();
    else if (fault === 'cut inside') {
      // At least a header arrives, and a part of the content where there is some.
      response.flushHeaders();
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.socket?.destroy());
    } else if (fault === 'too long') {
      response.write(bytes, () => response.socket?.end());
      response.flushHeaders();
      if (bytes.length === 0) response.socket?.end();
    } else end.call(response, bytes.subarray(0, Math.max(0, bytes.length - 7)) as never, 'utf8');
    return response;
  }) as typeof response.end;
}
