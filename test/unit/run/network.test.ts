import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  complaintOf,
  gatewayOf,
  helperArguments,
  helpersFor,
  NETWORK_HELPERS,
  orderedHelpers,
  RESOLVERS,
  wantsHostAddress,
} from '../../../src/run/network.ts';
import { installHint } from '../../../src/run/private-network.ts';
import { runtimeSpec } from '../../../src/run/runtime-spec.ts';
import { processSpec } from '../../support/executor-suite.ts';

describe('helpers of a private network', () => {
  test('private takes any, a name takes that one, the rest none', () => {
    assert.deepEqual(helpersFor('private', ['slirp4netns', 'pasta']), ['slirp4netns', 'pasta']);
    assert.deepEqual(helpersFor('slirp4netns', NETWORK_HELPERS), ['slirp4netns']);
    for (const mode of ['host', 'none', 'ns:/x'] as const) assert.deepEqual(helpersFor(mode, NETWORK_HELPERS), []);
  });

  test('pasta comes first unless it is an early one or does not know what it is', () => {
    for (const version of ['pasta 2024_02_20.1e6f92b', 'pasta 0.0~git20250503.587980c-2\nCopyright Red Hat']) {
      assert.equal(orderedHelpers(version)[0], 'pasta', version);
    }
    for (const version of ['pasta unknown version\nCopyright Red Hat', 'pasta 2023_06_27.289301b', '']) {
      assert.equal(orderedHelpers(version)[0], 'slirp4netns', version);
    }
  });

  test('the host is out of reach unless asked for', () => {
    assert.ok(helperArguments('slirp4netns', '/ns', false).includes('--disable-host-loopback'));
    assert.ok(!helperArguments('slirp4netns', '/ns', true).includes('--disable-host-loopback'));
    assert.ok(helperArguments('pasta', '/ns', false).includes('--no-map-gw'));
    assert.ok(!helperArguments('pasta', '/ns', true).includes('--no-map-gw'));
  });

  test('pasta forwards no port, in either direction', () => {
    const words = helperArguments('pasta', '/ns', true).join(' ');
    for (const flag of ['-t', '-u', '-T', '-U']) assert.ok(words.includes(`${flag} none`), flag);
    assert.match(words, /--dns-forward 169\.254\.1\.1 --netns \/ns$/);
  });

  test('slirp4netns confines itself and gets the namespace before the name of the interface', () => {
    const words = helperArguments('slirp4netns', '/ns', false);
    assert.deepEqual(words.slice(-2), ['/ns', 'tap0']);
    assert.ok(words.includes('--enable-sandbox') && words.includes('--enable-seccomp'));
    assert.equal(RESOLVERS.slirp4netns, '10.0.2.3');
  });

  test('the gateway is that of the default route', () => {
    const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
    const local = 'tap0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';
    assert.equal(gatewayOf(`${head}${local}tap0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`), '10.0.2.2');
    assert.equal(gatewayOf(`${head}${local}`), undefined);
    assert.equal(gatewayOf(`${head}tun\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n`), undefined);
    assert.equal(gatewayOf(''), undefined);
  });

  test('only host-gateway asks for the host', () => {
    assert.equal(wantsHostAddress(['a:10.0.0.1', 'b:host-gateway']), true);
    assert.equal(wantsHostAddress(['host-gateway:10.0.0.1']), false);
    assert.equal(wantsHostAddress([]), false);
  });

  test('what a helper complains of is its last word that says something', () => {
    const said =
      'Failed to send 51 bytes to syslog\nFailed to open tun socket in namespace\nFailed to send 9 bytes to syslog\n';
    assert.equal(complaintOf(said), 'Failed to open tun socket in namespace');
    assert.equal(complaintOf('\n'), 'it gives no reason');
  });

  test('the hint names both packages', () => {
    assert.equal(installHint(['pasta', 'slirp4netns']), 'sudo apt-get install passt   (or slirp4netns)');
    assert.equal(installHint(['slirp4netns']), 'sudo apt-get install slirp4netns');
  });
});

describe('the network in config.json', () => {
  const on = {
    root: '/r',
    rootless: true,
    hasTtyGroup: true,
    seccomp: undefined,
    cgroupNamespace: false,
    scratchFor: String,
  };
  const facts = (network: 'host' | 'none' | { namespace: string }) => {
    const spec = runtimeSpec(processSpec(['x'], { network }), on) as {
      linux: { namespaces: { type: string; path?: string }[] };
      mounts: { destination: string; type: string }[];
    };
    return {
      network: spec.linux.namespaces.filter(({ type }) => type === 'network'),
      sys: spec.mounts.find(({ destination }) => destination === '/sys')?.type,
    };
  };
  test('host shares, none is new, a namespace is entered; sysfs is mounted only where it may be', () => {
    assert.deepEqual(facts('host'), { network: [], sys: 'bind' });
    assert.deepEqual(facts('none'), { network: [{ type: 'network' }], sys: 'sysfs' });
    const entered = { network: [{ type: 'network', path: '/proc/7/ns/net' }], sys: 'sysfs' };
    assert.deepEqual(facts({ namespace: '/proc/7/ns/net' }), entered);
  });
});
