/** Asking a person: lines and secrets from standard input. */
import type { CommandContext } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Longest line or password taken; a stream without line ends must not fill the memory. */
const MOST_BYTES = 64 * 1024;

type Asker = Pick<CommandContext, 'stdin' | 'stdout' | 'stderr' | 'signal'>;

/** Reads one line after showing a question on stdout, as Buildah does. @throws UsageError at the end of the input */
export async function promptLine(question: string, c: Asker): Promise<string> {
  c.stdout.write(question);
  const line = await readLine(c, undefined);
  if (line === undefined) throw new UsageError(`cannot read the answer to "${question.trim()}": end of input`);
  return line;
}

/** The same without showing what is typed. */
export async function promptSecret(question: string, c: Asker): Promise<string> {
  c.stderr.write(question);
  if (!c.stdin.isTTY) {
    const line = await readLine(c, undefined);
    if (line === undefined) throw new UsageError(`cannot read the answer to "${question.trim()}": end of input`);
    return line;
  }
  c.stdin.setRawMode(true);
  try {
    const line = await readLine(c, (byte) => {
      // Raw mode turns signals into bytes.
      if (byte === 0x03) process.kill(process.pid, 'SIGINT');
    });
    if (line === undefined) throw new UsageError('no password was given');
    return line;
  } finally {
    c.stdin.setRawMode(false);
    c.stderr.write('\n');
  }
}

/** Bytes already read behind a line, for the next question. */
const leftovers = new WeakMap<object, Buffer>();

async function readLine(c: Asker, watch: ((byte: number) => void) | undefined): Promise<string | undefined> {
  let bytes = leftovers.get(c.stdin) ?? Buffer.alloc(0);
  leftovers.delete(c.stdin);
  for (;;) {
    c.signal.throwIfAborted();
    const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d || (watch !== undefined && byte === 0x04));
    if (end !== -1) {
      const skip = bytes[end] === 0x0d && bytes[end + 1] === 0x0a ? 2 : 1;
      leftovers.set(c.stdin, bytes.subarray(end + skip));
      return erased(bytes.subarray(0, end)).toString();
    }
    if (bytes.length > MOST_BYTES) throw new UsageError('the line is too long');
    const chunk = await nextChunk(c);
    if (chunk === undefined) return bytes.length === 0 ? undefined : bytes.toString();
    if (watch !== undefined) chunk.forEach(watch);
    bytes = Buffer.concat([bytes, chunk]);
  }
}

/** Applies the erase key, which raw mode leaves to us. */
function erased(bytes: Buffer): Buffer {
  const kept: number[] = [];
  for (const byte of bytes) {
    if (byte === 0x7f || byte === 0x08) kept.pop();
    else kept.push(byte);
  }
  return Buffer.from(kept);
}

function nextChunk({ stdin, signal }: Asker): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.off('error', onError);
      signal.removeEventListener('abort', onAbort);
      stdin.pause();
    };
    const onData = (chunk: Buffer | string): void => {
      settle();
      resolve(Buffer.from(chunk as string));
    };
    const onEnd = (): void => {
      settle();
      resolve(undefined);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onAbort = (): void => {
      settle();
      reject(signal.reason as Error);
    };
    if (stdin.readableEnded) {
      resolve(undefined);
      return;
    }
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.on('error', onError);
    signal.addEventListener('abort', onAbort);
    stdin.resume();
  });
}

/** All of standard input, for `--password-stdin`. */
export async function readAll(c: Asker): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (let chunk = await nextChunk(c); chunk !== undefined; chunk = await nextChunk(c)) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new UsageError('the input is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
