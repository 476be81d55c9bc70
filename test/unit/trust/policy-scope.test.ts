import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TransportName } from '../../../src/spec/image-name.ts';
import { parsePolicy } from '../../../src/trust/parse-policy.ts';
import { type ImageIdentity, locationIdentity, requirementsFor } from '../../../src/trust/policy-scope.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('scopes', () => {
  const cases: readonly [TransportName, string, readonly string[]][] = [
    [
      'docker',
      'busybox',
      ['docker.io/library/busybox:latest', 'docker.io/library/busybox', 'docker.io/library', 'docker.io', '*.io'],
    ],
    [
      'docker',
      `a.example.com:5000/x@${DIGEST}`,
      [`a.example.com:5000/x@${DIGEST}`, 'a.example.com:5000/x', 'a.example.com:5000', '*.example.com', '*.com'],
    ],
    ['docker', 'localhost/x:1', ['localhost/x:1', 'localhost/x', 'localhost']],
    ['docker-daemon', DIGEST, []],
    ['docker-daemon', 'x/y:2', ['docker.io/x/y:2', 'docker.io/x/y', 'docker.io/x', 'docker.io', '*.io']],
    ['docker-archive', '/a/b.tar:x:1', []],
    ['oci', '/nowhere/layout:name:tag', ['/nowhere/layout', '/nowhere']],
    ['oci-archive', '/nowhere/a.tar', ['/nowhere/a.tar', '/nowhere']],
    ['dir', '/nowhere/at:all', ['/nowhere/at:all', '/nowhere']],
    [
      'containers-storage',
      '[vfs@/s+/run:o=1]quay.io/x:1@abc123',
      ['[vfs@/s]quay.io/x:1@abc123', '[vfs@/s]quay.io/x:1', '[vfs@/s]quay.io/x', '[vfs@/s]quay.io', '[vfs@/s]', '[/s]'],
    ],
    ['containers-storage', 'quay.io/x:1', []],
  ];
  for (const [transport, location, scopes] of cases) {
    it(`${transport} ${location}`, () => assert.deepEqual(locationIdentity(transport, location).scopes, scopes));
  }

  it('follow symbolic links, so that a link gets the rules of what it leads to', () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-scope-')));
    try {
      mkdirSync(join(folder, 'real/image'), { recursive: true });
      symlinkSync(join(folder, 'real'), join(folder, 'link'));
      assert.equal(locationIdentity('dir', join(folder, 'link/image')).scopes[0], join(folder, 'real/image'));
      assert.equal(locationIdentity('dir', join(folder, 'link/none/x')).scopes[0], join(folder, 'real/none/x'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the requirements of an image', () => {
  const rules: Readonly<Record<string, readonly string[]>> = {
    docker: ['', 'quay.io', 'quay.io/x', 'quay.io/x:1', '*.example.com', 'b.example.com'],
    dir: ['/nowhere/images'],
    'containers-storage': ['[vfs@/s]'],
  };
  const transports = Object.fromEntries(
    Object.entries(rules).map(([transport, scopes]) => [
      transport,
      Object.fromEntries(scopes.map((scope) => [scope, [{ type: 'reject' }]])),
    ]),
  );
  const text = JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }], transports });
  const policy = parsePolicy({ name: 'p', text });
  const chosen = (image: ImageIdentity) => requirementsFor(policy, image)[0]!.path.slice(0, -1).join(' ');
  const cases: readonly [TransportName, string, string][] = [
    ['docker', 'quay.io/x:1', 'transports docker quay.io/x:1'],
    ['docker', 'quay.io/x:2', 'transports docker quay.io/x'],
    ['docker', 'quay.io/xy:1', 'transports docker quay.io'],
    ['docker', 'quay.io:443/x:1', 'transports docker '],
    ['docker', 'a.example.com:80/x', 'transports docker *.example.com'],
    ['docker', 'b.example.com/x', 'transports docker b.example.com'],
    ['docker', 'example.com/x', 'transports docker '],
    ['dir', '/nowhere/images/a', 'transports dir /nowhere/images'],
    ['dir', '/nowhere/imagesque', 'default'],
    ['oci', '/nowhere/images/a', 'default'],
    ['containers-storage', '[vfs@/s]x', 'transports containers-storage [vfs@/s]'],
    ['containers-storage', '[vfs@/other]x', 'default'],
  ];
  for (const [transport, location, scope] of cases) {
    it(`${transport} ${location}: ${scope}`, () => assert.equal(chosen(locationIdentity(transport, location)), scope));
  }

  it('are not guessed where the name does not say which storage is meant', () => {
    assert.throws(() => chosen(locationIdentity('containers-storage', 'x')), /cannot tell which rules of p hold/);
  });
});
