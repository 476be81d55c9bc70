/** What containers.conf, storage.conf and mounts.conf of a machine do to runs and builds. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

describe('configuration of the machine', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-machine-config-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const withRig = async (act: (rig: Rig, env: (conf: string) => NodeJS.ProcessEnv) => void | Promise<void>) => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      rig.run('from', '--name', 'work', 'localhost/latest');
      const file = join(rig.makeFolder('conf'), 'containers.conf');
      await act(rig, (conf) => {
        writeFileSync(file, conf, { mode: 0o644 });
        rig.give(file);
        return { ...rig.env, CONTAINERS_CONF: file };
      });
    };
    const sh = (rig: Rig, env: NodeJS.ProcessEnv, script: string, ...flags: readonly string[]): string =>
      rig.must(['run', ...flags, 'work', 'busybox', 'sh', '-c', script], { env }).stdout;

    it(`containers.conf sets what a run has, flags go before it, ${name}`, { skip }, () =>
      withRig((rig, conf) => {
        writeFileSync(join(rig.folder, 'hosts'), '192.0.2.7 from-the-base\n');
        writeFileSync(join(rig.folder, 'shown'), 'shown to all\n');
        const env = conf(`
[containers]
base_hosts_file = "${rig.folder}/hosts"
container_name_as_hostname = true
default_capabilities = ["CHOWN"]
default_ulimits = ["nofile=99:100"]
dns_servers = ["192.0.2.53"]
dns_searches = ["search.test"]
dns_options = ["ndots:7"]
host_containers_internal_ip = "192.0.2.9"
netns = "none"
shm_size = "1m"
volumes = ["${rig.folder}/shown:/shown:ro"]
`);
        const facts = sh(
          rig,
          env,
          "hostname; grep -c from-the-base /etc/hosts; grep internal /etc/hosts; grep CapBnd /proc/self/status; ulimit -n; ls /sys/class/net 2>/dev/null | wc -l; df -k /dev/shm | tail -1 | busybox awk '{print $2}'; cat /shown",
        );
        assert.deepEqual(facts.trim().split('\n'), [
          'work',
          '1',
          '192.0.2.9\thost.containers.internal host.docker.internal',
          'CapBnd:\t0000000000000001',
          '99',
          '1',
          '1024',
          'shown to all',
        ]);
        const resolver = sh(rig, env, 'cat /etc/resolv.conf', '--network', 'host');
        assert.equal(resolver, 'search search.test\nnameserver 192.0.2.53\noptions ndots:7\n');
        assert.equal(sh(rig, env, 'hostname', '--hostname', 'mine'), 'mine\n');
      }),
    );

    it(`a build has it too, and its steps are told apart by it, ${name}`, { skip }, () =>
      withRig((rig, conf) => {
        writeFileSync(
          join(rig.folder, 'work/Containerfile'),
          'FROM localhost/latest\nRUN grep CapBnd /proc/self/status\n',
        );
        const build = (env: NodeJS.ProcessEnv) => {
          const { stdout, stderr } = rig.must(['build', '--layers', '-t', 'x', '.'], { env });
          return /CapBnd:\t(\w+)/.exec(`${stdout}${stderr}`)?.[1];
        };
        assert.equal(build(conf('[containers]\ndefault_capabilities = ["CHOWN"]\n')), '0000000000000001');
        assert.equal(build(conf('[containers]\ndefault_capabilities = ["DAC_OVERRIDE"]\n')), '0000000000000002');
        assert.equal(build(conf('[containers]\ndefault_capabilities = ["CHOWN"]\n')), undefined);
      }),
    );

    it(`a runtime is found where the file says, and gets the settings of namespaces, ${name}`, { skip }, (t) =>
      withRig((rig, conf) => {
        const runtime = rig.run('info', '--format', '{{.host.OCIRuntime}}');
        if (runtime === '') return t.skip('no OCI runtime works here');
        const link = `${basename(runtime)}-here`;
        symlinkSync(runtime, join(rig.folder, link));
        const env = conf(`
[containers]
default_sysctls = ["kernel.msgmax=4321", "net.ipv4.ip_forward=1"]
[engine]
runtime = "special"
[engine.runtimes]
special = ["/nonexistent/crun", "${rig.folder}/${link}"]
`);
        assert.equal(sh(rig, env, 'cat /proc/sys/kernel/msgmax'), '4321\n');
        assert.match(
          rig.try(['run', '--isolation', 'oci', '--runtime', 'other', 'work', 'true'], { env }).stderr,
          /there is no runtime other/,
        );
      }),
    );

    it(`variables of the file reach the program unless the caller has them, ${name}`, { skip }, () =>
      withRig((rig, conf) => {
        const env = conf('[engine]\nenv = ["http_proxy=http://proxy.test:1", "BUILDAH_FORMAT=docker"]\n');
        assert.equal(sh(rig, env, 'echo $http_proxy'), 'http://proxy.test:1\n');
        assert.equal(sh(rig, { ...env, http_proxy: 'http://mine.test' }, 'echo $http_proxy'), 'http://mine.test\n');
      }),
    );

    it(`mounts.conf shows copies that no layer gets, ${name}`, { skip }, () =>
      withRig((rig) => {
        const folder = rig.makeFolder('entitlement');
        writeFileSync(join(folder, 'key'), 'secret\n');
        rig.give(folder);
        const file = join(rig.folder, 'mounts.conf');
        writeFileSync(file, `${folder}:/run/secrets/own\n${rig.folder}/absent:/absent\n`);
        const words = ['--default-mounts-file', file, 'run', 'work', 'busybox', 'sh', '-c'];
        const script = 'cat /run/secrets/own/key; echo changed > /run/secrets/own/key; ls -d /absent';
        assert.equal(rig.try([...words, script]).stdout, 'secret\n');
        assert.equal(rig.command('cat', [join(folder, 'key')]), 'secret\n');
        assert.equal(rig.try(['run', 'work', 'busybox', 'ls', '/run/secrets/own']).status, 1);
      }),
    );

    it(`storage.conf says where the store is, ${name}`, { skip }, () =>
      withRig((rig) => {
        const file = join(rig.makeFolder('conf'), 'storage.conf');
        const text = `[storage]\ndriver = "vfs"\ngraphroot = "${rig.folder}/graph"\nrunroot = "${rig.folder}/state"\n`;
        writeFileSync(file, text, { mode: 0o644 });
        rig.give(file);
        const { uid, gid } = rig.account;
        const info = (...flags: readonly string[]) => {
          const format = '{{.store.GraphRoot}} {{.store.RunRoot}} {{.store.GraphDriverName}}';
          const env = { ...rig.env, CONTAINERS_STORAGE_CONF: file };
          const cwd = join(rig.folder, 'work');
          return command(rig.program, [...flags, 'info', '--format', format], { uid, gid, env, cwd }).trim();
        };
        assert.equal(info(), `${rig.folder}/graph/slipway ${rig.folder}/state/slipway vfs`);
        assert.match(
          info('--root', join(rig.folder, 'other')),
          new RegExp(`^${rig.folder}/other (?!${rig.folder}/state)`),
        );
      }),
    );

    it(`what is malformed ends the command with its place, ${name}`, { skip }, () =>
      withRig((rig, conf) => {
        const result = rig.try(['run', 'work', 'true'], { env: conf('[containers]\n\nshm_size = "much"\n') });
        assert.equal(result.status, 125);
        assert.match(
          result.stderr,
          /containers\.conf:3 cannot be used: key containers\.shm_size: expected a form like/,
        );
      }),
    );
  }
});
