/**
 * Images that mean harm: their layers, configs and annotations try to reach the host through whatever a build does with
 * them. Beside each stands a canary anybody could change; it must stay as it was, and what cannot be done must be
 * refused in words.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts, isRoot } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { Canary } from '../support/canary.ts';
import { command, firstReason } from '../support/command.ts';
import { busyboxMembers, type EvilImage, writeEvilImage } from '../support/evil-image.ts';
import { dir, file, type Member, symlink } from '../support/layer-tar.ts';
import { Rig } from '../support/rig.ts';

interface Case {
  readonly name: string;
  /** Members on top of a busybox, and everything else of the image. */
  image(canary: string): Omit<EvilImage, 'layers'> & { readonly members?: readonly Member[] };
  /** Instructions after `FROM`. */
  steps(canary: string): string;
  readonly flags?: readonly string[];
  /** What stderr says when it is refused; undefined where the build must work. */
  readonly refused?: RegExp;
  /** What stdout must say. */
  readonly says?: RegExp;
}

const hostEnv = { AWS_SECRET_ACCESS_KEY: 'canary-of-the-host', CANARY_OTHER: 'canary-of-the-host' };
const noConfig = () => ({});

const CASES: readonly Case[] = [
  {
    name: 'B48 an Env without = inherits nothing',
    image: () => ({ config: { Env: ['AWS_SECRET_ACCESS_KEY', '*', 'CANARY_*'] } }),
    // As BuildKit has it: a name alone is set to nothing.
    steps: () => 'RUN env',
    says: /^AWS_SECRET_ACCESS_KEY=$/m,
  },
  {
    name: 'an Env that could confuse JavaScript is only an Env',
    image: () => ({ config: { Env: ['__proto__=x', 'constructor=y', 'PATH=/bin'], Labels: { __proto__x: '1' } } }),
    steps: () => 'RUN echo "<$constructor>"',
    says: /<y>/,
  },
  ...['4294967296', '2147483648', '-1', '0x0', 'evil'].map(
    (user): Case => ({
      name: `B49 USER ${user} with a passwd that makes it root`,
      image: () => ({
        config: { User: user },
        members: [dir('etc'), file('etc/passwd', `${user}:x:4294967296:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n`)],
      }),
      steps: () => 'RUN id',
      refused: /user|\bid\b/i,
    }),
  ),
  {
    name: 'B50 a passwd that is a FIFO',
    image: () => ({ members: [dir('etc'), { name: 'etc/passwd', type: 'fifo' }], config: { User: 'web' } }),
    steps: () => 'RUN id',
    refused: /passwd/,
  },
  {
    name: 'B50 a passwd that is a link to the host',
    image: (canary) => ({ members: [dir('etc'), symlink('etc/passwd', `${canary}/file`)], config: { User: 'canary' } }),
    steps: () => 'RUN id',
    refused: /canary|user/,
  },
  {
    name: 'B50 a passwd and a group of one endless line',
    image: () => ({
      members: [dir('etc'), file('etc/passwd', 'x'.repeat(20 << 20)), file('etc/group', 'y'.repeat(20 << 20))],
    }),
    steps: () => 'USER web\nRUN id',
    refused: /passwd/,
  },
  ...['etc/hosts', 'etc/resolv.conf', 'etc/hostname'].flatMap((name) =>
    ['', '../../../../../..'].map(
      (up): Case => ({
        name: `B51 ${name} is a link to the host${up === '' ? '' : ', relative'}`,
        image: (canary) => ({ members: [dir('etc'), symlink(name, `${up}${canary}/file`)] }),
        steps: () => `RUN echo mine >>/${name} 2>/dev/null; echo ran`,
        says: /ran/,
      }),
    ),
  ),
  ...['proc', 'dev', 'sys', 'dev/pts', 'dev/shm'].map(
    (name): Case => ({
      name: `B51 ${name} is a link to the host`,
      image: (canary) => ({ members: [symlink(name, canary)] }),
      steps: () => `RUN touch /${name}/file; echo ran`,
      ...(name.includes('/') ? { says: /ran/ } : { refused: new RegExp(`/${name}`) }),
    }),
  ),
  {
    name: 'B52 WORKDIR below a link to the host',
    image: (canary) => ({ members: [symlink('w', canary)] }),
    steps: () => 'WORKDIR /w/new\nRUN pwd && touch here',
    says: /new/,
  },
  ...[3, 10, 20].map(
    (fd): Case => ({
      name: `B52 WORKDIR /proc/self/fd/${fd}`,
      image: noConfig,
      steps: () => `WORKDIR /proc/self/fd/${fd}\nRUN pwd; ls ../../../../..; ls -l /proc/self/fd`,
      refused: /proc\/self\/fd/,
    }),
  ),
  {
    name: 'a working directory that climbs',
    image: (canary) => ({ config: { WorkingDir: `../../../..${canary}/new` } }),
    steps: () => 'RUN pwd && touch here',
    says: /slipway-canary/,
  },
  ...['', '../../../../../..'].flatMap((up) => [
    {
      name: `X01 COPY through a link to the host${up === '' ? '' : ', relative'}`,
      image: (canary: string) => ({
        members: [symlink('dst', `${up}${canary}`), symlink('leaf', `${up}${canary}/file`)],
      }),
      steps: () => 'COPY f /dst/\nCOPY f /dst/dir/\nCOPY f /leaf\nRUN echo ran',
      says: /ran/,
    },
  ]),
  {
    name: 'B53 a bind mount whose source is a link to the host',
    image: (canary) => ({ members: [symlink('rootdir', '/'), symlink('out', canary)] }),
    steps: (canary) =>
      `RUN --mount=type=bind,from=evil,source=/rootdir,dst=/e,rw mkdir -p /e${canary} && touch /e${canary}/BREAKOUT && echo ran`,
    says: /ran/,
  },
  {
    name: 'B53 a bind mount whose source leads to the host',
    image: (canary) => ({ members: [symlink('out', canary)] }),
    steps: () => 'RUN --mount=type=bind,from=evil,source=/out,dst=/e,rw touch /e/file',
    refused: /nothing to mount/,
  },
  {
    name: 'a bind mount of a FIFO that would be copied',
    image: () => ({ members: [{ name: 'pipe', type: 'fifo' }] }),
    steps: () => 'RUN --mount=type=bind,from=evil,source=/pipe,dst=/e,rw echo ran',
    refused: /pipe/,
  },
  ...['id=../../../../canary', 'id=/etc', 'id=.,source=../../..'].map(
    (option): Case => ({
      name: `B54 a cache of ${option}`,
      image: noConfig,
      steps: () => `RUN --mount=type=cache,${option},from=evil,target=/c ls /c && touch /c/x && echo ran`,
      says: /ran/,
    }),
  ),
  {
    name: 'B54 a cache filled through a link to the host',
    image: (canary) => ({ members: [symlink('sel', canary)] }),
    steps: () => 'RUN --mount=type=cache,from=evil,source=/sel,target=/c cat /c/file',
    refused: /cannot fill the cache/,
  },
  {
    name: 'volumes of an image that climb',
    image: (canary) => ({ config: { Volumes: { [`/../../../..${canary}/dir`]: {}, '../x': {}, '': {} } } }),
    steps: () => 'RUN echo ran',
    says: /ran/,
  },
  {
    name: 'B66 programs of an image are never run by us',
    image: () => ({
      members: [
        dir('usr'),
        dir('usr/bin'),
        ...['tar', 'gzip', 'xz', 'unpigz', 'zstd', 'git', 'newuidmap', 'cp'].flatMap((name) => [
          file(`usr/bin/${name}`, '#!/bin/sh\necho ran >/trojan\n', { mode: 0o755 }),
          file(`bin/${name}`, '#!/bin/sh\necho ran >/trojan\n', { mode: 0o755 }),
        ]),
      ],
    }),
    steps: () => 'ADD a.tar.gz a.tar.xz /a/\nCOPY f /f\nRUN test ! -e /trojan && ls /a && echo clean',
    says: /clean/,
  },
  {
    name: 'B38 a layer that is not what the config says',
    image: () => ({ diffIds: [`sha256:${'0'.repeat(64)}`, `sha256:${'1'.repeat(64)}`] }),
    steps: () => 'RUN echo ran',
    refused: /sha256:0{64}/,
  },
  {
    name: 'ONBUILD of an instruction that does not exist',
    image: () => ({ config: { OnBuild: ['NOSUCH \u001b[2J thing'] } }),
    steps: () => 'RUN echo ran',
    refused: /NOSUCH/,
  },
  ...['FROM scratch', 'ONBUILD RUN x', 'MAINTAINER x'].map(
    (trigger): Case => ({
      name: `ONBUILD ${trigger}`,
      image: () => ({ config: { OnBuild: [trigger] } }),
      steps: () => 'RUN echo ran',
      refused: /ONBUILD|onbuild/,
    }),
  ),
  {
    name: 'ONBUILD that copies from outside',
    image: (canary) => ({ config: { OnBuild: [`COPY ../../../../../..${canary}/file /stolen`] } }),
    steps: () => 'RUN cat /stolen',
    refused: /slipway-canary/,
  },
  {
    name: 'X05 ONBUILD that asks for what needs consent',
    image: () => ({ config: { OnBuild: ['RUN --network=host --security=insecure echo ran'] } }),
    steps: () => 'RUN echo ran',
    refused: /--allow|allow/,
  },
  {
    name: 'B65 labels, annotations and history that paint the terminal',
    image: () => ({
      config: { Labels: { 'a\u001b]0;title\u0007': '\u001b[2J\r\u202e' }, Cmd: ['\u001b[31m'] },
      annotations: { 'b\u001b[2J': '\u009b2J' },
      history: [{ created_by: 'RUN \u001b]52;c;AAAA\u0007', comment: '\u001b[2J' }],
    }),
    steps: () => 'RUN echo ran',
    says: /ran/,
  },
  {
    name: 'a label of a megabyte',
    image: () => ({ config: { Labels: { big: 'x'.repeat(1 << 20) } } }),
    steps: () => 'RUN echo ran',
    says: /ran/,
  },
];

