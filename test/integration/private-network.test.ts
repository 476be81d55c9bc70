/**
 * `--network private`: a network of its own for every run, connected by pasta or slirp4netns, that reaches the host
 * only when asked to, in every isolation, as root and as an ordinary user; and nothing of it is left, however it ends.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Account, accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { seeOneCgroupVersion } from '../support/cgroup-view.ts';
import { command, findProgram, firstReason } from '../support/command.ts';
import { waitUntilNone } from '../support/processes.ts';
import { Rig } from '../support/rig.ts';

const HELPERS = ['pasta', 'slirp4netns'] as const;
const ISOLATIONS = [['chroot'], ['oci', 'runc'], ['oci', 'crun'], ['oci', 'runsc']] as const;

/** Says "here" to whoever connects to this machine's loopback, and first its port. */
const SERVER = `const server = require('node:net').createServer((socket) => socket.on('error', () => {}).end('here\\n'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

function noTunnel(account: Account): string | false {
  const mode = statSync('/dev/net/tun', { throwIfNoEntry: false })?.mode ?? 0;
  if (account.kind === 'root' ? mode !== 0 : (mode & 0o006) === 0o006) return false;
  return `${account.name} may not open /dev/net/tun`;
}

/** Says what it finds, a line each: interfaces, and who answers at the loopback, the gateway and `names`. */
function look(port: string, ...names: string[]): string {
  const ask = (name: string, address: string) =>
    `echo ${name}=$(sleep 0.3 | busybox timeout 1 busybox nc ${address} ${port} 2>/dev/null)`;
  const gateway = `$(busybox ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p')`;
  return [
    'echo interfaces=$(ls /sys/class/net | wc -l)',
    'echo lo=$(busybox ip addr show lo | grep -c "127.0.0.1/8")',
    ask('loopback', '127.0.0.1'),
    ask('gateway', gateway),
    ...names.map((name) => ask(name, name)),
  ].join('; ');
}

function answers(text: string): Record<string, string> {
  return Object.fromEntries(text.split('\n').map((line) => line.split('=') as [string, string]));
}

interface Born {
  readonly pid: number;
  readonly started: string;
  readonly words: string;
}

function born(pid: string): (Born & { readonly parent: number }) | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
    if (fields[0] === 'Z') return undefined;
    return { pid: Number(pid), parent: Number(fields[1]), started: fields[19] ?? '', words };
  } catch {
    return undefined;
  }
}

function descendants(pid: number): Born[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const facts = all.map(born).filter((found) => found !== undefined);
  const below = (parent: number): Born[] =>
    facts.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.pid)]);
  return below(pid);
}

const isAlive = ({ pid, started }: Born): boolean => born(String(pid))?.started === started;

const missing = HELPERS.find((helper) => findProgram(helper) === undefined);
const skip = firstReason(
  staticBusybox() === undefined && 'not installed: a static busybox',
  missing !== undefined && `not installed: ${missing}`,
);

