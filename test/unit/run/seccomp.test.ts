import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { compileFilter, VERDICT } from '../../../src/run/bpf.ts';
import { DEFAULT_CAPABILITIES } from '../../../src/run/capabilities.ts';
import { ChrootExecutor } from '../../../src/run/chroot.ts';
import { compileProfile, runtimeSeccomp, seccompProgram } from '../../../src/run/seccomp.ts';
import { builtInProfile } from '../../../src/run/seccomp-default.ts';
import { syscallNumbers } from '../../../src/run/syscall-numbers.ts';
import { mayMount } from '../../../src/sys/user-namespace.ts';
import { busyboxProblem, busyboxRoot, execute, processSpec } from '../../support/executor-suite.ts';

const X86_64 = 0xc000003e;
const I386 = 0x40000003;

/** What the kernel does with a filter. @see linux/filter.h */
function runFilter(program: Uint8Array, architecture: number, number: number, args: readonly bigint[] = []): number {
  const input = Buffer.alloc(64);
  input.writeUInt32LE(number, 0);
  input.writeUInt32LE(architecture, 4);
  for (const [i, arg] of args.entries()) input.writeBigUInt64LE(arg, 16 + i * 8);
  const code = Buffer.from(program);
  let accumulator = 0;
  for (let pc = 0; ; pc++) {
    const [op, jt, jf, k] = [
      code.readUInt16LE(pc * 8),
      code[pc * 8 + 2]!,
      code[pc * 8 + 3]!,
      code.readUInt32LE(pc * 8 + 4),
    ];
    const branch = (taken: boolean): void => {
      pc += taken ? jt : jf;
    };
    if (op === 0x20) accumulator = input.readUInt32LE(k);
    else if (op === 0x05) pc += k;
    else if (op === 0x15) branch(accumulator === k);
    else if (op === 0x25) branch(accumulator > k);
    else if (op === 0x35) branch(accumulator >= k);
    else if (op === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (op === 0x06) return k;
    else throw new Error(`unknown instruction ${op}`);
  }
}

const errno = (number: number): number => VERDICT.ERRNO | number;
const native = syscallNumbers('X86_64');

describe('filter compiler', () => {
  const table = (conditions: Parameters<typeof compileFilter>[0][number]['rules']) =>
    compileFilter([{ architecture: X86_64, rules: conditions, fallback: errno(38) }]);

  test('gives every number its own verdict, gaps the fallback', () => {
    const verdicts = new Map(Array.from({ length: 300 }, (_, n) => [n * 2, [{ conditions: [], verdict: errno(n) }]]));
    const program = table(verdicts);
    for (let n = 0; n < 300; n++) {
      assert.equal(runFilter(program, X86_64, n * 2), errno(n));
      assert.equal(runFilter(program, X86_64, n * 2 + 1), errno(38));
    }
  });

  test('kills on an architecture without a table', () => {
    assert.equal(runFilter(table(new Map()), 0x1234, 0), VERDICT.KILL_PROCESS);
  });

  const big = 0x1_0000_0005n;
  const cases = [
    ['EQ', 5n, [5n], [4n, 6n, big]],
    ['NE', 5n, [4n, big], [5n]],
    ['GT', 5n, [6n, big], [5n, 4n]],
    ['GE', 5n, [5n, big], [4n]],
    ['LT', big, [5n, 0x1_0000_0004n], [big, 0x2_0000_0000n]],
    ['LE', big, [big, 7n], [0x1_0000_0006n, 0x2_0000_0000n]],
  ] as const;
  for (const [operator, value, yes, no] of cases) {
    test(`compares all 64 bits for ${operator}`, () => {
      const rule = { conditions: [{ argument: 1, operator, value }], verdict: VERDICT.ALLOW };
      const program = table(new Map([[7, [rule]]]));
      for (const arg of yes) assert.equal(runFilter(program, X86_64, 7, [0n, arg]), VERDICT.ALLOW, `${arg}`);
      for (const arg of no) assert.equal(runFilter(program, X86_64, 7, [0n, arg]), errno(38), `${arg}`);
    });
  }
});

describe('default filter', { skip: process.arch === 'x64' ? false : 'numbers of x86-64' }, () => {
  const programs = {
    system: seccompProgram({ capabilities: DEFAULT_CAPABILITIES })!,
    'built-in': compileProfile({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      rules: builtInProfile()
        .syscalls!.filter((rule) => rule.includes === undefined)
        .map((rule) => ({
          names: rule.names ?? [],
          action: rule.action,
          args: rule.args ?? [],
          errnoRet: rule.errnoRet ?? 1,
        })),
    }),
  };
  for (const [name, program] of Object.entries(programs)) {
    const verdict = (call: string, ...args: bigint[]): number => runFilter(program, X86_64, native.get(call)!, args);

    test(`${name}: everyday calls pass`, () => {
      for (const call of [
        'read',
        'write',
        'openat',
        'execve',
        'futex',
        'statx',
        'faccessat2',
        'setresuid',
        'epoll_pwait2',
      ]) {
        assert.equal(verdict(call), VERDICT.ALLOW, call);
      }
    });

    test(`B67 ${name}: calls into the kernel's soft spots are refused`, () => {
      for (const call of [
        'bpf',
        'keyctl',
        'add_key',
        'request_key',
        'userfaultfd',
        'io_uring_setup',
        'kexec_load',
        'perf_event_open',
        'init_module',
      ]) {
        assert.equal(verdict(call) & 0x7fff0000, VERDICT.ERRNO, call);
      }
    });

    test(`${name}: x32 numbers and calls of the future are unknown`, () => {
      assert.equal(runFilter(program, X86_64, 0x40000000 + 1), errno(38));
      assert.equal(runFilter(program, X86_64, 1000), errno(38));
    });

    test(`${name}: 32-bit programs run`, () => {
      const numbers = syscallNumbers('X86');
      assert.equal(runFilter(program, I386, numbers.get('openat')!), VERDICT.ALLOW);
      assert.equal(runFilter(program, I386, numbers.get('mmap2')!), VERDICT.ALLOW);
    });
  }

  const verdict = (call: string, ...args: bigint[]): number =>
    runFilter(programs.system, X86_64, native.get(call)!, args);

  test('B67 sockets of families with a bad record are refused, with junk in the high half too', () => {
    for (const family of [1n, 2n, 10n, 16n, 17n])
      assert.equal(verdict('socket', family, 1n, 0n), VERDICT.ALLOW, `${family}`);
    for (const family of [38n, 40n]) {
      assert.equal(verdict('socket', family, 5n, 0n), errno(97));
      assert.notEqual(verdict('socket', family | (1n << 32n), 5n, 0n), VERDICT.ALLOW);
    }
    assert.equal(verdict('socket', 16n, 3n, 9n), errno(22));
    assert.equal(
      runFilter(programs.system, I386, syscallNumbers('X86').get('socketcall')!) & 0x7fff0000,
      VERDICT.ERRNO,
    );
  });

  test('new user namespaces are refused, forks are not', () => {
    assert.equal(verdict('clone', 0x11n), VERDICT.ALLOW);
    assert.equal(verdict('clone', 0x10000011n), errno(1));
    assert.notEqual(verdict('unshare', 0x10000000n), VERDICT.ALLOW);
    assert.equal(verdict('clone3'), errno(38));
  });

  test('an unconfined process has no filter', () => {
    const request = { capabilities: [], seccomp: 'unconfined' };
    assert.deepEqual([seccompProgram(request), runtimeSeccomp(request)], [undefined, undefined]);
  });

  test('a profile that cannot be read is an error, not no profile', () => {
    assert.throws(() => seccompProgram({ capabilities: [], seccomp: '/nosuch.json' }), { code: 'run.start-failed' });
  });
});

const problem =
  busyboxProblem() ??
  (mayMount() ? undefined : 'needs the right to mount') ??
  (existsSync('/usr/bin/perl') && process.arch === 'x64' ? undefined : 'needs perl on x86-64');

test('B67 the kernel refuses what the filter says', { skip: problem ?? false }, async () => {
  const root = busyboxRoot();
  const script = `
    print "alg ", (socket(S,38,5,0) ? "open" : $!+0), "\\n";
    print "vsock ", (socket(S,40,1,0) ? "open" : $!+0), "\\n";
    print "inet ", (socket(S,2,1,0) ? "open" : $!+0), "\\n";
    for ([keyctl=>250],[bpf=>321],[userfaultfd=>323],[io_uring_setup=>425]) { my $r = syscall($_->[1],0,0,0); print "$_->[0] ", ($r >= 0 ? "open" : $!+0), "\\n"; }
    my $r = syscall(272,0x10000000); print "unshare ", ($r == 0 ? "open" : $!+0), "\\n";`;
  try {
    const mounts = ['/usr', '/lib', '/lib64']
      .filter((path) => existsSync(path))
      .map((path) => ({ type: 'bind', source: path, target: path, readOnly: true }) as const);
    const { out, err } = await execute(
      new ChrootExecutor(),
      root,
      processSpec(['/usr/bin/perl', '-e', script], { mounts }),
    );
    assert.equal(
      out,
      'alg 97\nvsock 97\ninet open\nkeyctl 1\nbpf 1\nuserfaultfd 1\nio_uring_setup 1\nunshare 1\n',
      err,
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