/** Configs whose members are of the wrong kind, each refused when the image comes in. */
const WRONG_CONFIGS: readonly object[] = [
  { Env: 'A=b' },
  { Env: [1] },
  { Labels: [] },
  { Labels: { a: 1 } },
  { Entrypoint: 'sh' },
  { Cmd: [null] },
  { WorkingDir: 5 },
  { User: {} },
  { ExposedPorts: ['80'] },
  { Volumes: ['/x'] },
  { OnBuild: 'RUN x' },
  { StopSignal: 9 },
];

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

describe('hostile images', { skip }, () => {
  for (const { name, account } of accounts()) {
    describe(`as ${name}`, { skip: typeof account === 'string' && account }, () => {
      let rig: Rig;
      const scratch = mkdtempSync(join(tmpdir(), 'slipway-evil-'));
      const context = join(scratch, 'context');
      before(async () => {
        if (typeof account === 'string') return;
        rig = await Rig.open({ account });
        chmodSync(scratch, 0o755);
        command('mkdir', [context]);
        writeFileSync(join(context, 'f'), 'from the context\n');
        command('tar', ['-C', context, '-czf', join(context, 'a.tar.gz'), 'f']);
        command('tar', ['-C', context, '-cJf', join(context, 'a.tar.xz'), 'f']);
      });
      after(async () => {
        await rig?.[Symbol.asyncDispose]();
        rmSync(scratch, { recursive: true, force: true });
      });

      let made = 0;
      function evilLayout(image: EvilImage): string {
        const layout = join(scratch, `image-${++made}`);
        writeEvilImage(layout, 'evil', image);
        command('chmod', ['-R', 'go=rX', layout]);
        return `oci:${layout}:evil`;
      }

      for (const test of CASES) {
        // What touches the host is tried with either's rights, what only has to be refused once.
        if (test.refused !== undefined && name !== 'root' && isRoot) continue;
        it(test.name, () => {
          using canary = new Canary();
          const { members = [], ...image } = test.image(canary.path);
          const base = evilLayout({ ...image, layers: [busyboxMembers(), members] });
          const dockerfile = `FROM ${base} AS evil
FROM ${base}
${test.steps(canary.path)}
`;
          const flags = ['--no-cache', '-f', '-', ...(test.flags ?? [])];
          const env = { ...rig.env, ...hostEnv };
          const built = rig.try(['build', ...flags, context], { input: dockerfile, env, timeoutMs: 20_000 });
          assert.deepEqual(canary.changes(), []);
          assert.doesNotMatch(built.stdout + built.stderr, /canary-of-the-host|canary of the host/);
          assert.doesNotMatch(built.stderr, /internal:|This is a bug/);
          // No escape of an image reaches the terminal by way of our own words.
          assert.doesNotMatch(built.stderr, /[\u001b\u009b\u202e]/);
          assert.equal(built.signal, undefined, 'it hangs');
          if (test.refused === undefined) assert.equal(built.status, 0, built.stdout + built.stderr);
          else {
            assert.notEqual(built.status, 0, built.stdout);
            assert.match(built.stderr, test.refused);
          }
          if (test.says !== undefined) assert.match(built.stdout, test.says);
        });
      }

      it('configs with members of the wrong kind are refused when they come in', () => {
        for (const config of WRONG_CONFIGS) {
          const pulled = rig.try(['pull', '-q', evilLayout({ layers: [[file('x')]], config })]);
          const [[member]] = Object.entries(config) as [[string, unknown]];
          assert.notEqual(pulled.status, 0, member);
          assert.match(pulled.stderr, new RegExp(`/config/${member}`));
        }
      });
    });
  }
});
