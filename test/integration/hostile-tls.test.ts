/** Registries whose certificates are wrong: refused with the reason and without a login sent, never reached by plain http. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type Agent, createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { AgentPool } from '../../src/registry/agent-pool.ts';
import { openRepository, type RepositoryOptions } from '../../src/registry/repository.ts';
import { isBuilderError } from '../../src/report/builder-error.ts';
import { digestOf } from '../../src/spec/digest.ts';
import { MEDIA } from '../../src/spec/media-type.ts';
import { parseReference } from '../../src/spec/reference.ts';
import { command, missingPrograms } from '../support/command.ts';

const GOOD = 2049;
const BLOB = { mediaType: MEDIA.ociLayer, digest: digestOf('x'), size: 1 };

describe('TLS that is not what it should be', { skip: missingPrograms('openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-tls-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let made = 0;

  /** A key and a certificate signed by itself, good until the end of that year. */
  function certificate(name: string, lastYear: number): { key: string; cert: string; file: string } {
    const stem = join(folder, `c${++made}`);
    const settings = { database: `${stem}.db`, serial: `${stem}.serial`, new_certs_dir: folder, default_md: 'sha256' };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
    const ca = ['[ca]', 'default_ca = d', '[d]', ...lines, 'policy = p', 'x509_extensions = e', '[p]'];
    const rest = ['commonName = supplied', '[e]', `subjectAltName = ${name}`, '[req]', 'distinguished_name = n', '[n]'];
    writeFileSync(`${stem}.cnf`, [...ca, ...rest, ''].join('\n'));
    writeFileSync(`${stem}.db`, '');
    writeFileSync(`${stem}.serial`, '01\n');
    const [config, key, request] = ['cnf', 'key', 'csr'].map((kind) => `${stem}.${kind}`) as [string, string, string];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    command('openssl', ['req', '-new', '-config', config, ...curve, '-subj', '/CN=x', '-keyout', key, '-out', request]);
    const sign = ['ca', '-config', config, '-batch', '-selfsign', '-notext', '-keyfile', key, '-in', request];
    const dates = ['-startdate', '20190101000000Z', '-enddate', `${lastYear}1231000000Z`];
    command('openssl', [...sign, ...dates, '-out', `${stem}.crt`]);
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(`${stem}.crt`, 'utf8'), file: `${stem}.crt` };
  }

  async function serve(made: { key: string; cert: string }, answer: RequestListener) {
    let connections = 0;
    const seen: (string | undefined)[] = [];
    const server = createServer({ key: made.key, cert: made.cert }, (request, response) => {
      seen.push(request.headers.authorization);
      answer(request, response);
    });
    server.on('connection', () => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      seen,
      get connections() {
        return connections;
      },
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  function repositoryAt(host: string, more: RepositoryOptions) {
    const env = { HOME: '/nonexistent', ...more.env };
    const options = { retries: 0, creds: { username: 'ann', password: 'secret' }, ...more, env };
    return openRepository(parseReference(`${host}/team/app`), options);
  }

  for (const [name, subject, lastYear, isTrusted, why] of [
    ['a certificate of nobody known', 'IP:127.0.0.1', GOOD, false, /self.signed/i],
    ['a certificate of another name', 'DNS:elsewhere.example', GOOD, true, /altnames|does not match/i],
    ['a certificate that has run out', 'IP:127.0.0.1', 2020, true, /expired/i],
  ] as const) {
    it(`X11 TLS: ${name} is refused`, async () => {
      const made = certificate(subject, lastYear);
      await using server = await serve(made, (_request, response) => response.end('{}'));
      const env = isTrusted ? { SSL_CERT_FILE: made.file } : {};
      await using repository = repositoryAt(server.host, { env });
      await assert.rejects(repository.resolve('x'), (error) => {
        assert.ok(isBuilderError(error, 'registry.request-failed'));
        assert.match(error.message, why);
        assert.ok(error.message.includes(server.host));
        return true;
      });
      assert.deepEqual(server.seen, []);
      assert.equal(server.connections, 1, 'tried again, or by plain http');
    });
  }

  it('X11 TLS: --tls-verify=false covers the registry and nobody else', async () => {
    await using other = await serve(certificate('IP:127.0.0.1', GOOD), (_request, response) => response.end('x'));
    const ask = (registryHost: string): Promise<number | undefined> => {
      const agents = new AgentPool({ registryHost, verify: false, files: () => ({ ca: [], client: [] }), env: {} });
      const url = new URL(`https://${other.host}/`);
      return new Promise((resolve, reject) => {
        get(url, { agent: agents.agentFor(url) as Agent }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .on('close', () => agents.close());
      });
    };
    assert.equal(await ask(other.host), 200);
    await assert.rejects(ask('registry.example'), /self.signed/i);
  });

  it('X11 TLS: no redirect leaves https for plain http', async () => {
    const made = certificate('IP:127.0.0.1', GOOD);
    let plainRequests = 0;
    const plain = createHttpServer((_request, response) => {
      plainRequests++;
      response.end('x');
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
    await using server = await serve(made, (request, response) => {
      if (request.url?.includes('/blobs/')) response.writeHead(307, { location }).end();
      else response.end('{}');
    });
    await using repository = repositoryAt(server.host, { env: { SSL_CERT_FILE: made.file } });
    await assert.rejects(repository.open(BLOB), /leaves https for plain http/);
    plain.close();
    assert.equal(plainRequests, 0);
  });
});
