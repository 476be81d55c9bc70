import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesOf, secondsOf } from '../../../src/cli/output/byte-count.ts';
import { exitWords } from '../../../src/cli/output/exit-words.ts';
import { LiveFrame } from '../../../src/cli/output/live-frame.ts';
import { OutputTail } from '../../../src/cli/output/output-tail.ts';
import { displayWidth, fitWidth } from '../../../src/cli/output/text-width.ts';
import { TransferProgress } from '../../../src/cli/output/transfer-progress.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

it('bytes are told in one unit with one digit', () => {
  const table: readonly (readonly [number, number | undefined, string])[] = [
    [0, undefined, '0 B'],
    [999, undefined, '999 B'],
    [999, 1000, '1.0 / 1.0 kB'],
    [12_400_000, 31_000_000, '12.4 / 31.0 MB'],
    [999_949, undefined, '999.9 kB'],
    [999_950, undefined, '1.0 MB'],
    [5e15, undefined, '5000.0 TB'],
  ];
  for (const [current, total, expected] of table) assert.equal(bytesOf(current, total), expected);
});

it('times grow from tenths to hours', () => {
  const table: readonly (readonly [number, string])[] = [
    [-5, '0.0s'],
    [49, '0.0s'],
    [8100, '8.1s'],
    [59_940, '59.9s'],
    [59_960, '1m 00s'],
    [65_000, '1m 05s'],
    [3_600_000, '1h 00m'],
    [7_380_000, '2h 03m'],
  ];
  for (const [milliseconds, expected] of table) assert.equal(secondsOf(milliseconds), expected);
});

describe('a transfer', () => {
  it('tells rate and time left only after two seconds', () => {
    const transfer = new TransferProgress(`Copying blob sha256:${'ab'.repeat(32)}`, 0);
    assert.equal(transfer.label, 'Copying blob abababababab');
    transfer.update(0, 40_000_000, 0);
    transfer.update(10_000_000, undefined, 1000);
    assert.equal(transfer.text(1999), '10.0 / 40.0 MB');
    transfer.update(20_000_000, undefined, 2000);
    assert.equal(transfer.text(2000), '20.0 / 40.0 MB, 10.0 MB/s, 2s left');
  });
  it('notices a stall', () => {
    const transfer = new TransferProgress('x', 0);
    transfer.update(0, 100, 0);
    transfer.update(50, 100, 1000);
    const left = (now: number): number => Number(/(\d+)s left/.exec(transfer.text(now))?.[1]);
    assert.ok(left(20_000) > left(4000));
  });
  it('without a total has no end to tell', () => {
    const transfer = new TransferProgress('x', 0);
    transfer.update(0, undefined, 0);
    transfer.update(9000, undefined, 3000);
    assert.equal(transfer.text(3000), '9.0 kB, 3.0 kB/s');
  });
});

describe('the tail of an output', () => {
  it('has the last lines of both streams, the unfinished included', () => {
    const tail = new OutputTail();
    tail.push('stdout', bytes('a\nb\nc'));
    tail.push('stderr', bytes('E\n'));
    tail.push('stdout', bytes('d\n'));
    assert.deepEqual(tail.last(10), ['a', 'b', 'E', 'cd']);
    assert.deepEqual(tail.last(1), ['cd']);
    assert.deepEqual(tail.last(0), []);
  });
  it('keeps only the last drawing of a line that was drawn over', () => {
    const tail = new OutputTail();
    tail.push('stdout', bytes('10%\r50%\r\r\nnext\r1\r2'));
    assert.deepEqual(tail.last(5), ['50%', '2']);
  });
  it('keeps characters and sequences whole that were cut', () => {
    const tail = new OutputTail();
    for (const byte of bytes('é日\x1b[2J\x1b]0;x\x07\x1b[31mr\n')) tail.push('stdout', Uint8Array.of(byte));
    assert.deepEqual(tail.last(5), ['é日r']);
  });
  it('is bounded, and begins with a whole line', () => {
    const tail = new OutputTail();
    for (let i = 0; i < 20_000; i++) tail.push('stdout', bytes(`line ${i}\n`));
    assert.deepEqual(tail.last(2), ['line 19998', 'line 19999']);
    assert.ok(tail.last(1e6).every((line) => /^line \d+$/.test(line)));
    tail.push('stdout', bytes(`${'x'.repeat(100_000)}\nend\n`));
    assert.deepEqual(tail.last(5), ['end']);
  });
});

describe('the live frame', () => {
  const terminal = (columns: number) => {
    const writes: string[] = [];
    return {
      writes,
      columns,
      rows: 24,
      isTty: true,
      flush: async () => {},
      write: (d: unknown) => writes.push(String(d)),
    };
  };
  it('goes up by the rows it takes, more when the terminal became narrower', () => {
    const out = terminal(80);
    const frame = new LiveFrame(out);
    frame.draw('', ['x'.repeat(79), '\x1b[1mshort\x1b[22m']);
    frame.draw('', ['y']);
    assert.match(out.writes[1]!, /\x1b\[2A/);
    frame.draw('', ['x'.repeat(79), 'short']);
    out.columns = 30;
    frame.draw('', []);
    assert.match(out.writes.at(-1)!, /\x1b\[4A\x1b\[0J/);
  });
  it('shows the cursor again in the write that hid it', () => {
    const out = terminal(80);
    const frame = new LiveFrame(out);
    frame.draw('above\n', ['x']);
    frame.draw('', []);
    for (const write of out.writes) assert.match(write, /^\x1b\[\?25l[\s\S]*\x1b\[\?25h$/);
  });
  it('writes nothing where there is nothing', () => {
    const out = terminal(80);
    new LiveFrame(out).draw('', []);
    assert.deepEqual(out.writes, []);
  });
});

it('exit codes in words', () => {
  const table: readonly (readonly [Record<string, unknown>, string | undefined])[] = [
    [{ exitCode: 1 }, undefined],
    [{}, undefined],
    [{ exitCode: 126 }, 'exit 126: not executable'],
    [{ exitCode: 127 }, 'exit 127: command not found'],
    [{ exitCode: 137 }, 'exit 137: killed by SIGKILL (out of memory?)'],
    [{ exitCode: 139 }, 'exit 139: killed by SIGSEGV (it crashed)'],
    [{ exitCode: 143 }, 'exit 143: killed by SIGTERM'],
    [{ exitCode: 255 }, undefined],
    [{ signal: 'SIGKILL' }, 'killed by SIGKILL (out of memory?)'],
  ];
  for (const [facts, expected] of table) assert.equal(exitWords(facts), expected);
});

it('widths err on the side of too wide', () => {
  assert.equal(displayWidth('a日é\u0301✅❤\ufe0f\u200b'), 1 + 2 + 1 + 0 + 2 + 2 + 0);
  assert.equal(fitWidth('日本語', 5), '日本…');
  assert.equal(fitWidth('日本語', 4), '日…');
  assert.equal(fitWidth('abcdef', 5, '...'), 'ab...');
  assert.equal(fitWidth('abcdef', 2, '...'), '');
});
