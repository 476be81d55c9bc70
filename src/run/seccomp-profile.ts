/**
 * Seccomp profiles in the JSON that Docker, Podman and Buildah share, resolved for one process: which rules apply on
 * this architecture with these capabilities.
 *
 * Which profile. A path given by the user is taken as it stands. Otherwise it is the system's
 * (/etc/containers/seccomp.json, /usr/share/containers/seccomp.json) or the built-in one, tightened where distributions
 * are behind: no AF_ALG or AF_VSOCK sockets, no keyrings, bpf, userfaultfd or io_uring, no new user namespaces.
 *
 * @see containers/common pkg/seccomp, moby profiles/seccomp, runtime-spec "seccomp"
 */
import { existsSync, readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { builtInProfile } from './seccomp-default.ts';
import type { ProfileArgument, ProfileRule, SeccompProfile } from './seccomp-rule.ts';

/** A rule that applies, in the runtime-spec's form. */
export interface ResolvedRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args: readonly ProfileArgument[];
}

export interface ResolvedProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly rules: readonly ResolvedRule[];
}

const SYSTEM_PROFILES = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json'];
const EPERM = 1;
/** A profile is a few ten KiB; anything huge is a mistake. */
const LARGEST_PROFILE = 4 * 1024 * 1024;

/** A profile of the user's, as it stands. @throws `run.start-failed` when it cannot be read or is not a profile */
export function readProfile(path: string): SeccompProfile {
  let parsed: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > LARGEST_PROFILE) throw new Error('it is too large');
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new BuilderError('run.start-failed', `cannot read the seccomp profile ${JSON.stringify(path)}`, { cause });
  }
  if (typeof (parsed as { defaultAction?: unknown } | null)?.defaultAction !== 'string') {
    throw new BuilderError('run.start-failed', `${JSON.stringify(path)} is not a seccomp profile: no defaultAction`);
  }
  return parsed as SeccompProfile;
}

/** Path of the system's default profile, if it has one. */
export function systemProfilePath(): string | undefined {
  return SYSTEM_PROFILES.find((path) => existsSync(path));
}

/**
 * The rules for a process with these capabilities.
 * @param path as in `ProcessSpec.seccomp`, but never `unconfined`
 */
export function resolveProfile(path: string | undefined, capabilities: readonly string[]): ResolvedProfile {
  if (path !== undefined) return resolve(readProfile(path), capabilities);
  const system = systemProfilePath();
  return tighten(resolve(system === undefined ? builtInProfile() : readProfile(system), capabilities), capabilities);
}

/** Names that profiles use for the machine's architecture and the 32-bit one it also runs. */
const ARCHES: Readonly<Record<string, readonly string[]>> = { x64: ['amd64', 'x86'], arm64: ['arm64', 'arm'] };

function resolve(profile: SeccompProfile, capabilities: readonly string[]): ResolvedProfile {
  const arches = ARCHES[process.arch] ?? [];
  const has = (name: string): boolean => capabilities.includes(name.replace(/^CAP_/, ''));
  const applies = ({ includes, excludes }: ProfileRule): boolean =>
    (includes?.arches === undefined || includes.arches.some((arch) => arches.includes(arch))) &&
    (includes?.caps === undefined || includes.caps.every(has)) &&
    !(excludes?.arches?.some((arch) => arches.includes(arch)) ?? false) &&
    !(excludes?.caps?.some(has) ?? false);
  const rules = (profile.syscalls ?? []).filter(applies).map(
    (rule): ResolvedRule => ({
      names: rule.names ?? (rule.name === undefined ? [] : [rule.name]),
      action: rule.action,
      args: rule.args ?? [],
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
    }),
  );
  return { defaultAction: profile.defaultAction, defaultErrnoRet: profile.defaultErrnoRet ?? EPERM, rules };
}

