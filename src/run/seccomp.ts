/** The seccomp filter of a process, as a program for the kernel or as the section of a runtime-spec config. */
import { statSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { ProcessSpec } from '../spec/process-spec.ts';
import { type Condition, compileFilter, type Rule, type RuleTable, VERDICT, type Verdict } from './bpf.ts';
import { type ResolvedProfile, type ResolvedRule, resolveProfile, systemProfilePath } from './seccomp-profile.ts';
import type { ProfileArgument } from './seccomp-rule.ts';
import { type SyscallTable, syscallNumbers } from './syscall-numbers.ts';

/** AUDIT_ARCH_* words. @see linux/audit.h */
const AUDIT: Readonly<Record<SyscallTable, number>> = {
  X86_64: 0xc000003e,
  X86: 0x40000003,
  AARCH64: 0xc00000b7,
  ARM: 0x40000028,
};
/** The machine's own table first, then that of the 32-bit programs it runs. */
const TABLES: Readonly<Record<string, readonly SyscallTable[]>> = { x64: ['X86_64', 'X86'], arm64: ['AARCH64', 'ARM'] };
/** Calls of the x32 ABI have this bit; nobody ships x32 images and its entry points were exploited before. */
const X32_BIT = 0x40000000;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

type SeccompRequest = Pick<ProcessSpec, 'seccomp' | 'capabilities'>;

const compiled = new Map<string, Buffer>();

/** Classic BPF for `installSeccompFilter`, or undefined when the process is to be unconfined. */
export function seccompProgram(process: SeccompRequest): Uint8Array | undefined {
  if (process.seccomp === 'unconfined') return undefined;
  const key = cacheKey(process);
  let program = compiled.get(key);
  if (program === undefined) {
    program = compileProfile(resolveProfile(process.seccomp, process.capabilities));
    compiled.set(key, program);
  }
  return program;
}

function cacheKey(request: SeccompRequest): string {
  const path = request.seccomp ?? systemProfilePath();
  const version = path === undefined ? '' : `${path}:${statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0}`;
  return `${version}:${request.seccomp === undefined}:${request.capabilities.join(' ')}`;
}

/** For every architecture this machine runs. */
export function compileProfile(profile: ResolvedProfile): Buffer {
  const tables = TABLES[process.arch];
  if (tables === undefined) {
    throw new BuilderError('run.isolation-unavailable', `no seccomp filter can be made on ${process.arch}`, {
      hint: 'use --isolation oci, or --security-opt seccomp=unconfined',
    });
  }
  return compileFilter(tables.map((name) => ruleTable(name, profile)));
}

function ruleTable(name: SyscallTable, profile: ResolvedProfile): RuleTable {
  const numbers = syscallNumbers(name);
  const rules = new Map<number, Rule[]>();
  for (const rule of profile.rules) {
    const verdict = verdictOf(rule.action, rule.errnoRet ?? 1);
    const conditions = rule.args.map(conditionOf);
    for (const call of rule.names) {
      const number = numbers.get(call);
      if (number === undefined) continue;
      const list = rules.get(number) ?? [];
      list.push({ conditions, verdict });
      rules.set(number, list);
    }
  }
  // An unconditional rule speaks only for what no conditional one has claimed.
  for (const list of rules.values())
    list.sort((a, b) => Number(b.conditions.length > 0) - Number(a.conditions.length > 0));
  return {
    architecture: AUDIT[name],
    rules,
    fallback: verdictOf(profile.defaultAction, profile.defaultErrnoRet),
    ...(name === 'X86_64' ? { above: { number: X32_BIT, verdict: VERDICT.ERRNO | ENOSYS } } : {}),
  };
}

function verdictOf(action: string, errnoRet: number): Verdict {
  switch (action) {
    case 'SCMP_ACT_ALLOW':
      return VERDICT.ALLOW;
    case 'SCMP_ACT_ERRNO':
      return VERDICT.ERRNO | (errnoRet & 0xffff);
    case 'SCMP_ACT_KILL':
    case 'SCMP_ACT_KILL_THREAD':
      return VERDICT.KILL_THREAD;
    case 'SCMP_ACT_KILL_PROCESS':
      return VERDICT.KILL_PROCESS;
    case 'SCMP_ACT_TRAP':
      return VERDICT.TRAP;
    case 'SCMP_ACT_LOG':
      return VERDICT.LOG;
    default:
      throw new BuilderError('run.start-failed', `the seccomp profile has an unknown action ${JSON.stringify(action)}`);
  }
}

function conditionOf(argument: ProfileArgument): Condition {
  const operator = argument.op.replace('SCMP_CMP_', '');
  const value = BigInt(argument.value);
  switch (operator) {
    case 'EQ':
    case 'NE':
    case 'LT':
    case 'LE':
    case 'GT':
    case 'GE':
      return { argument: argument.index, operator, value };
    case 'MASKED_EQ':
      return { argument: argument.index, operator, mask: value, value: BigInt(argument.valueTwo ?? 0) };
    default:
      throw new BuilderError(
        'run.start-failed',
        `the seccomp profile has an unknown operator ${JSON.stringify(argument.op)}`,
      );
  }
}

/** `linux.seccomp` of a runtime-spec config. */
export interface RuntimeSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly ResolvedRule[];
}

/** The same rules for an OCI runtime, which compiles them itself; undefined when the process is to be unconfined. */
export function runtimeSeccomp(request: SeccompRequest): RuntimeSeccomp | undefined {
  if (request.seccomp === 'unconfined') return undefined;
  const profile = resolveProfile(request.seccomp, request.capabilities);
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: (TABLES[process.arch] ?? []).map((name) => `SCMP_ARCH_${name}`),
    // libseccomp answers socket(2) of 32-bit programs through socketcall(2), where it can have one error number only.
    syscalls: profile.rules.filter((rule) => !(rule.names.includes('socket') && rule.errnoRet === EAFNOSUPPORT)),
  };
}
