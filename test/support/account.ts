/**
 * Who runs the program under test: root, or an ordinary user with subordinate ids. As root the tests make such a user
 * once (`slipway-test`); as anybody else the ordinary user is whoever runs the tests.
 */
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { findProgram, tryCommand } from './command.ts';

export interface Account {
  readonly kind: 'root' | 'ordinary';
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const TEST_USER = 'slipway-test';

export const isRoot = process.getuid?.() === 0;

/** Root, when the tests run as root. */
export function rootAccount(): Account | undefined {
  return isRoot ? { kind: 'root', name: 'root', uid: 0, gid: 0, home: '/root' } : undefined;
}

/** The ordinary user, or the reason why there is none. */
export function ordinaryAccount(): Account | string {
  if (findProgram('newuidmap') === undefined) return 'no ordinary user with subordinate ids: newuidmap is missing';
  const me = userInfo();
  if (!isRoot && !hasSubordinateIds(me.username)) return `${me.username} has no range in /etc/subuid and /etc/subgid`;
  if (!isRoot) return { kind: 'ordinary', name: me.username, uid: me.uid, gid: me.gid, home: me.homedir };
  return testUser();
}

/** Every account the machine allows, each with the reason when it is missing. */
export function accounts(): readonly { readonly name: string; readonly account: Account | string }[] {
  return [
    { name: 'root', account: rootAccount() ?? 'the tests do not run as root' },
    { name: 'an ordinary user', account: ordinaryAccount() },
  ];
}

/**
 * Every account, and the storage drivers that a long test takes with it: each account and each driver is met once, by the
 * pairs that fewest other tests have. With `ALL_WAYS=1` in the environment every account meets every driver.
 */
export function accountsAndDrivers(): readonly {
  readonly name: string;
  readonly account: Account | string;
  readonly drivers: readonly ('overlay' | 'vfs')[];
}[] {
  const isAll = process.env['ALL_WAYS'] === '1';
  return accounts().map((one, i) => ({
    ...one,
    drivers: isAll ? ['overlay', 'vfs'] : i === 0 ? ['vfs'] : ['overlay'],
  }));
}

/**
 * The environment of a login of that account: nothing of the tests' own environment but where programs are found and
 * how the network is reached.
 */
export function loginEnvironment(account: Account, runtimeDirectory: string): NodeJS.ProcessEnv {
  const kept = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'TMPDIR'];
  return {
    ...Object.fromEntries(kept.filter((name) => process.env[name]).map((name) => [name, process.env[name]])),
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    LANG: 'C.UTF-8',
    PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    XDG_RUNTIME_DIR: runtimeDirectory,
  };
}

function testUser(): Account | string {
  if (findProgram('useradd') === undefined) return 'no ordinary user: useradd is missing';
  // Several test files may ask at once; useradd locks its files and one of them wins.
  for (let attempt = 0; attempt < 50; attempt++) {
    const found = passwdEntry(TEST_USER);
    if (found !== undefined && hasSubordinateIds(TEST_USER)) return privateHome(found);
    if (found === undefined) tryCommand('useradd', ['--create-home', '--shell', '/bin/sh', TEST_USER]);
    else tryCommand('usermod', ['--add-subuids', '1000000-1065535', '--add-subgids', '1000000-1065535', TEST_USER]);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  return `cannot make the user ${TEST_USER} with subordinate ids`;
}

function passwdEntry(name: string): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function hasSubordinateIds(name: string): boolean {
  return ['/etc/subuid', '/etc/subgid'].every(
    (path) => existsSync(path) && new RegExp(`^${name}:\\d+:\\d{5,}$`, 'm').test(readFileSync(path, 'utf8')),
  );
}

/** A home of this process, so that test files that run at once do not share one. */
function privateHome(ids: { uid: number; gid: number }): Account {
  const home = join(tmpdir(), `slipway-home-${process.pid}`);
  if (!existsSync(home)) {
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, ids.uid, ids.gid);
    process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  }
  return { kind: 'ordinary', name: TEST_USER, ...ids, home };
}
