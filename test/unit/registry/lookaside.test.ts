import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { lookasideBase, readLookaside } from '../../../src/registry/lookaside.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { digestFromHex } from '../../../src/spec/digest.ts';
import { parseReference, qualify } from '../../../src/spec/reference.ts';

const DIGEST = digestFromHex('a'.repeat(64));
const MESSAGE = Buffer.from([0xa3, 1, 2, 3]);

type Answer = (number: string, response: ServerResponse, request: IncomingMessage) => void;

/** Signatures read from a server that answers so, and the requests it saw. */
async function read(answer: Answer, login = '') {
  const seen: { readonly path: string; readonly authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', authorization: request.headers.authorization });
    answer(/\d+$/.exec(request.url ?? '')?.[0] ?? '', response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stores = { defaults: { lookaside: `http://${login}${host}/sigs` }, scopes: new Map() };
  try {
    const base = lookasideBase(stores, qualify(parseReference('quay.io/n/x:1'), 'docker.io'), 'read', { env: {} });
    return { seen, signatures: await readLookaside(base, DIGEST, { env: {}, retries: 0 }) };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const counted =
  (count: number): Answer =>
  (number, response) =>
    void (Number(number) <= count ? response.end(MESSAGE) : response.writeHead(404).end());

describe('signatures on a web server', () => {
  it('are numbered from one until one is missing', async () => {
    const { signatures, seen } = await read(counted(2));
    assert.deepEqual(signatures, [
      { format: 'simple', message: MESSAGE },
      { format: 'simple', message: MESSAGE },
    ]);
    const path = `/sigs/n/x@sha256=${'a'.repeat(64)}/signature-`;
    assert.deepEqual(
      seen.map((request) => request.path),
      [1, 2, 3].map((number) => `${path}${number}`),
    );
  });

  it('may need the login that the URL has', async () => {
    const { seen } = await read(counted(0), 'me:p%20w@');
    assert.deepEqual(
      seen.map(({ authorization }) => authorization),
      [`Basic ${Buffer.from('me:p w').toString('base64')}`],
    );
  });

  it('may be somewhere else on the server', async () => {
    const { signatures } = await read((number, response, { url }) => {
      if (url?.startsWith('/moved') === true) counted(1)(number, response, {} as IncomingMessage);
      else response.writeHead(302, { location: `/moved-${number}` }).end();
    });
    assert.equal(signatures.length, 1);
  });

  const failures: readonly [string, Answer, RegExp][] = [
    ['an error is not the end of the list', (_, response) => void response.writeHead(403).end(), /answered 403/],
    ['a web page is no signature', (_, response) => void response.end('<html>'), /neither an OpenPGP message/],
    ['there is no end', counted(1e9), /more than 128 signatures/],
    [
      'a redirect leads round in circles',
      (_, response) => void response.writeHead(302, { location: '/again' }).end(),
      /answered 302/,
    ],
    [
      'a redirect leads to a private address',
      (_, response) => void response.writeHead(302, { location: 'http://169.254.169.254/x' }).end(),
      /private address/,
    ],
  ];
  for (const [what, answer, message] of failures) {
    it(`are refused: ${what}`, async () => {
      await assert.rejects(read(answer), (error) => isBuilderError(error) && message.test(error.message));
    });
  }
});
