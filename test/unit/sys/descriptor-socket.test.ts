import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { DescriptorSocket } from '../../../src/sys/descriptor-socket.ts';
import { addressOf, check, lazy } from '../../../src/sys/libc.ts';

const cSocket = lazy('int socket(int, int, int)');
const cConnect = lazy('int connect(int, const uint8_t*, uint32_t)');
const cSendmsg = lazy('int64_t sendmsg(int, const uint8_t*, int)');

/** Connects and sends one byte, with a descriptor. */
function send(path: string, descriptor: number): void {
  const fd = check(cSocket(1, 1, 0), 'make a socket');
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(path), Buffer.alloc(1)]);
  check(cConnect(fd, address, address.length), 'connect');
  const content = Buffer.from('x');
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(addressOf(content), 0);
  vector.writeBigUInt64LE(1n, 8);
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(1, 8);
  control.writeInt32LE(1, 12);
  control.writeInt32LE(descriptor, 16);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(addressOf(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(addressOf(control), 32);
  message.writeBigUInt64LE(24n, 40);
  check(cSendmsg(fd, message, 0), 'send');
  closeSync(fd);
}

describe('a socket for a descriptor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-socket-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('has nothing before somebody sends, and then an open file nobody else inherits', () => {
    const path = join(folder, 'one');
    using socket = new DescriptorSocket(path);
    assert.equal(socket.take(), undefined);
    writeFileSync(join(folder, 'file'), 'content');
    const sent = openSync(join(folder, 'file'), 'r');
    send(path, sent);
    closeSync(sent);
    const taken = socket.take()!;
    assert.equal(readFileSync(taken, 'utf8'), 'content');
    const inherited = spawnSync('ls', [`/proc/self/fd/${taken}`], { stdio: 'ignore' });
    assert.notEqual(inherited.status, 0);
    closeSync(taken);
  });

  it('refuses a message without one', async () => {
    const path = join(folder, 'two');
    using socket = new DescriptorSocket(path);
    const sender: Socket = connect(path);
    await new Promise((resolve) => sender.write('words', resolve));
    await assert.rejects(
      async () => {
        for (;;) {
          assert.equal(socket.take(), undefined);
          await delay(2);
        }
      },
      (error) => isBuilderError(error, 'sys.call-failed') && error.facts['errno'] === 'EBADMSG',
    );
    sender.destroy();
  });

  it('listens below directories of any length, but not where something is', () => {
    const deep = join(folder, 'd'.repeat(200));
    mkdirSync(deep);
    using _ = new DescriptorSocket(join(deep, 'console'));
    assert.throws(
      () => new DescriptorSocket(join(deep, 'console')),
      (error) => isBuilderError(error, 'sys.call-failed') && error.facts['errno'] === 'EADDRINUSE',
    );
  });
});
