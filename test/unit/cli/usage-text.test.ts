import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { usageText } from '../../../src/cli/output/usage-text.ts';

describe('what a step used, in words', () => {
  it("are Go's durations in whole milliseconds and decimal sizes of four digits", () => {
    const none = { userMs: 0, systemMs: 0.4, elapsedMs: 0.6, readBytes: 0, writtenBytes: 512 };
    assert.equal(usageText(none), '0s(system) 0s(user) 1ms(elapsed) 0B input 512B output');
    const much = { userMs: 61_250.4, systemMs: 31, elapsedMs: 1210.2, readBytes: 8192, writtenBytes: 3_456_789_012 };
    assert.equal(usageText(much), '31ms(system) 1m1.25s(user) 1.21s(elapsed) 8.192kB input 3.457GB output');
  });
});
