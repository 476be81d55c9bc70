/** One blob on its way: how much of it is there, how fast it comes, and how long it will take. */
import { bytesOf, secondsOf } from './byte-count.ts';

/** Before this much time a rate is a guess. */
const RATE_AFTER_MS = 2000;
/** The rate is that of the last seconds: an average over all would not notice a stall. */
const WINDOW_MS = 5000;

interface Sample {
  readonly at: number;
  readonly current: number;
}

export class TransferProgress {
  /** `Copying blob 3f2a9c1b2d4e` */
  readonly label: string;
  readonly #startedAt: number;
  #samples: Sample[];
  #total: number | undefined;

  /** @param label digests in it are shortened */
  constructor(label: string, at: number) {
    this.label = label.replace(/\bsha(256|512):([0-9a-f]{12})[0-9a-f]+/, '$2');
    this.#startedAt = at;
    this.#samples = [];
  }

  update(current: number | undefined, total: number | undefined, at: number): void {
    this.#total = total ?? this.#total;
    if (current === undefined) return;
    this.#samples.push({ at, current });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at > WINDOW_MS) this.#samples.shift();
  }

  /** `12.4 / 31.0 MB`, after two seconds also `6.1 MB/s, 3s left`. */
  text(now: number): string {
    const last = this.#samples.at(-1);
    if (last === undefined) return this.#total === undefined ? '' : bytesOf(0, this.#total);
    const bytes = bytesOf(last.current, this.#total);
    const rate = this.#bytesPerSecond(now);
    if (rate === undefined) return bytes;
    const left = this.#total === undefined ? undefined : (this.#total - last.current) / rate;
    const eta = left === undefined || left <= 0 ? '' : `, ${wholeSeconds(left)} left`;
    return `${bytes}, ${bytesOf(Math.round(rate))}/s${eta}`;
  }

  #bytesPerSecond(now: number): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || now - this.#startedAt < RATE_AFTER_MS) return undefined;
    const moved = last.current - first.current;
    return moved > 0 && now > first.at ? (moved * 1000) / (now - first.at) : undefined;
  }
}

function wholeSeconds(seconds: number): string {
  return seconds < 59.5 ? `${Math.max(1, Math.round(seconds))}s` : secondsOf(seconds * 1000);
}
