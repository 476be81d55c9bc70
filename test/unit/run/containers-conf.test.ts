import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { type ContainersConf, parseContainersConf } from '../../../src/run/containers-conf.ts';

const parse = (...texts: readonly string[]): ContainersConf =>
  parseContainersConf(...texts.map((text, i) => ({ text, file: `${i}.conf` })));

describe('keys of containers.conf', () => {
  const cases: readonly (readonly [section: string, line: string, expected: ContainersConf])[] = [
    ['containers', 'base_hosts_file = "none"', { baseHostsFile: 'none' }],
    ['containers', 'container_name_as_hostname = true', { containerNameAsHostname: true }],
    ['containers', 'default_capabilities = ["cap_net_raw", "CHOWN"]', { capabilities: ['CHOWN', 'NET_RAW'] }],
    ['containers', 'default_sysctls = ["kernel.msgmax=1"]', { sysctls: ['kernel.msgmax=1'] }],
    [
      'containers',
      'default_ulimits = ["nofile=10:20", "core=-1"]',
      {
        limits: [
          { name: 'nofile', soft: 10, hard: 20 },
          { name: 'core', soft: -1, hard: -1 },
        ],
      },
    ],
    ['containers', 'devices = ["/dev/fuse"]', { devices: ['/dev/fuse'] }],
    ['containers', 'volumes = ["/a:/b:ro"]', { volumes: ['/a:/b:ro'] }],
    ['containers', 'dns_servers = ["192.0.2.1"]', { dnsServers: ['192.0.2.1'] }],
    ['containers', 'dns_options = ["ndots:2"]', { dnsOptions: ['ndots:2'] }],
    ['containers', 'dns_searches = ["a.test"]', { dnsSearches: ['a.test'] }],
    ['containers', 'host_containers_internal_ip = "192.0.2.9"', { hostAddress: '192.0.2.9' }],
    ['containers', 'cgroupns = "host"', { namespaces: { cgroup: 'host' } }],
    ['containers', 'ipcns = "shareable"', { namespaces: { ipc: 'private' } }],
    ['containers', 'pidns = "ns:/proc/1/ns/pid"', { namespaces: { pid: 'ns:/proc/1/ns/pid' } }],
    ['containers', 'utsns = "private"', { namespaces: { uts: 'private' } }],
    ['containers', 'netns = "none"', { network: 'none' }],
    ['containers', 'netns = "bridge"', { network: 'private' }],
    ['containers', 'shm_size = "64m"', { shmSizeBytes: 64 * 2 ** 20 }],
    ['engine', 'runtime = "runc"', { runtime: 'runc' }],
    ['engine.runtimes', 'crun = ["/a", "/b"]', { runtimes: { crun: ['/a', '/b'] } }],
    ['engine', 'cgroup_manager = "cgroupfs"', { cgroupManager: 'cgroupfs' }],
    ['engine', 'cdi_spec_dirs = ["/etc/cdi"]', { cdiDirectories: ['/etc/cdi'] }],
    ['engine', 'hooks_dir = ["/hooks"]', { hooksDirectories: ['/hooks'] }],
    ['engine', 'compression_format = "zstd:chunked"', { compressionFormat: 'zstd:chunked' }],
    ['engine', 'compression_level = 7', { compressionLevel: 7 }],
    ['engine', 'image_parallel_copies = 2', { parallelCopies: 2 }],
    ['engine', 'image_parallel_copies = 0', {}],
    ['engine', 'retry = 0', { retries: 0 }],
    ['engine', 'retry_delay = "1m1.5s"', { retryDelayMs: 61_500 }],
    ['engine', 'env = ["A=b=c"]', { env: { A: 'b=c' } }],
    ['network', 'default_rootless_network_cmd = "pasta"', { networkHelper: 'pasta' }],
    ['machine', 'anything = "of others"', {}],
  ];
  for (const [section, line, expected] of cases) {
    it(`${section}: ${line}`, () => assert.deepEqual(parse(`[${section}]\n${line}\n`), expected));
  }

  it('empty texts set nothing', () => {
    const text =
      '[containers]\nbase_hosts_file = ""\nnetns = ""\nshm_size = ""\nipcns = ""\n[engine]\nruntime = ""\nretry_delay = ""\n';
    assert.deepEqual(parse(text), {});
  });

  it('the usual capabilities are no setting, and take one of an earlier file back', () => {
    const usual =
      '[containers]\ndefault_capabilities = ["SYS_CHROOT", "SETUID", "SETPCAP", "SETGID", "SETFCAP", "NET_BIND_SERVICE", "KILL", "FSETID", "FOWNER", "DAC_OVERRIDE", "CHOWN"]\n';
    assert.deepEqual(parse(usual), {});
    assert.deepEqual(parse('[containers]\ndefault_capabilities = ["KILL"]', usual), {});
  });
});

