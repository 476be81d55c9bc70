/** `history` and `diff` of what was really built, on both drivers, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TreeChange } from '../../src/index.ts';
import { accountsAndDrivers } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

/** What every file of the lower image is for is said by its name. */
const LOWER = [
  'mkdir -p /t/kept /t/gone/below /t/again /t/file-now',
  'for f in kept/same kept/content kept/mode kept/owner kept/time gone/a gone/below/b again/old again/both; do echo $f > /t/$f; done',
  'echo x > /t/directory-now; ln -s one /t/link; echo l > /t/l1; ln /t/l1 /t/l2',
].join(' && ');
const UPPER = [
  'echo CONTENT > /t/kept/content; chmod 600 /t/kept/mode; chown 7:8 /t/kept/owner; touch -d @1000000000 /t/kept/time',
  'rm -r /t/gone; rm -r /t/again; mkdir /t/again; echo new > /t/again/new; echo other > /t/again/both',
  'rm -r /t/file-now; echo f > /t/file-now; rm /t/directory-now; mkdir /t/directory-now; echo i > /t/directory-now/in',
  'ln -sfn two /t/link; ln /t/l1 /t/l3',
  // A byte that is no UTF-8, and characters that speak to terminals.
  `touch "$(printf '/t/\\377')" "$(printf '/t/\\033]0;x\\007')"`,
].join(' && ');
const CHANGED = [
  'A /t/\\x1b]0;x\\x07',
  'A /t/\\xff',
  'A /t/again/new',
  'A /t/directory-now/in',
  'A /t/l3',
  'C /t',
  'C /t/again',
  'C /t/again/both',
  'C /t/directory-now',
  'C /t/file-now',
  'C /t/kept/content',
  'C /t/kept/mode',
  'C /t/kept/owner',
  'C /t/kept/time',
  'C /t/link',
  'D /t/again/old',
  'D /t/gone',
];

describe('history and diff', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-history-'));
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(join(scratch, 'context'));
    const text = `FROM localhost/latest AS lower\nRUN ${LOWER}\nFROM lower AS upper\nENV A=b\nRUN ${UPPER}\n`;
    writeFileSync(join(scratch, 'context/Dockerfile'), text);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account, drivers } of accountsAndDrivers()) {
    for (const driver of drivers) {
      it(`tell what was done, ${name}, ${driver}`, { skip: typeof account === 'string' && account }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        const context = join(scratch, 'context');
        rig.run('build', '-q', '--layers', '--target', 'lower', '-t', 'lower', context);
        rig.run('build', '-q', '--layers', '-t', 'upper', context);
        const lines = (...words: string[]): string[] =>
          rig
            .run('diff', ...words)
            .split('\n')
            .sort();
        const changes = (...words: string[]): TreeChange[] => JSON.parse(rig.run('diff', '--json', ...words));

        assert.deepEqual(lines('upper'), CHANGED, 'against the layers below its last');
        assert.deepEqual(lines('lower', 'upper'), CHANGED);
        const untimed = lines('--ignore-times', 'lower', 'upper');
        assert.deepEqual(
          CHANGED.filter((line) => !untimed.includes(line)),
          ['C /t', 'C /t/again', 'C /t/kept/time'],
        );
        // The other way round, neither stands on the other's layers.
        const turned = lines('upper', 'lower');
        assert.ok(turned.includes('A /t/gone/below/b'));
        assert.ok(turned.includes('D /t/\\xff'));
        assert.ok(!turned.some((line) => line.includes('/t/kept/same')));
        assert.deepEqual(lines('upper', 'upper'), ['']);
        const stray = changes('upper').find(({ pathBase64 }) => pathBase64 !== undefined);
        assert.deepEqual(Buffer.from(stray?.pathBase64 ?? '', 'base64'), Buffer.from('/t/\xff', 'latin1'));

        // A working container against its image, mounted or not, and against other trees.
        const container = rig.run('from', '--pull-never', 'upper');
        assert.deepEqual(lines(container), ['']);
        rig.run('run', container, 'sh', '-c', 'rm -r /t/kept; dd if=/dev/zero of=/t/l3 bs=1000 count=2 2>/dev/null');
        assert.deepEqual(
          lines(container).filter((line) => line.startsWith('D ')),
          ['D /t/kept'],
        );
        const grown = changes('upper', container).find(({ path }) => path === '/t/l3');
        assert.deepEqual(grown, { kind: 'C', path: '/t/l3', type: 'file', sizeBytes: 2000, sizeBytesBefore: 2 });
        assert.deepEqual(lines(container, container), ['']);
        assert.deepEqual(lines(container, 'upper').filter((line) => / \/t\/kept/.test(line)).length, 6);
        assert.ok(lines('localhost/latest', container).includes('A /t'));
        const missing = rig.try(['diff', 'uper']);
        assert.match(missing.stderr, /uper: image not known[\s\S]*did you mean upper/);

        const steps = JSON.parse(rig.run('history', '--json', 'upper')) as {
          id: string;
          createdBy: string;
          size: number;
          emptyLayer: boolean;
        }[];
        assert.deepEqual(
          steps.slice(0, 3).map(({ createdBy, emptyLayer }) => [/ENV|mkdir -p|rm -r/.exec(createdBy)?.[0], emptyLayer]),
          [
            ['rm -r', false],
            ['ENV', true],
            ['mkdir -p', false],
          ],
        );
        assert.ok(steps.every(({ size, emptyLayer }) => size > 0 !== emptyLayer));
        assert.equal(`sha256:${steps[0]?.id}`, rig.run('images', '-q', '--no-trunc', 'upper'));
        rig.run('push', '-q', 'upper', `oci:${join(rig.folder, 'work/layout')}:up`);
        const there = JSON.parse(
          rig.run('history', '--json', `oci:${join(rig.folder, 'work/layout')}:up`),
        ) as unknown[];
        assert.equal(there.length, steps.length);
      });
    }
  }
});
