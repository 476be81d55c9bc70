/**
 * With `--timestamp` the same build gives the same image, bit for bit: as root and as an ordinary user, on overlay and
 * on plain directories.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const DOCKERFILE = `FROM localhost/latest AS tools
RUN mkdir -p /out/deep && echo tool > /out/deep/tool && chmod 4755 /out/deep/tool && ln /out/deep/tool /out/hard \\
 && ln -s deep/tool /out/link && chown -R 1000:50 /out/deep && mkfifo /out/pipe
FROM localhost/latest
COPY --from=tools /out/ /tools/
COPY --chown=ada:staff tree /tree
COPY --chmod=0640 tree/b /only
RUN rm -r /tree/sub && mkdir /tree/sub && echo new > /tree/sub/new && mv /only /moved && rm /bin/tar
WORKDIR /made/by/workdir
ENV A=1
USER ada
RUN id > /tmp/id
CMD ["sh"]
`;

const WAYS = accounts().flatMap(({ name, account }) =>
  (['overlay', 'vfs'] as const).map((driver) => ({ name: `${name}, ${driver}`, account, driver })),
);

interface Made {
  readonly id: string;
  readonly manifest: string;
}

describe('the same build with --timestamp 0', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-reproducible-'));
  const made = new Map<string, Made>();
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(scratch, 'context/tree/sub'), { recursive: true });
    writeFileSync(join(scratch, 'context/Dockerfile'), DOCKERFILE);
    for (const name of ['a', 'b', 'sub/c']) writeFileSync(join(scratch, 'context/tree', name), `${name}\n`);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account, driver } of WAYS) {
    for (const flags of [[], ['--layers']]) {
      const title = [name, ...flags].join(', ');
      it(title, { skip: typeof account === 'string' && account }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        const words = ['--timestamp', '0', ...flags, '-t', 'localhost/result', join(scratch, 'context')];
        const id = rig.run('bud', '-q', ...words);
        const digestFile = join(rig.folder, 'work/digest');
        const layout = join(rig.folder, 'work/layout');
        rig.run('push', '-q', '--digestfile', digestFile, 'localhost/result', `oci:${layout}:result`);
        const result = { id, manifest: readFileSync(digestFile, 'utf8') };
        const group = flags.join(' ');
        const first = made.get(group) ?? result;
        made.set(group, first);
        assert.match(result.id, /^[0-9a-f]{64}$/);
        assert.match(result.manifest, /^sha256:[0-9a-f]{64}$/);
        assert.deepEqual(result, first);
      });
    }
  }
});