describe('several files', () => {
  it('a later one wins key by key', () => {
    const first = '[containers]\nshm_size = "1m"\ncgroupns = "host"\nvolumes = ["/a:/a"]\n[engine]\nretry = 1\n';
    const second = '[containers]\nshm_size = "2m"\nipcns = "host"\nvolumes = ["/b:/b"]\n';
    assert.deepEqual(parse(first, second), {
      shmSizeBytes: 2 ** 21,
      namespaces: { cgroup: 'host', ipc: 'host' },
      volumes: ['/b:/b'],
      retries: 1,
    });
  });

  it('a list continues the earlier one where one of them said so, until another says otherwise', () => {
    const list = (text: string) => `[containers]\nvolumes = [${text}]\n`;
    assert.deepEqual(parse(list('"/a:/a"'), list('"/b:/b", {append=true}')).volumes, ['/a:/a', '/b:/b']);
    assert.deepEqual(parse(list('"/a:/a", {append=true}'), list('"/b:/b"')).volumes, ['/a:/a', '/b:/b']);
    assert.deepEqual(parse(list('"/a:/a", {append=true}'), list('"/b:/b", {append=false}')).volumes, ['/b:/b']);
  });
});

describe('what is malformed', () => {
  for (const [text, why] of [
    [
      '[containers]\n\nshm_size = "much"',
      /0\.conf:3 cannot be used: key containers\.shm_size: expected a form like 64m/,
    ],
    ['[containers]\ndefault_capabilities = ["FLY"]', /0\.conf:2 .*key containers\.default_capabilities: "FLY" is no/],
    ['[containers]\ndefault_sysctls = ["a"]', /key containers\.default_sysctls: "a" is not NAME=VALUE/],
    ['[containers]\ndefault_ulimits = ["many"]', /key containers\.default_ulimits: "many" is not NAME=SOFT/],
    ['[containers]\nnetns = "moon"', /key containers\.netns: expected host/],
    ['[containers]\npidns = "moon"', /key containers\.pidns: expected private/],
    ['[containers]\nvolumes = "x"', /key containers\.volumes: expected a list of strings/],
    ['[containers]\ncontainer_name_as_hostname = "yes"', /expected true or false/],
    ['[engine]\ncgroup_manager = "me"', /key engine\.cgroup_manager: expected one of cgroupfs, systemd/],
    ['[engine]\ncompression_format = "zip"', /key engine\.compression_format: expected one of gzip, zstd/],
    ['[engine]\nretry = "3"', /key engine\.retry: expected a whole number/],
    ['[engine]\nretry_delay = "soon"', /key engine\.retry_delay: expected a form like 2s/],
    ['[engine]\nenv = ["A"]', /key engine\.env: "A" is not NAME=VALUE/],
    ['[engine.runtimes]\ncrun = "/usr/bin/crun"', /0\.conf:2 .*key engine\.runtimes\.crun: expected a list/],
    ['[network]\ndefault_rootless_network_cmd = "x"', /key network\.default_rootless_network_cmd: expected one of/],
    ['containers = 1', /0\.conf:1 .*key containers: expected a table/],
  ] as const) {
    it(`is named: ${text.replaceAll('\n', ' ')}`, () => {
      assert.throws(
        () => parse(text),
        (error) => isBuilderError(error, 'usage.invalid') && why.test(error.message),
      );
    });
  }
});
