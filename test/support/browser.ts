/**
 * A real Chromium without a window, spoken to over a pipe in its own protocol: no port, no package.
 *
 * @see Chrome DevTools Protocol, and chromium's --remote-debugging-pipe: messages of JSON, each ended by a NUL
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { findProgram } from './command.ts';

export const chromium = findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome');

type Message = {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, never>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
};

const TIMEOUT_MS = 60_000;

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Set<(message: Message) => void>();
  #session: string | undefined;
  #next = 0;
  #rest = '';

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser ended'));
    });
  }

  static async open(): Promise<Browser> {
    if (chromium === undefined) throw new Error('no chromium');
    const profile = mkdtempSync(join(tmpdir(), 'slipway-browser-'));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const child = spawn(chromium, [...flags, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const browser = new Browser(child, profile);
    const { targetId } = await browser.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
    const attached = await browser.call<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    browser.#session = attached.sessionId;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await browser.call(`${domain}.enable`);
    return browser;
  }

  /** Sends one command and waits for its answer. */
  call<Result>(method: string, params: object = {}): Promise<Result> {
    const id = ++this.#next;
    const message = { id, method, params, ...(this.#session === undefined ? {} : { sessionId: this.#session }) };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} has no answer`)), TIMEOUT_MS);
      const done = <T>(then: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      };
      this.#waiting.set(id, { resolve: done(resolve), reject: done(reject) });
    });
  }

  /** Opens a page and waits until it is loaded; gives what it asked for and what it complained of meanwhile. */
  async visit(
    url: string,
    o: { readonly scripts: boolean } = { scripts: true },
  ): Promise<{ readonly requests: readonly string[]; readonly complaints: readonly string[] }> {
    const requests: string[] = [];
    const complaints: string[] = [];
    const loaded = new Promise<void>((resolve) => {
      this.#listeners.add(({ method, params }) => {
        const seen = JSON.stringify(params);
        if (method === 'Network.requestWillBeSent') requests.push((params as unknown as Request).request.url);
        if (method === 'Runtime.exceptionThrown' || method === 'Runtime.consoleAPICalled') complaints.push(seen);
        if (method === 'Log.entryAdded') complaints.push(seen);
        if (method === 'Page.loadEventFired') resolve();
      });
    });
    await this.call('Page.navigate', { url });
    await loaded;
    // What a script does at the end of loading has been done after this turn.
    if (o.scripts) await this.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))');
    this.#listeners.clear();
    return { requests, complaints };
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.call<{ result: { value: T }; exceptionDetails?: object }>('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (answer.exceptionDetails !== undefined) throw new Error(JSON.stringify(answer.exceptionDetails));
    return answer.result.value;
  }

  async resize(width: number, height: number): Promise<void> {
    await this.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** Presses and lets go of a key, as a person does. */
  async press(key: 'Tab' | 'Enter'): Promise<void> {
    const code = key === 'Tab' ? 9 : 13;
    const common = { key, code: key, windowsVirtualKeyCode: code };
    await this.call('Input.dispatchKeyEvent', {
      type: key === 'Enter' ? 'keyDown' : 'rawKeyDown',
      ...common,
      ...(key === 'Enter' ? { text: '\r' } : {}),
    });
    await this.call('Input.dispatchKeyEvent', { type: 'keyUp', ...common });
  }

  #read(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const raw of messages) {
      const message = JSON.parse(raw) as Message;
      const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
      if (waiting === undefined) for (const listen of this.#listeners) listen(message);
      else if (message.error !== undefined) waiting.reject(new Error(message.error.message));
      else waiting.resolve(message.result as never);
      if (message.id !== undefined) this.#waiting.delete(message.id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface Request {
  readonly request: { readonly url: string };
}
