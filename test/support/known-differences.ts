/**
 * What another builder makes otherwise of the language corpus: a file beside the corpus, by case. `UPDATE_GOLDEN=1` writes
 * it anew; a difference that nobody explained yet stays a failure.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './installation.ts';

interface KnownDifference {
  /** Word of the table in docs/compatibility.md that tells why. */
  readonly because: string;
  readonly differences: readonly string[];
}

const UNEXPLAINED = 'unexplained';

export class KnownDifferences {
  readonly #file: string;
  readonly #known: Readonly<Record<string, KnownDifference>>;
  readonly #found: Record<string, KnownDifference>;

  constructor(file: string) {
    this.#file = file;
    this.#known = JSON.parse(readFileSync(file, 'utf8')) as Record<string, KnownDifference>;
    this.#found = { ...this.#known };
  }

  /** The builder does not always come to the same. */
  varies(name: string): boolean {
    return this.#known[name]?.differences[0] === 'varies';
  }

  /** A case differs as it is known to; a difference that is gone fails as well. */
  check(name: string, found: readonly string[] | undefined): void {
    const differences = (found ?? ['the case was not built']).map(withoutDetails);
    if (differences.length === 0) delete this.#found[name];
    else this.#found[name] = { because: this.#known[name]?.because ?? UNEXPLAINED, differences };
    assert.deepEqual(differences, this.#known[name]?.differences ?? []);
  }

  /** Every known difference is of one of the cases and has its reason in the documentation. */
  checkReasons(cases: readonly string[]): void {
    const documentation = readFileSync(join(checkout, 'docs/compatibility.md'), 'utf8');
    const stale = Object.keys(this.#known).filter((name) => !cases.includes(name));
    const reasons = [...new Set(Object.values(this.#known).map(({ because }) => because))];
    const undocumented = reasons.filter((reason) => !documentation.includes(`\`${reason}\``));
    assert.deepEqual({ stale, undocumented }, { stale: [], undocumented: [] });
  }

  /** Writes the file anew where that was asked for. */
  save(): void {
    if (process.env['UPDATE_GOLDEN'] === undefined) return;
    const sorted = Object.entries(this.#found).sort(([a], [b]) => (a < b ? -1 : 1));
    writeFileSync(this.#file, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  }
}

/** A failure is told in words that hold temporary names. */
function withoutDetails(difference: string): string {
  return difference.startsWith('failed: ') ? 'failed' : difference;
}