describe('a private network', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-private-network-'));
  let server: ChildProcess;
  let port = '';
  before(async () => {
    seeOneCgroupVersion();
    makeBusyboxBase(join(scratch, 'busybox'));
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
    server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
    port = await new Promise((resolve) => server.stdout?.once('data', (chunk) => resolve(String(chunk).trim())));
  });
  after(() => {
    server.kill();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const { name, account } of accounts()) {
    const reason = typeof account === 'string' ? account : noTunnel(account);
    describe(`as ${name}`, { skip: reason }, () => {
      let rig: Rig;
      /** With and without a name for the host. */
      let plain = '';
      let named = '';
      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        plain = rig.run('from', 'localhost/latest');
        named = rig.run('from', '--add-host', 'there:host-gateway', 'localhost/latest');
      });
      after(() => rig?.[Symbol.asyncDispose]());

      for (const [isolation, runtime] of ISOLATIONS) {
        const flags = ['--isolation', isolation, ...(runtime === undefined ? [] : ['--runtime', runtime])];
        const how = runtime ?? isolation;
        it(`is connected and apart from the host's, ${how}`, async (t) => {
          const trial = rig.try(['run', ...flags, plain, 'true']);
          if (/does not work here/.test(trial.stderr)) return t.skip(trial.stderr.split('\n')[0]);
          assert.equal(trial.status, 0, trial.stderr);
          // What connects the network does not know what runs in it.
          for (const helper of how === 'chroot' ? [...HELPERS, 'private'] : [HELPERS[0]]) {
            const found = (container: string, ...names: string[]) => {
              const script = look(port, ...names);
              return answers(rig.run('run', ...flags, '--network', helper, container, 'sh', '-c', script));
            };
            const apart = { interfaces: '2', lo: '1', loopback: '' };
            assert.deepEqual(found(plain), { ...apart, gateway: '' }, helper);
            assert.deepEqual(found(named, 'there'), { ...apart, gateway: 'here', there: 'here' }, helper);
          }
          const shared = answers(rig.run('run', ...flags, plain, 'sh', '-c', look(port)));
          assert.equal(shared['loopback'], 'here', 'without the flag the network is the host’s');
        });
      }

      it('builds: RUN has it by default, may cut itself off, may not get out', () => {
        const build = (run: string) => {
          const context = rig.makeFolder(`context-${run.length}`);
          writeFileSync(join(context, 'Dockerfile'), `FROM localhost/latest\n${run}\n`);
          rig.give(context);
          return rig.try(['build', '--network', 'private', context]);
        };
        const own = build('RUN echo n=$(ls /sys/class/net | wc -l)');
        assert.match(own.stdout + own.stderr, /n=2/);
        const none = build('RUN --network=none echo n=$(ls /sys/class/net | wc -l)');
        assert.match(none.stdout + none.stderr, /n=1/);
        const host = build('RUN --network=host echo reached');
        assert.notEqual(host.status, 0);
        assert.match(host.stderr, /RUN --network=host is not allowed in a build with --network=private/);
      });

      it('takes the resolver given, else the one that works in there', () => {
        const resolvers = (...flags: string[]) => {
          const container = rig.run('from', ...flags, 'localhost/latest');
          return rig.run('run', '--network', 'slirp4netns', container, 'cat', '/etc/resolv.conf');
        };
        assert.match(resolvers(), /^nameserver 10\.0\.2\.3$/m);
        assert.match(resolvers('--dns', '192.0.2.53'), /^nameserver 192\.0\.2\.53$/m);
        assert.doesNotMatch(resolvers('--dns', '192.0.2.53'), /10\.0\.2\.3/);
      });

      const ENDS: readonly [string, (pid: number) => void, number][] = [
        ['success', () => {}, 0],
        ['failure', () => {}, 3],
        ['SIGINT', (pid) => process.kill(pid, 'SIGINT'), 0],
        ['SIGKILL', (pid) => process.kill(pid, 'SIGKILL'), 0],
      ];
      for (const helper of HELPERS) {
        for (const [ending, end, code] of ENDS) {
          it(`F26 leaves no process of ${helper} after ${ending}`, async () => {
            const seconds = ending.startsWith('SIG') ? 600 : 1;
            const script = `sleep ${seconds}; exit ${code}`;
            const child = rig.start(['run', '--network', helper, plain, 'sh', '-c', script]);
            const ended = new Promise((resolve) => child.once('exit', resolve));
            let family: Born[] = [];
            for (let tries = 0; tries < 400 && child.exitCode === null; tries++) {
              family = descendants(child.pid ?? 0);
              if (family.some(({ words }) => words.startsWith('sleep'))) break;
              await pause(25);
            }
            assert.ok(
              family.some(({ words }) => words.includes(`/${helper}`)),
              `${helper} was not seen`,
            );
            end(child.pid ?? 0);
            const left = await waitUntilNone(() => family.filter(isAlive), 10_000);
            assert.deepEqual(left, []);
            const status = await ended;
            if (!ending.startsWith('SIG')) assert.equal(status, code);
          });
        }
      }
    });
  }
});

describe('a private network without a helper', () => {
  it('F25 is refused, with the packages that have one', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
    // An empty file over each program, in a mount namespace of this command alone.
    const launcher = join(import.meta.dirname, '../../../bin/slipway');
    const folder = mkdtempSync(join(tmpdir(), 'slipway-helpless-'));
    writeFileSync(join(folder, 'nothing'), '', { mode: 0o644 });
    const store = `--root ${folder}/root --runroot ${folder}/runroot`;
    const hide = 'for p in pasta slirp4netns; do p=$(command -v $p) && mount --bind $FILE "$p"; done'.replace(
      '$FILE',
      join(folder, 'nothing'),
    );
    const script = `${hide}; c=$(${launcher} ${store} from scratch); ${launcher} ${store} run --network private $c x`;
    try {
      command('unshare', ['--mount', 'sh', '-c', `! { ${script}; } 2>${folder}/said`]);
      const said = readFileSync(join(folder, 'said'), 'utf8');
      assert.match(said, /neither pasta nor slirp4netns is installed/);
      assert.match(said, /apt-get install passt {3}\(or slirp4netns\)/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
