/** Flags about how commands run in containers: `build`, `from` and `run` share them. */
import { type Option, option, refused } from '../option.ts';

const ONE_ID_MAP = 'files belong to the ids that the store was opened with';
export const NO_ID_MAPS: readonly Option[] = refused(ONE_ID_MAP, '--userns-gid-map csv', '--userns-uid-map csv');
const NO_USER_NAMESPACES: readonly Option[] = [
  ...NO_ID_MAPS,
  ...refused(ONE_ID_MAP, '--userns-gid-map-group str', '--userns-uid-map-user str'),
  option('--userns str MODE', 'host: the user namespace that the store was opened in', {
    tier: 'P2',
    choices: ['host'],
  }),
];

const ISOLATION = option('--isolation str TYPE', 'oci, rootless or chroot', {
  env: 'BUILDAH_ISOLATION',
  choices: ['oci', 'rootless', 'chroot'],
});

/** What all three have. */
const COMMON: readonly Option[] = [
  ISOLATION,
  option('--network|--net str MODE', 'host, none, private or ns:/PATH', {
    choices: ['host', 'none', 'private', 'pasta', 'slirp4netns'],
  }),
  option('--cap-add csv CAP', 'capability to add'),
  option('--cap-drop csv CAP', 'capability to drop; drop beats add'),
  option('-v,--volume strs SRC:DST[:OPTS]', 'show a host path inside'),
  option('--device strs HOST[:CTR[:rwm]]', 'device to show inside: a path, or the name of a CDI device', {
    tier: 'P1',
  }),
  option('--cdi-config-dir strs DIR', 'where CDI devices are described, not /etc/cdi and /var/run/cdi', {
    tier: 'P2',
    complete: 'directory',
  }),
  option('--ipc str MODE', 'private, host or the path of a namespace', { tier: 'P2' }),
  option('--pid str MODE', 'private, host or the path of a namespace', { tier: 'P2' }),
  option('--uts str MODE', 'private, host or the path of a namespace', { tier: 'P2' }),
  option('--cgroupns str MODE', 'private, host or the path of a namespace', { tier: 'P2' }),
];

const RUNTIME: readonly Option[] = [
  option('--runtime str PATH', 'OCI runtime to use', { env: 'BUILDAH_RUNTIME', complete: 'file' }),
  option('--runtime-flag csv FLAG', 'flag for the OCI runtime, without the dashes', { tier: 'P2' }),
];

const NAMES: readonly Option[] = [
  option('--no-hosts bool', 'leave /etc/hosts as the image has it', { tier: 'P1' }),
  option('--no-hostname bool', 'leave /etc/hostname as the image has it', { tier: 'P1' }),
];

/** What is remembered for later runs: `build` and `from`. */
const REMEMBERED: readonly Option[] = [
  option('--add-host csv NAME:IP', 'line for /etc/hosts'),
  option('--dns csv IP', 'resolver; none leaves /etc/resolv.conf as the image has it', { tier: 'P1' }),
  option('--dns-option csv OPT', 'resolver option', { tier: 'P2' }),
  option('--dns-search csv DOMAIN', 'search domain', { tier: 'P1' }),
  option('--http-proxy bool', 'pass proxy variables on', { default: 'true' }),
  option('--security-opt strs OPT', 'seccomp=, no-new-privileges, mask=, unmask=', { tier: 'P1' }),
  option('--shm-size str SIZE', 'size of /dev/shm', { tier: 'P1', default: '65536k' }),
  option('--ulimit csv NAME=SOFT[:HARD]', 'resource limit', { tier: 'P1' }),
  option('--group-add csv GROUP', 'further group of processes, or keep-groups', { tier: 'P2' }),
  option('-m,--memory str SIZE', 'memory a step may have', { tier: 'P2' }),
  option('--memory-swap str SIZE', 'memory and swap together; -1 is no limit', { tier: 'P2' }),
  option('-c,--cpu-shares int N', 'weight of the processors, 1024 being the usual', { tier: 'P2' }),
  option('--cpu-period int MICROSECONDS', 'length of a period of --cpu-quota', { tier: 'P2' }),
  option('--cpu-quota int MICROSECONDS', 'time on processors in each period', { tier: 'P2' }),
  option('--cpuset-cpus str LIST', 'processors to run on, such as 0-2,4', { tier: 'P2' }),
  option('--cpuset-mems str LIST', 'memory nodes to use', { tier: 'P2' }),
  option('--cgroup-parent str PATH', 'cgroup to be below', { tier: 'P2' }),
  ...NO_USER_NAMESPACES,
];

export const BUILD_RUN_FLAGS: readonly Option[] = [...COMMON, ...RUNTIME, ...NAMES, ...REMEMBERED];
export const FROM_RUN_FLAGS: readonly Option[] = [...COMMON, ...REMEMBERED];
export const RUN_RUN_FLAGS: readonly Option[] = [...COMMON, ...RUNTIME, ...NAMES];
