import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseOutput } from '../../../src/build/output.ts';

const parse = (text: string) => parseOutput(text, '/here');

describe('--output', () => {
  it('takes a directory and standard output without a type', () => {
    assert.deepEqual(parse('out'), { type: 'local', dest: '/here/out', split: undefined });
    assert.deepEqual(parse('-'), { type: 'tar', dest: '-' });
  });

  it('takes files as a directory or a tar', () => {
    assert.deepEqual(parse('type=local,dest=out,platform-split=false'), {
      type: 'local',
      dest: '/here/out',
      split: false,
    });
    assert.deepEqual(parse('type=tar,dest=/x.tar'), { type: 'tar', dest: '/x.tar' });
  });

  it('takes images with names, compression and a way out', () => {
    assert.deepEqual(parse('type=image,"name=a,b:1",push=true,oci-mediatypes=false'), {
      type: 'image',
      names: ['a', 'b:1'],
      format: 'docker',
      isStored: true,
      push: true,
    });
    assert.deepEqual(parse('type=registry,name=r/x,registry.insecure=true,compression=zstd,compression-level=7'), {
      type: 'image',
      names: ['r/x'],
      compression: 'zstd',
      compressionLevel: 7,
      isStored: false,
      push: true,
      tlsVerify: false,
    });
    assert.deepEqual(parse('type=oci,dest=l,tar=false,force-compression=1'), {
      type: 'oci',
      names: [],
      forceCompression: true,
      dest: '/here/l',
      isTar: false,
    });
    assert.deepEqual(parse('type=docker,dest=-,compression=uncompressed'), {
      type: 'docker',
      names: [],
      compression: 'none',
      dest: '-',
      isTar: true,
    });
    assert.deepEqual(parse('type=cacheonly'), { type: 'cacheonly' });
  });

  const wrong: readonly [string, RegExp][] = [
    ['type=local', /dest is missing/],
    ['type=local,dest=-', /cannot be written to standard output/],
    ['type=tar,dest=x,push=true', /type=tar has no key "push"/],
    ['type=estargz,dest=x', /output type "estargz" is not supported/],
    ['dest=x', /output type "" is not supported/],
    ['type=oci,dest', /"dest" is not KEY=VALUE/],
    ['type=image,name=x,push=maybe', /push is true or false, not "maybe"/],
    ['type=image,name=x,compression=estargz', /compression "estargz" is not supported/],
    ['type=image,name=x,unpack=true', /has no key "unpack"/],
  ];
  for (const [text, message] of wrong) {
    it(`refuses ${text}`, () => assert.throws(() => parse(text), message));
  }

  it('guesses the key that was meant', () => {
    assert.throws(
      () => parse('type=oci,dst=x'),
      (error: { hint?: string }) => error.hint === 'did you mean dest?',
    );
  });
});
