import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseChallenges } from '../../../src/registry/challenge.ts';
import { isPrivateHost } from '../../../src/registry/private-address.ts';
import { proxyFor } from '../../../src/registry/proxy.ts';
import { Patience, pauseBefore, retryAfterMs } from '../../../src/registry/retry.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';

describe('isPrivateHost', () => {
  const hostOf = (url: string): string => new URL(url).hostname;
  it('knows private addresses in all their clothes', () => {
    for (const url of [
      'http://127.0.0.1',
      'http://0x7f.1',
      'http://2130706433',
      'http://169.254.169.254',
      'http://10.0.0.1',
      'http://192.168.1.1',
      'http://172.31.0.1',
      'http://100.100.100.200',
      'http://0.0.0.0',
      'http://[::]',
      'http://[::1]',
      'http://[::ffff:169.254.169.254]',
      'http://[fd00::1]',
      'http://[fe80::1]',
      'http://[64:ff9b::a00:1]',
      'http://localhost',
      'http://LOCALHOST.',
      'http://x.localhost',
    ]) {
      assert.equal(isPrivateHost(hostOf(url)), true, url);
    }
  });

  it('leaves the internet alone', () => {
    for (const url of [
      'http://1.1.1.1',
      'http://172.32.0.1',
      'http://[2606:4700::1111]',
      'http://registry.example',
      'http://10.example',
    ]) {
      assert.equal(isPrivateHost(hostOf(url)), false, url);
    }
  });
});

describe('proxyFor', () => {
  const env = {
    http_proxy: 'http://p.test:3128',
    HTTPS_PROXY: 'q.test:8080',
    no_proxy: 'in.test,.dot.test,10.0.0.0/8,port.test:5000,192.0.2.1',
  };
  const via = (url: string): string | undefined => proxyFor(new URL(url), env)?.host;

  it('follows the environment', () => {
    assert.equal(via('http://a.test/'), 'p.test:3128');
    assert.equal(via('https://a.test/'), 'q.test:8080');
    assert.equal(proxyFor(new URL('https://a.test'), {}), undefined);
  });

  it('leaves out loopback and what no_proxy names', () => {
    for (const url of [
      'http://localhost:5000/',
      'http://127.0.0.1/',
      'http://[::1]/',
      'http://in.test/',
      'https://sub.in.test/',
      'http://x.dot.test/',
      'http://10.9.9.9/',
      'http://port.test:5000/',
      'http://192.0.2.1/',
    ]) {
      assert.equal(via(url), undefined, url);
    }
    for (const url of ['http://notin.test/', 'http://dot.test/', 'http://port.test/', 'http://11.0.0.1/']) {
      assert.equal(via(url), 'p.test:3128', url);
    }
    assert.equal(proxyFor(new URL('http://a.test'), { ...env, no_proxy: '*' }), undefined);
  });

  it('refuses proxies it cannot speak to', () => {
    assert.throws(() => proxyFor(new URL('http://a.test'), { http_proxy: 'socks5://x:1' }), /socks5/);
  });
});

describe('parseChallenges', () => {
  const read = (header: string) => parseChallenges(header).map((c) => [c.scheme, Object.fromEntries(c.parameters)]);

  it('reads schemes, quoted values with commas and escapes, and several challenges', () => {
    assert.deepEqual(read('Bearer realm="https://a/t",service="x, y",scope="repository:a:pull,push", error="in\\"v"'), [
      ['bearer', { realm: 'https://a/t', service: 'x, y', scope: 'repository:a:pull,push', error: 'in"v' }],
    ]);
    assert.deepEqual(read('Basic realm="x", Bearer realm=token , Negotiate'), [
      ['basic', { realm: 'x' }],
      ['bearer', { realm: 'token' }],
      ['negotiate', {}],
    ]);
  });

  it('the first of two equal parameters counts, garbage ends the list', () => {
    assert.deepEqual(read('Bearer realm="a",realm="b"'), [['bearer', { realm: 'a' }]]);
    for (const garbage of ['', '="x"', ',,,', 'Bearer realm="', '\u0000'])
      assert.ok(parseChallenges(garbage).length <= 1);
  });
});

describe('waiting', () => {
  it('F22 Retry-After is seconds or a date, at most a minute, or nothing', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(retryAfterMs('5', now), 5000);
    assert.equal(retryAfterMs('1000000000', now), 60_000);
    assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:07 GMT', now), 7000);
    assert.equal(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now), 0);
    assert.equal(retryAfterMs('garbage', now), undefined);
    assert.equal(retryAfterMs(undefined, now), undefined);
  });

  it('pauses double with jitter, up to a minute, unless fixed', () => {
    assert.equal(
      pauseBefore(1, undefined, { retries: 3 }, () => 1),
      1000,
    );
    assert.equal(
      pauseBefore(3, undefined, { retries: 3 }, () => 0),
      2000,
    );
    assert.equal(
      pauseBefore(30, undefined, { retries: 3 }, () => 1),
      60_000,
    );
    assert.equal(pauseBefore(3, undefined, { retries: 3, delayMs: 7 }), 7);
  });

  /** Seconds until a server is given up that fails this way, each attempt taking so long. */
  function endured(facts: Record<string, boolean | number>, attemptMs: number, pauseMs: number): number {
    let now = 0;
    const patience = new Patience(() => now);
    const error = new BuilderError('registry.request-failed', 'x', { facts });
    for (let attempt = 0; attempt < 100; attempt++) {
      patience.begin();
      now += attemptMs;
      if (patience.isOver(error, pauseMs)) return now / 1000;
      now += pauseMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  it('F23 a server that says nothing, or asks for a minute again and again, is given up after one', () => {
    assert.equal(endured({ standstill: true }, 30_000, 1000), 61);
    assert.equal(endured({ standstill: true }, 40_000, 1000), 40);
    assert.equal(endured({ retryAfterMs: 60_000 }, 100, 60_000), 60.2);
    assert.equal(endured({ status: 503 }, 100, 1000), Number.POSITIVE_INFINITY);
  });
});
