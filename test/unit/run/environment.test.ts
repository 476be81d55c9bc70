import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostsText, resolverText } from '../../../src/run/bind-files.ts';
import { adjustCapabilities, DEFAULT_CAPABILITIES } from '../../../src/run/capabilities.ts';
import { proxiesOf, runEnvironment } from '../../../src/run/environment.ts';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

describe('runEnvironment', () => {
  test('is the image, then what is given, then what every process expects', () => {
    assert.deepEqual(
      runEnvironment({
        image: ['A=1', 'B=x=y'],
        extra: ['A=2'],
        proxies: { http_proxy: 'http://p', A: 'no' },
        home: '/home/u',
        hostname: 'box',
        terminal: true,
      }),
      [PATH, 'A=2', 'B=x=y', 'http_proxy=http://p', 'HOSTNAME=box', 'HOME=/home/u', 'TERM=xterm'],
    );
  });
  test('the image may set PATH and HOME; an empty HOME is none', () => {
    assert.deepEqual(runEnvironment({ image: ['PATH=/x', 'HOME=/h'], home: '/root' }), ['PATH=/x', 'HOME=/h']);
    assert.deepEqual(runEnvironment({ image: ['HOME='], home: '/root' }), [PATH, 'HOME=/root']);
  });
  for (const entry of ['AWS_SECRET_ACCESS_KEY', '*', 'A*', '=x', 'A=\0']) {
    test(`refuses the entry ${JSON.stringify(entry)}`, () => {
      assert.throws(() => runEnvironment({ image: [entry] }), { code: 'run.start-failed' });
    });
  }
  test('takes proxy settings and nothing else from an environment', () => {
    assert.deepEqual(proxiesOf({ HTTP_PROXY: 'a', no_proxy: 'b', https_proxy: '', SECRET: 'c' }), {
      no_proxy: 'b',
      HTTP_PROXY: 'a',
    });
  });
});

describe('capabilities', () => {
  test('additions win over a dropped all', () => {
    assert.deepEqual(adjustCapabilities(['cap_net_raw'], ['ALL']), ['NET_RAW']);
    assert.deepEqual(
      adjustCapabilities([], ['CAP_KILL']),
      DEFAULT_CAPABILITIES.filter((name) => name !== 'KILL'),
    );
    assert.throws(() => adjustCapabilities(['NOPE'], []), { code: 'usage.invalid' });
  });
});

const container = { engine: 'x', name: 'n', id: 'i', image: 'm', imageId: 'd', rootless: false };

describe('bound files', () => {
  const options = { network: 'host', hostname: 'box', container } as const;
  test('hosts: extra ones first, the own name added', () => {
    assert.equal(
      hostsText({ ...options, addHosts: ['a;b:10.0.0.1', 'six:[::2]'] }, '127.0.0.1 localhost\n\n# c\n'),
      '10.0.0.1\ta b\n::2\tsix\n127.0.0.1 localhost\n# c\n127.0.0.1\tbox\n',
    );
    assert.equal(
      hostsText({ ...options, baseHosts: 'none' }, 'ignored'),
      '127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\tbox\n',
    );
    for (const entry of ['nocolon', 'a:not an address', ':1.2.3.4', 'a:$(x)']) {
      assert.throws(() => hostsText({ ...options, addHosts: [entry] }, ''), { code: 'usage.invalid' });
    }
  });
  test('resolv.conf: loopback servers only where they can be reached', () => {
    const host = '# x\nnameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch a b\noptions edns0\n';
    assert.equal(resolverText(options, host), 'search a b\nnameserver 127.0.0.53\nnameserver 9.9.9.9\noptions edns0\n');
    assert.equal(
      resolverText({ ...options, network: 'none' }, host),
      'search a b\nnameserver 9.9.9.9\noptions edns0\n',
    );
    assert.equal(
      resolverText({ ...options, dnsServers: ['1.1.1.1'], dnsSearch: ['.'], dnsOptions: [] }, host),
      'nameserver 1.1.1.1\n',
    );
  });
  test('a network of its own: its resolver first, the host where its gateway says', () => {
    const own = { ...options, network: 'private', resolver: '10.0.2.3', hostAddress: '10.0.2.2' } as const;
    assert.equal(resolverText(own, 'nameserver 127.0.0.53\n'), 'nameserver 10.0.2.3\n');
    assert.equal(resolverText({ ...own, dnsServers: ['1.1.1.1'] }, ''), 'nameserver 1.1.1.1\n');
    const addHosts = ['there:host-gateway'];
    assert.match(hostsText({ ...own, addHosts }, ''), /^10\.0\.2\.2\tthere$/m);
    assert.match(hostsText({ ...options, addHosts }, ''), /^127\.0\.0\.1\tthere$/m);
    const { hostAddress: _, ...routeless } = own;
    assert.throws(() => hostsText({ ...routeless, addHosts }, ''), { code: 'run.network-unavailable' });
  });
});
