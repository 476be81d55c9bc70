import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configuredStorageOptions, parseStorageOptions } from '../../../src/container/storage-options.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { MS } from '../../../src/sys/libc.ts';

const plain = { mountOptions: { flags: 0, overlay: [] }, ignoreChownErrors: false, lenders: [] };
const nodev = { flags: MS.NODEV, overlay: [] };

describe('options of the storage driver', () => {
  it('are those of the driver, named or not', () => {
    for (const text of ['overlay.mountopt=nodev', 'overlay2.mountopt=nodev', '.mountopt=nodev', 'MountOpt=nodev']) {
      assert.deepEqual(parseStorageOptions([text], 'overlay'), { ...plain, mountOptions: nodev });
    }
    assert.deepEqual(parseStorageOptions(['vfs.ignore_chown_errors=true'], 'vfs'), {
      ...plain,
      ignoreChownErrors: true,
    });
  });

  it('the last of equal ones counts', () => {
    const texts = [
      'overlay.mountopt=nosuid',
      'overlay.ignore_chown_errors=1',
      'mountopt=nodev',
      'ignore_chown_errors=0',
    ];
    assert.deepEqual(parseStorageOptions(texts, 'overlay'), { ...plain, mountOptions: nodev });
  });

  it('stores that lend images add up', () => {
    const texts = ['overlay.imagestore=/a/', '.additionalimagestore=/b,/a', 'imagestore=/'];
    assert.deepEqual(parseStorageOptions(texts, 'overlay'), { ...plain, lenders: ['/a', '/b', '/'] });
  });

  it('what happens anyway may be asked for', () => {
    assert.deepEqual(parseStorageOptions(['overlay.skip_mount_home=true'], 'overlay'), plain);
    assert.deepEqual(parseStorageOptions([], 'vfs'), plain);
  });

  const REFUSED: readonly [string, 'overlay' | 'vfs', string, RegExp][] = [
    [
      'overlay.mount_program=/usr/bin/fuse-overlayfs',
      'overlay',
      'usage.unsupported',
      /the kernel mounts overlays here/,
    ],
    ['overlay.size=10G', 'overlay', 'usage.unsupported', /no quotas are set on directories/],
    ['.size=10G', 'vfs', 'usage.unsupported', /no quotas/],
    ['vfs.imagestore=a', 'vfs', 'usage.invalid', /needs an absolute path/],
    ['additionallayerstore=/a', 'overlay', 'usage.unsupported', /from registries alone/],
    ['overlay.skip_mount_home=false', 'overlay', 'usage.unsupported', /never mounted on itself/],
    ['overlay.mountopt=metacopy=on', 'overlay', 'usage.unsupported', /metacopy=on/],
    ['overlay.mountopt=nodev', 'vfs', 'usage.unsupported', /the driver of this store is vfs/],
    ['mountopt=nodev', 'vfs', 'usage.unsupported', /it is one of overlay, and the driver of this store is vfs/],
    ['btrfs.min_space=1G', 'overlay', 'usage.unsupported', /there is no such driver/],
    ['zfs.size=1G', 'overlay', 'usage.unsupported', /there is no such driver/],
    ['overlay.mountop=nodev', 'overlay', 'usage.invalid', /is not known .*did you mean `overlay\.mountopt`/],
    ['x=y', 'overlay', 'usage.invalid', /the storage option "x=y" is not known/],
    ['constructor=y', 'overlay', 'usage.invalid', /is not known/],
    ['nosuid', 'overlay', 'usage.invalid', /not of the form KEY=VALUE .*in quotes/],
    ['overlay.ignore_chown_errors=perhaps', 'overlay', 'usage.invalid', /neither true nor false/],
  ];
  for (const [text, driver, code, why] of REFUSED) {
    it(`\`${text}\` is refused on ${driver}`, () => {
      assert.throws(
        () => parseStorageOptions([text], driver),
        (error) => isBuilderError(error, code as 'usage.invalid') && why.test(`${error.message} ${error.hint ?? ''}`),
      );
    });
  }

  it('of storage.conf those for this driver count, as far as a mount carries them', () => {
    const texts = [
      'overlay.mountopt=nodev,metacopy=on',
      'overlay.disable-volatile=true',
      'vfs.ignore_chown_errors=true',
    ];
    assert.deepEqual(configuredStorageOptions(texts, 'overlay'), {
      ...plain,
      mountOptions: { ...nodev, isDurable: true },
    });
    assert.deepEqual(configuredStorageOptions(texts, 'vfs'), { ...plain, ignoreChownErrors: true });
  });
});
