import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { usageBetween } from '../../../src/report/resource-usage.ts';
import { resourceUsage } from '../../../src/sys/resource-usage.ts';

describe('resource usage', () => {
  it('counts this program and what it waited for', () => {
    const before = resourceUsage();
    // As node counts: times in microseconds.
    const own = process.resourceUsage();
    spawnSync('/bin/sh', ['-c', 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done']);
    const used = usageBetween(before, resourceUsage());
    assert.ok(used.userMs + used.systemMs > 0, JSON.stringify(used));
    assert.ok(used.elapsedMs > 0 && used.readBytes >= 0 && used.writtenBytes >= 0, JSON.stringify(used));
    assert.ok(
      before.userMs >= 0.9 * (own.userCPUTime / 1000) - 20,
      `${before.userMs} ms, of which ${own.userCPUTime} µs own`,
    );
  });
});
