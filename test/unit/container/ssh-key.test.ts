/** SSH keys in files, and the agent a RUN speaks to. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { parseSshAgent } from '../../../src/container/ssh-agent.ts';
import { serveSshAgent } from '../../../src/container/ssh-agent-server.ts';
import { parseSshKey, readSshKey } from '../../../src/container/ssh-key.ts';
import { WireReader, wireNumber, wireString, wireUint32 } from '../../../src/container/ssh-wire.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { command, findProgram } from '../../support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-ssh-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const CONTENT = Buffer.from('to be signed');
const pem = (key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1'): Buffer =>
  Buffer.from(key.export({ format: 'pem', type }));

/** Taken apart: the name of the algorithm, and the signature as Node's crypto wants it. */
function signatureOf(blob: Buffer): { readonly name: string; readonly bytes: Buffer } {
  const reader = new WireReader(blob);
  return { name: reader.text(), bytes: reader.string() };
}

/** r and s as one string of fixed width. */
function pairOf(bytes: Buffer, width: number): Buffer {
  const reader = new WireReader(bytes);
  return Buffer.concat([reader.string(), reader.string()].map((part) => pad(part, width)));
}

function pad(part: Buffer, width: number): Buffer {
  const bare = part[0] === 0 ? part.subarray(1) : part;
  return Buffer.concat([Buffer.alloc(width - bare.length), bare]);
}

describe('numbers on the wire', () => {
  for (const [bytes, wire] of [
    ['00', '00000000'],
    ['0000ff', '0000000200ff'],
    ['7f', '000000017f'],
    ['000102', '000000020102'],
  ] as const) {
    it(`${bytes} becomes ${wire}`, () => {
      assert.equal(wireNumber(Buffer.from(bytes, 'hex')).toString('hex'), wire);
    });
  }
});

describe('keys in PEM', () => {
  it('an Ed25519 key signs what its public key confirms', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const key = parseSshKey(pem(privateKey, 'pkcs8'), 'mine');
    const { name, bytes } = signatureOf(key.sign(CONTENT, 0));
    assert.equal(name, 'ssh-ed25519');
    assert.ok(verify(null, CONTENT, publicKey, bytes));
    assert.equal(new WireReader(key.publicBlob).text(), 'ssh-ed25519');
    assert.equal(key.comment, 'mine');
  });

  for (const [flags, wanted, hash] of [
    [0, 'ssh-rsa', 'sha1'],
    [2, 'rsa-sha2-256', 'sha256'],
    [4, 'rsa-sha2-512', 'sha512'],
  ] as const) {
    it(`an RSA key signs as ${wanted} when the flags are ${flags}`, () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const { name, bytes } = signatureOf(parseSshKey(pem(privateKey, 'pkcs1'), '').sign(CONTENT, flags));
      assert.equal(name, wanted);
      assert.ok(verify(hash, CONTENT, publicKey, bytes));
    });
  }

  for (const [curve, name, hash, width] of [
    ['P-256', 'nistp256', 'sha256', 32],
    ['P-384', 'nistp384', 'sha384', 48],
    ['P-521', 'nistp521', 'sha512', 66],
  ] as const) {
    it(`a key on ${curve} signs what its public key confirms`, () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
      const signature = signatureOf(parseSshKey(pem(privateKey, 'sec1'), '').sign(CONTENT, 0));
      assert.equal(signature.name, `ecdsa-sha2-${name}`);
      const pair = pairOf(signature.bytes, width);
      assert.ok(verify(hash, CONTENT, { key: publicKey, dsaEncoding: 'ieee-p1363' }, pair));
    });
  }

  it('a key behind a passphrase is refused with a way out', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const locked = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' });
    assert.throws(() => parseSshKey(Buffer.from(locked), 'k'), /passphrase/);
  });
});

describe('keys of OpenSSH', { skip: findProgram('ssh-keygen') === undefined && 'not installed: ssh-keygen' }, () => {
  for (const [type, bits] of [
    ['ed25519', ''],
    ['rsa', '2048'],
    ['ecdsa', '256'],
    ['ecdsa', '384'],
    ['ecdsa', '521'],
  ] as const) {
    it(`${type} ${bits} has the public key ssh-keygen wrote beside it`, () => {
      const path = join(folder, `${type}${bits}`);
      const size = bits === '' ? [] : ['-b', bits];
      command('ssh-keygen', ['-q', '-t', type, ...size, '-N', '', '-C', 'a comment', '-f', path]);
      const key = readSshKey(path);
      const written = command('cat', [`${path}.pub`]).split(' ')[1];
      assert.equal(key.publicBlob.toString('base64'), written);
      assert.equal(key.comment, 'a comment');
      const { bytes } = signatureOf(key.sign(CONTENT, 2));
      if (type === 'ed25519') {
        const x = key.publicBlob.subarray(-32).toString('base64url');
        const jwk = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
        assert.ok(verify(null, CONTENT, jwk, bytes));
        return;
      }
      const spki = createPublicKey(command('ssh-keygen', ['-e', '-m', 'PKCS8', '-f', `${path}.pub`]));
      if (type === 'rsa') assert.ok(verify('sha256', CONTENT, spki, bytes));
      else {
        const [hash, width] = { 256: ['sha256', 32], 384: ['sha384', 48], 521: ['sha512', 66] }[bits] as [
          string,
          number,
        ];
        assert.ok(verify(hash, CONTENT, { key: spki, dsaEncoding: 'ieee-p1363' }, pairOf(bytes, width)));
      }
    });
  }

  it('one behind a passphrase is refused', () => {
    const path = join(folder, 'locked');
    command('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', path]);
    assert.throws(() => readSshKey(path), /passphrase/);
  });
});