const ALLOW = 'SCMP_ACT_ALLOW';
const ERRNO = 'SCMP_ACT_ERRNO';
const ENOSYS = 38;
const EINVAL = 22;
const EAFNOSUPPORT = 97;
const CLONE_NEWUSER = 0x10000000;
const AF_NETLINK = 16;
const NETLINK_AUDIT = 9;
const AF_ALG = 38;
const AF_VSOCK = 40;
/** AF_MCTP, the last family there is. */
const LAST_FAMILY = 45;

/** Always refused: each was the way in of several kernel exploits, and none has a use in a build. */
const NEVER = [
  'add_key',
  'keyctl',
  'request_key',
  'userfaultfd',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
];

/** Replaces the profile's rules for some calls by stricter ones; what the profile refuses anyway stays refused. */
function tighten(profile: ResolvedProfile, capabilities: readonly string[]): ResolvedProfile {
  const replaced = new Map<string, readonly ResolvedRule[]>();
  const errno = (name: string, errnoRet: number, args: readonly ProfileArgument[] = []): ResolvedRule => ({
    names: [name],
    action: ERRNO,
    errnoRet,
    args,
  });
  for (const name of NEVER) replaced.set(name, [errno(name, EPERM)]);
  if (!capabilities.includes('SYS_ADMIN')) {
    if (!capabilities.includes('BPF')) replaced.set('bpf', [errno('bpf', EPERM)]);
    // Its flags are in memory, out of a filter's reach; callers fall back to clone.
    replaced.set('clone3', [errno('clone3', ENOSYS)]);
    for (const name of ['clone', 'unshare']) {
      if (!isAllowed(profile, name)) continue;
      const flags = (value: number): ProfileArgument => ({
        index: 0,
        value: CLONE_NEWUSER,
        valueTwo: value,
        op: 'SCMP_CMP_MASKED_EQ',
      });
      replaced.set(name, [
        { names: [name], action: ALLOW, args: [flags(0)] },
        errno(name, EPERM, [flags(CLONE_NEWUSER)]),
      ]);
    }
  }
  replaced.set('socket', socketRules(capabilities.includes('AUDIT_WRITE')));
  // The 32-bit call with its arguments in memory; programs of the last ten years use the direct calls. Without a rule
  // it meets the default action. (An explicit rule collides with what libseccomp derives from those of socket.)
  replaced.set('socketcall', []);
  const kept = profile.rules
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !replaced.has(name)) }))
    .filter((rule) => rule.names.length > 0);
  return { ...profile, rules: [...kept, ...[...replaced.values()].flat()] };
}

function isAllowed(profile: ResolvedProfile, name: string): boolean {
  return profile.rules.some((rule) => rule.action === ALLOW && rule.names.includes(name));
}

/**
 * Family by family with equality only. The kernel looks at the low half of the argument, filters at all of it: "greater
 * than 40" or "not 38" would let a number with junk in its high half through.
 */
function socketRules(mayAudit: boolean): ResolvedRule[] {
  const rule = (action: string, errnoRet: number | undefined, ...args: ProfileArgument[]): ResolvedRule => ({
    names: ['socket'],
    action,
    args,
    ...(errnoRet === undefined ? {} : { errnoRet }),
  });
  const family = (value: number): ProfileArgument => ({ index: 0, value, op: 'SCMP_CMP_EQ' });
  const rules: ResolvedRule[] = [];
  for (let value = 0; value <= LAST_FAMILY; value++) {
    if (value === AF_ALG || value === AF_VSOCK) rules.push(rule(ERRNO, EAFNOSUPPORT, family(value)));
    else if (value === AF_NETLINK && !mayAudit) {
      // Without the capability every message would be refused; told at once, programs see a kernel without audit.
      const protocol = (op: string): ProfileArgument => ({ index: 2, value: NETLINK_AUDIT, op });
      rules.push(rule(ERRNO, EINVAL, family(value), protocol('SCMP_CMP_EQ')));
      rules.push(rule(ALLOW, undefined, family(value), protocol('SCMP_CMP_NE')));
    } else rules.push(rule(ALLOW, undefined, family(value)));
  }
  return rules;
}
