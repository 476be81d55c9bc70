/** The few largest of many: keeps no more than asked for, whatever passes by. */
export class Largest<T extends { readonly bytes: number }> {
  readonly #most: number;
  readonly #kept: T[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether something of this size would be kept: spares making the value. */
  wants(bytes: number): boolean {
    if (bytes === 0 || this.#most === 0) return false;
    return this.#kept.length < this.#most || bytes > this.#kept.at(-1)!.bytes;
  }

  add(value: T): void {
    if (!this.wants(value.bytes)) return;
    let at = this.#kept.length;
    while (at > 0 && this.#kept[at - 1]!.bytes < value.bytes) at -= 1;
    this.#kept.splice(at, 0, value);
    if (this.#kept.length > this.#most) this.#kept.pop();
  }

  /** Most bytes first; of equals the one that came first. */
  get values(): readonly T[] {
    return this.#kept;
  }
}
