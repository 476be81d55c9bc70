/** The signal names and numbers STOPSIGNAL takes. */

const NAMES: ReadonlySet<string> = new Set(
  `ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP
   TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX`.split(/\s+/),
);

/** Whether `text` is a signal: a number other than 0, or a name with or without `SIG`, in any case. */
export function isSignal(text: string): boolean {
  if (/^[+-]?\d+$/.test(text)) return Number(text) !== 0;
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^(RTMIN\+|RTMAX-)(\d{1,2})$/.exec(name);
  if (realTime === null) return NAMES.has(name);
  return Number(realTime[2]) >= 1 && Number(realTime[2]) <= (realTime[1] === 'RTMIN+' ? 15 : 14);
}

/** For suggestions. */
export const SIGNAL_NAMES: readonly string[] = [...NAMES].map((name) => `SIG${name}`);
