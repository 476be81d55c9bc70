import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeldDisplay, MOST_HELD_BYTES } from '../../../src/cli/output/held-display.ts';
import { TextOutput } from '../../../src/cli/output/output.ts';
import type { BuildEvent } from '../../../src/report/event.ts';

const opened: BuildEvent = { type: 'debug-shell', step: '0.2', state: 'opened', text: 'exit status 7: make \x1b[2J' };
const closed: BuildEvent = { type: 'debug-shell', step: '0.2', state: 'closed' };
const note = (text: string): BuildEvent => ({ type: 'note', text });

describe('a held display', () => {
  it('lets events pass, holds them while a shell is open, and then tells them in order', () => {
    const told: string[] = [];
    const stderr = new TextOutput();
    const { emit } = new HeldDisplay((event) => told.push('text' in event ? event.text! : event.type), stderr);
    emit(note('before'));
    emit(opened);
    emit(note('meanwhile'));
    assert.deepEqual(told, ['before', 'exit status 7: make \x1b[2J']);
    emit(closed);
    emit(note('after'));
    assert.deepEqual(told.slice(2), ['debug-shell', 'meanwhile', 'after']);
    assert.equal(stderr.text, '\nexit status 7: make \ufffd[2J\n');
  });

  it('keeps a copy of what is printed, and no more than its limit', () => {
    const told: BuildEvent[] = [];
    const { emit } = new HeldDisplay((event) => told.push(event), new TextOutput());
    const data = Buffer.alloc(MOST_HELD_BYTES / 2 - 1, 'a');
    const output: BuildEvent = { type: 'step-output', step: '1.2', stream: 'stdout', data };
    emit(opened);
    for (let i = 0; i < 4; i++) emit(output);
    data.fill('b');
    emit(closed);
    const printed = told.filter((event) => event.type === 'step-output');
    assert.equal(printed.length, 2);
    assert.ok(printed.every((event) => event.data[0] === 'a'.charCodeAt(0)));
    assert.deepEqual(told.at(-1), note(`${2 * data.length} bytes that other steps printed meanwhile are left out`));
  });
});
