import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { configuredStore } from '../../../src/store/configured-store.ts';
import { parseStorageConf } from '../../../src/store/storage-conf.ts';

const env = { HOME: '/home/u', USER: 'u' };
const parse = (lines: string, o: { uid?: number; isOwn?: boolean } = {}) =>
  parseStorageConf(`[storage]\n${lines}`, 'a.conf', { env, uid: 0, isOwn: true, ...o });

describe('keys of storage.conf', () => {
  it('the places of images and state get a directory of ours', () => {
    assert.deepEqual(parse('graphroot = "/big/images"\nrunroot = "/run/x/"'), {
      root: '/big/images/slipway',
      runroot: '/run/x/slipway',
    });
  });

  it('what every distribution writes is no wish', () => {
    assert.deepEqual(parse('graphroot = "/var/lib/containers/storage"\nrunroot = "/run/containers/storage"'), {});
    assert.deepEqual(parse('graphroot = "$HOME/.local/share/containers/storage"', { uid: 1000 }), {});
  });

  it("the system's places are those of root; others have their own key", () => {
    const text = 'graphroot = "/big"\nrunroot = "/run/x"\nrootless_storage_path = "/big/$UID/${USER}"';
    assert.deepEqual(parse(text, { uid: 1000, isOwn: false }), { root: '/big/1000/u/slipway' });
    assert.deepEqual(parse(text, { uid: 0 }), { root: '/big/slipway', runroot: '/run/x/slipway' });
    assert.deepEqual(parse('graphroot = "/mine"', { uid: 1000, isOwn: true }), { root: '/mine/slipway' });
  });

  it('of the drivers those that exist here count', () => {
    assert.deepEqual(
      ['overlay', 'overlay2', 'vfs', 'btrfs', ''].map((name) => parse(`driver = "${name}"`).driver),
      ['overlay', 'overlay', 'vfs', undefined, undefined],
    );
    assert.equal(parse('driver_priority = ["btrfs", "vfs", "overlay"]').driver, 'vfs');
    assert.equal(parse('driver_priority = ["overlay", "vfs"]').driver, undefined);
  });

  it("the drivers' own options go before common ones", () => {
    assert.deepEqual(
      parse('[storage.options]\nmountopt = "nodev"\nignore_chown_errors = "true"\nsize = "1G"').options,
      ['overlay.mountopt=nodev', 'overlay.ignore_chown_errors=true', 'vfs.ignore_chown_errors=true'],
    );
    const own = '[storage.options]\nmountopt = "nodev"\n[storage.options.overlay]\nmountopt = "nosuid,metacopy=on"';
    assert.deepEqual(parse(own).options, ['overlay.mountopt=nosuid,metacopy=on']);
    assert.deepEqual(parse('[storage.options]\ndisable-volatile = true').options, ['overlay.disable-volatile=true']);
    assert.deepEqual(parse('[storage.options]\nadditionalimagestores = ["/var/lib/shared"]').options, [
      '.imagestore=/var/lib/shared/slipway',
    ]);
    assert.equal(parse('[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"').options, undefined);
  });

  it('names file, line and key of what is malformed', () => {
    for (const [text, why] of [
      ['graphroot = "relative"', /a\.conf:2 cannot be used: key storage\.graphroot: expected an absolute path/],
      ['driver = "floppy"', /key storage\.driver: expected one of overlay/],
      ['runroot = 1', /key storage\.runroot: expected a string/],
      ['[storage.options.vfs]\nignore_chown_errors = "so"', /key storage\.options\.vfs\.ignore_chown_errors: expected/],
    ] as const) {
      assert.throws(
        () => parse(text),
        (error) => isBuilderError(error, 'usage.invalid') && why.test(error.message),
      );
    }
  });
});

describe('configuredStore', () => {
  it('finds the file of the user, or the one the environment names', async () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-storage-'));
    mkdirSync(join(root, 'containers'));
    writeFileSync(join(root, 'containers/storage.conf'), `[storage]\ngraphroot = "${root}/user"\n`);
    writeFileSync(join(root, 'named.conf'), '[storage]\ngraphroot = "/named"\ndriver = "vfs"\n');
    const user = { ...env, XDG_CONFIG_HOME: root, XDG_RUNTIME_DIR: '/run/user/7' };
    assert.deepEqual(await configuredStore(user, 7), { root: `${root}/user/slipway`, runroot: '/run/user/7/slipway' });
    const named = { ...user, CONTAINERS_STORAGE_CONF: join(root, 'named.conf') };
    assert.deepEqual(await configuredStore(named, 7), {
      root: '/named/slipway',
      runroot: '/run/user/7/slipway',
      driver: 'vfs',
    });
    const absent = { ...user, CONTAINERS_STORAGE_CONF: join(root, 'absent') };
    await assert.rejects(configuredStore(absent, 7), /absent cannot be used: it does not exist/);
    rmSync(root, { recursive: true });
  });
});
