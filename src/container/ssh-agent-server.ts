/**
 * The agent a RUN speaks to. It lists keys and signs, with keys held in memory or by asking the caller's agent; nothing
 * else of the protocol gets through, so a command can neither add keys to the caller's agent nor remove or lock them. And
 * the socket is one of our own, to be given the owner and mode a mount asks for.
 *
 * @see draft-ietf-sshm-ssh-agent, "Protocol Messages"
 */
import { closeSync, constants, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import type { SshAgent } from './ssh-agent.ts';
import type { SshKey } from './ssh-key.ts';
import { WireReader, wireString, wireUint32 } from './ssh-wire.ts';

const FAILURE = Buffer.from([5]);
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const EXTENSION = 27;
/** As OpenSSH's agent. */
const MAX_MESSAGE_BYTES = 256 * 1024;

/** Serves `agent` on a new socket at `path` until disposed. */
export async function serveSshAgent(agent: SshAgent, path: string): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => open.delete(client));
    if (agent.kind === 'socket') forward(client, agent.socket);
    else answerFrom(client, agent.keys);
  });
  // The path of a socket has at most 107 bytes, which a store deep in the file system exceeds: it is named from here.
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`/proc/self/fd/${directory}/${basename(path)}`, resolve);
    });
  } catch (error) {
    server.close();
    closeSync(directory);
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      closeSync(directory);
    },
  };
}

/** Calls `onMessage` with each whole message of a stream; ends the stream when one is too long. */
function eachMessage(socket: Socket, onMessage: (message: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4) {
      const length = held.readUInt32BE(0);
      if (length === 0 || length > MAX_MESSAGE_BYTES) {
        socket.destroy();
        return;
      }
      if (held.length < 4 + length) return;
      const message = held.subarray(4, 4 + length);
      held = held.subarray(4 + length);
      onMessage(message);
    }
  });
}

function answerFrom(client: Socket, keys: readonly SshKey[]): void {
  eachMessage(client, (message) => {
    let answer: Buffer = FAILURE;
    try {
      answer = answerOf(message, keys);
    } catch {
      // Malformed, as agents say it.
    }
    client.write(wireString(answer));
  });
}

function answerOf(message: Buffer, keys: readonly SshKey[]): Buffer {
  if (message[0] === REQUEST_IDENTITIES) {
    const list = keys.flatMap(({ publicBlob, comment }) => [wireString(publicBlob), wireString(comment)]);
    return Buffer.concat([Buffer.from([IDENTITIES_ANSWER]), wireUint32(keys.length), ...list]);
  }
  if (message[0] !== SIGN_REQUEST) return FAILURE;
  const reader = new WireReader(message.subarray(1));
  const [wanted, content] = [reader.string(), reader.string()];
  const key = keys.find(({ publicBlob }) => publicBlob.equals(wanted));
  if (key === undefined) return FAILURE;
  return Buffer.concat([Buffer.from([SIGN_RESPONSE]), wireString(key.sign(content, reader.uint32()))]);
}

/**
 * Passes requests on one at a time: an agent answers in order and every request has one answer, so refusals find their
 * place between the answers.
 */
function forward(client: Socket, path: string): void {
  const agent = connect(path);
  const end = (): void => {
    agent.destroy();
    client.destroy();
  };
  agent.on('error', end);
  agent.on('close', end);
  client.on('close', end);
  const waiting: Buffer[] = [];
  let isBusy = false;
  const next = (): void => {
    while (!isBusy) {
      const message = waiting.shift();
      if (message === undefined) return;
      isBusy = isAllowed(message);
      if (isBusy) agent.write(wireString(message));
      else client.write(wireString(FAILURE));
    }
  };
  eachMessage(client, (message) => {
    waiting.push(Buffer.from(message));
    next();
  });
  eachMessage(agent, (answer) => {
    isBusy = false;
    client.write(wireString(answer));
    next();
  });
}

/** Binding a connection to a session only narrows what the agent signs. */
function isAllowed(message: Buffer): boolean {
  if (message[0] === REQUEST_IDENTITIES || message[0] === SIGN_REQUEST) return true;
  if (message[0] !== EXTENSION) return false;
  try {
    return new WireReader(message.subarray(1)).text() === 'session-bind@openssh.com';
  } catch {
    return false;
  }
}