describe('files that hold no key', () => {
  it('are refused without a word of what they hold', () => {
    const path = join(folder, 'other');
    writeFileSync(path, '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n');
    assert.throws(
      () => readSshKey(path),
      (error) => isBuilderError(error) && error.code === 'usage.invalid' && !/c2VjcmV0|secret/.test(error.message),
    );
    writeFileSync(path, Buffer.alloc(200 * 1024));
    assert.throws(() => readSshKey(path), /too large/);
    mkdirSync(join(folder, 'directory'), { recursive: true });
    assert.throws(() => readSshKey(join(folder, 'directory')), /neither an SSH key nor/);
  });
});

describe('--ssh', () => {
  const key = join(folder, 'pem');
  writeFileSync(key, pem(generateKeyPairSync('ed25519').privateKey, 'pkcs8'), { mode: 0o600 });

  it('takes key files', () => {
    const agent = parseSshAgent('ci=pem,pem', {}, folder);
    assert.equal(agent.kind === 'keys' && agent.keys.length, 2);
    assert.equal(agent.id, 'ci');
  });

  for (const [text, why] of [
    ['default', /SSH_AUTH_SOCK is not set/],
    ['=x', /has no id/],
    ['a=missing', /there is no/],
  ] as const) {
    it(`refuses ${text}`, () => assert.throws(() => parseSshAgent(text, {}, folder), why));
  }
});

/** Sends messages and gives the answers. */
async function ask(path: string, ...messages: readonly Buffer[]): Promise<Buffer[]> {
  const socket = connect(path);
  let held = Buffer.alloc(0);
  const answers: Buffer[] = [];
  socket.write(Buffer.concat(messages.map((message) => wireString(message))));
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk as Buffer]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      answers.push(held.subarray(4, 4 + held.readUInt32BE(0)));
      held = held.subarray(4 + held.readUInt32BE(0));
    }
    if (answers.length === messages.length) break;
  }
  socket.destroy();
  return answers;
}

describe('the agent of a RUN', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = parseSshKey(pem(privateKey, 'pkcs8'), 'mine');
  const sign = Buffer.concat([Buffer.from([13]), wireString(key.publicBlob), wireString(CONTENT), wireUint32(0)]);
  // Longer than the path of a socket may be.
  const deep = join(folder, 'd'.repeat(100));
  mkdirSync(deep);

  it('lists and signs with the keys it holds, and does nothing else', async () => {
    const path = join(folder, 's1');
    await using _ = await serveSshAgent({ id: 'x', kind: 'keys', keys: [key] }, path);
    const removeAll = Buffer.from([19]);
    const broken = Buffer.from([13, 0, 0, 1]);
    const [list, signed, refused, bad] = await ask(path, Buffer.from([11]), sign, removeAll, broken);
    assert.deepEqual(
      list,
      Buffer.concat([Buffer.from([12]), wireUint32(1), wireString(key.publicBlob), wireString('mine')]),
    );
    assert.deepEqual(signed, Buffer.concat([Buffer.from([14]), wireString(key.sign(CONTENT, 0))]));
    assert.deepEqual([refused, bad], [Buffer.from([5]), Buffer.from([5])]);
  });

  it('passes only listing and signing on to the agent of the caller', async () => {
    const [outer, inner] = [join(folder, 's2'), join(folder, 's3')];
    const seen: number[] = [];
    const server: Server = createServer((socket) => {
      socket.on('data', (chunk) => {
        seen.push(chunk[4]!);
        socket.write(wireString(Buffer.from([100 + chunk[4]!])));
      });
    }).listen(inner);
    {
      await using _ = await serveSshAgent({ id: 'x', kind: 'socket', socket: inner }, outer);
      const add = Buffer.concat([Buffer.from([17]), wireString('key')]);
      const answers = await ask(outer, Buffer.from([11]), add, sign, Buffer.from([22]));
      assert.deepEqual(
        answers.map((answer) => answer[0]),
        [111, 5, 113, 5],
      );
    }
    server.close();
    assert.deepEqual(seen, [11, 13]);
  });

  it('is one that ssh-add understands', {
    skip: findProgram('ssh-add') === undefined && 'not installed: ssh-add',
  }, async () => {
    const path = join(folder, 's4');
    await using _ = await serveSshAgent({ id: 'x', kind: 'keys', keys: [key] }, path);
    const env = { ...process.env, SSH_AUTH_SOCK: path };
    const { stdout } = await promisify(execFile)('ssh-add', ['-L'], { env });
    assert.equal(stdout, `ssh-ed25519 ${key.publicBlob.toString('base64')} mine\n`);
    writeFileSync(join(folder, 's4.pub'), stdout);
    await promisify(execFile)('ssh-add', ['-T', join(folder, 's4.pub')], { env });
    await assert.rejects(promisify(execFile)('ssh-add', ['-D'], { env }));
  });

  it('serves below paths longer than those of sockets, and is gone when disposed', async () => {
    const path = join(deep, 'socket');
    const served = await serveSshAgent({ id: 'x', kind: 'keys', keys: [] }, path);
    chmodSync(path, 0o600);
    await served[Symbol.asyncDispose]();
    assert.throws(() => chmodSync(path, 0o600), /ENOENT/);
  });
});
