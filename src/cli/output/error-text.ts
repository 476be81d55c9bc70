/** Errors and diagnostics as people read them on stderr. */
import { constants } from 'node:os';
import type { Diagnostic, Span } from '../../index.ts';
import { UsageError } from '../usage-error.ts';
import { exitWords } from './exit-words.ts';
import { redact } from './redact.ts';
import { printable, sourceFrame } from './source-frame.ts';
import type { Style } from './style.ts';

export interface ErrorTextOptions {
  readonly width: number;
  readonly style: Style;
  /** Adds codes, all causes and the stack. */
  readonly verbose: boolean;
  /** Of the program, for reports of bugs. */
  readonly version?: string;
  /** The nearest of some candidates; the library's `suggest`. */
  readonly suggest?: (word: string, candidates: Iterable<string>) => string | undefined;
}

/** The shape shared by the library's errors and the command line's. */
interface CodedError extends Error {
  readonly code: string;
  readonly hint?: string;
  readonly span?: Span;
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** True for errors that are about the work, as opposed to bugs. */
export function isCoded(error: unknown): error is CodedError {
  return (
    error instanceof Error && error.name === 'BuilderError' && typeof (error as { code?: unknown }).code === 'string'
  );
}

/** A failed call of node's own file functions: about the machine, not a bug. */
interface SystemError extends Error {
  readonly code: string;
  readonly errno?: number;
  readonly syscall: string;
  readonly path?: string;
}

/** True for errors of node's own file functions: about the machine, not a bug. */
export function isSystemError(error: unknown): error is SystemError {
  const candidate = error as Partial<SystemError>;
  const isKnown = /^(?:E[A-Z0-9]+|Unknown system error -\d+)$/.test(candidate.code ?? '');
  return error instanceof Error && isKnown && typeof candidate.syscall === 'string';
}

/** `cannot open "/x": permission denied (EACCES)`. */
function systemText({ code, errno, syscall, path, message }: SystemError): string {
  const why = /^E[A-Z0-9]+: ([^,]*),/.exec(message)?.[1];
  const subject = path === undefined ? '' : ` ${JSON.stringify(path)}`;
  // What node has no name for, such as a quota, the kernel has.
  const name = Object.entries(constants.errno).find(([, value]) => value === -(errno ?? 0))?.[0] ?? code;
  return `cannot ${syscall}${subject}: ${why === undefined ? name : `${why} (${code})`}`;
}

/** `Error: what`, the place, what caused it, and a way out. Ends with a line feed. */
export function errorText(error: unknown, o: ErrorTextOptions): string {
  if (isSystemError(error)) return `${o.style.bad('Error:')} ${harmless(systemText(error))}\n`;
  if (!isCoded(error)) return bugText(error, o);
  let out = `${o.style.bad('Error:')} ${harmless(error.message)}\n`;
  if (error.span !== undefined) out += sourceFrame(error.span, o.width, o.style, error.code);
  else if (o.verbose) out += `  ${o.style.faint(`[${error.code}]`)}\n`;
  const exit = error.code === 'step.failed' || error.code === 'build.failed' ? exitWords(error.facts) : undefined;
  if (exit !== undefined) out += `${o.style.path('note:')} ${exit}\n`;
  for (const cause of causesOf(error, o.verbose)) out += `${o.style.faint('caused by:')} ${harmless(cause)}\n`;
  const help = error.hint ?? nearHint(error, o);
  if (help !== undefined) out += `${o.style.path('help:')} ${harmless(help)}\n`;
  if (o.verbose && error.stack !== undefined) out += `${o.style.faint(harmless(error.stack))}\n`;
  return out;
}

/** As a build tells it: an error whole, a warning in one line, which `check` shows whole. */
export function buildDiagnosticText(d: Diagnostic, o: ErrorTextOptions): string {
  if (d.severity === 'error') return diagnosticText(d, o);
  const { file, start } = d.span;
  const place = `${harmless(file.name)}:${file.text.slice(0, start).split('\n').length}`;
  return `${o.style.warning('warning:')} ${place}: ${harmless(d.message)} ${o.style.faint(`[${d.code}]`)}\n`;
}

/** A warning or error about a source text, with its frame, notes and help. */
export function diagnosticText(d: Diagnostic, o: ErrorTextOptions): string {
  const head = d.severity === 'error' ? o.style.bad('error:') : o.style.warning('warning:');
  let out = `${head} ${harmless(d.message)}\n${sourceFrame(d.span, o.width, o.style, d.code)}`;
  for (const note of d.notes) {
    out += `${o.style.path('note:')} ${harmless(note.message)}\n`;
    if (note.span !== undefined) out += sourceFrame(note.span, o.width, o.style);
  }
  if (d.help !== undefined) out += `${o.style.path('help:')} ${harmless(d.help)}\n`;
  return out;
}

function nearHint(error: Error, o: ErrorTextOptions): string | undefined {
  if (!(error instanceof UsageError) || error.near === undefined) return undefined;
  const found = o.suggest?.(error.near.word, error.near.candidates);
  return found === undefined ? undefined : `did you mean \`${error.near.prefix}${found}\`?`;
}

/** Without credentials, and without control characters but line feeds: messages quote what others wrote. */
function harmless(text: string): string {
  return redact(text).split('\n').map(printable).join('\n');
}

/** What lies behind an error. Causes whose text the message already holds say nothing new, and count only when verbose. */
export function causesOf(error: Error, verbose = false): string[] {
  const causes: string[] = [];
  let said = error.message;
  for (let cause = error.cause; cause !== undefined && cause !== null; cause = (cause as Error).cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (verbose || !said.includes(message)) causes.push(message);
    said += `\n${message}`;
    if (!(cause instanceof Error)) break;
  }
  return causes;
}

function bugText(error: unknown, o: ErrorTextOptions): string {
  const text = harmless(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const [first, ...rest] = text.split('\n');
  const report = `This is a bug in slipway${o.version === undefined ? '' : ` ${o.version}, node ${process.version}`}. Please report it with these lines.`;
  return `${o.style.bad('Error:')} internal: ${first}\n${o.style.faint(rest.join('\n'))}\n${report}\n`;
}
