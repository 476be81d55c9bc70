/** Go's times and durations: how they print, and the methods that templates call on them. */

/** A value of a named type with a text and methods of its own. */
export class GoNamed {
  readonly typeName: string;
  /** What `String` gives. */
  readonly printed: string;
  readonly json: unknown;
  /** Takes strings only; every method has a fixed number of them. */
  readonly methods: ReadonlyMap<string, Method>;
  /** The number beneath, where there is one. */
  readonly integer: number | undefined;

  constructor(o: Pick<GoNamed, 'typeName' | 'printed' | 'json' | 'methods' | 'integer'>) {
    this.typeName = o.typeName;
    this.printed = o.printed;
    this.json = o.json;
    this.methods = o.methods;
    this.integer = o.integer;
  }
}

export interface Method {
  readonly arity: number;
  readonly call: (...args: string[]) => MethodResult;
}

/** A float is told from an int by its wrapper, as everywhere. */
export type MethodResult = string | number | boolean | GoNamed | { readonly float: number };

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** A moment as RFC 3339 wrote it: the clock of its zone, and the zone's offset. */
interface Moment {
  /** Milliseconds since the epoch of the clock's reading as if it were UTC. */
  readonly clock: Date;
  readonly nanoseconds: number;
  /** `Z`, or `+01:00`. */
  readonly zone: string;
}

/** `2026-11-21T08:05:24.47Z` prints as `2026-11-21 08:05:24.47 +0000 UTC`. Other texts print as they are. */
export function goTime(rfc3339: string): GoNamed {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(rfc3339);
  const base = { typeName: 'time.Time', json: rfc3339, integer: undefined };
  if (match === null) return new GoNamed({ ...base, printed: rfc3339, methods: new Map() });
  const [, clock, fraction = '', zone] = match;
  const moment = { clock: new Date(`${clock}Z`), nanoseconds: Number(fraction.padEnd(9, '0')), zone: zone! };
  return new GoNamed({
    ...base,
    printed: formatTime(moment, '2006-01-02 15:04:05.999999999 -0700 MST'),
    methods: timeMethods(moment),
  });
}

function timeMethods(moment: Moment): ReadonlyMap<string, Method> {
  const { clock, nanoseconds } = moment;
  const millis = clock.getTime() - offsetMinutes(moment.zone) * 60_000;
  const none = (call: () => MethodResult): Method => ({ arity: 0, call });
  return new Map<string, Method>([
    ['Format', { arity: 1, call: (layout) => formatTime(moment, layout!) }],
    ['String', none(() => formatTime(moment, '2006-01-02 15:04:05.999999999 -0700 MST'))],
    ['UTC', none(() => goTime(rfc3339(millis, nanoseconds)))],
    ['Unix', none(() => Math.floor(millis / 1000))],
    ['UnixMilli', none(() => millis + Math.floor(nanoseconds / 1e6))],
    ['IsZero', none(() => millis === Date.parse('0001-01-01T00:00:00Z') && nanoseconds === 0)],
    ['Year', none(() => clock.getUTCFullYear())],
    ['Month', none(() => numbered('time.Month', clock.getUTCMonth() + 1, MONTHS[clock.getUTCMonth()]!))],
    ['Day', none(() => clock.getUTCDate())],
    ['Weekday', none(() => numbered('time.Weekday', clock.getUTCDay(), DAYS[clock.getUTCDay()]!))],
    ['YearDay', none(() => dayOfYear(clock))],
    ['Hour', none(() => clock.getUTCHours())],
    ['Minute', none(() => clock.getUTCMinutes())],
    ['Second', none(() => clock.getUTCSeconds())],
    ['Nanosecond', none(() => nanoseconds)],
  ]);
}

function rfc3339(millis: number, nanoseconds: number): string {
  return new Date(millis).toISOString().replace(/\.\d+Z$/, `.${String(nanoseconds).padStart(9, '0')}Z`);
}

function numbered(typeName: string, integer: number, printed: string): GoNamed {
  const methods = new Map<string, Method>([['String', { arity: 0, call: () => printed }]]);
  return new GoNamed({ typeName, printed, json: integer, methods, integer });
}

function dayOfYear(clock: Date): number {
  return Math.floor((clock.getTime() - Date.UTC(clock.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
}

function offsetMinutes(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4));
  return zone.startsWith('-') ? -minutes : minutes;
}

/** The words of a layout: the longest that fits counts, a name only where no lower case letter follows. */
const LAYOUT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|_2(?!006)|0[1-6]|002|Z07:?00|-07:?00|15|PM|pm|[.,](?:0+|9+)(?!\d)|[1-6]/g;

/** `time.Format`. */
function formatTime(moment: Moment, layout: string): string {
  return layout.replace(LAYOUT, (word) => timeWord(moment, word));
}

function timeWord({ clock, nanoseconds, zone }: Moment, word: string): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const hour12 = clock.getUTCHours() % 12 || 12;
  const offset = zone === 'Z' ? '+00:00' : zone;
  switch (word) {
    case '2006':
      return String(clock.getUTCFullYear()).padStart(4, '0');
    case '06':
      return two(clock.getUTCFullYear() % 100);
    case 'January':
      return MONTHS[clock.getUTCMonth()]!;
    case 'Jan':
      return MONTHS[clock.getUTCMonth()]!.slice(0, 3);
    case '01':
      return two(clock.getUTCMonth() + 1);
    case '1':
      return String(clock.getUTCMonth() + 1);
    case 'Monday':
      return DAYS[clock.getUTCDay()]!;
    case 'Mon':
      return DAYS[clock.getUTCDay()]!.slice(0, 3);
    case '02':
      return two(clock.getUTCDate());
    case '_2':
      return String(clock.getUTCDate()).padStart(2, ' ');
    case '2':
      return String(clock.getUTCDate());
    case '002':
      return String(dayOfYear(clock)).padStart(3, '0');
    case '15':
      return two(clock.getUTCHours());
    case '03':
      return two(hour12);
    case '3':
      return String(hour12);
    case '04':
      return two(clock.getUTCMinutes());
    case '4':
      return String(clock.getUTCMinutes());
    case '05':
      return two(clock.getUTCSeconds());
    case '5':
      return String(clock.getUTCSeconds());
    case 'PM':
      return clock.getUTCHours() < 12 ? 'AM' : 'PM';
    case 'pm':
      return clock.getUTCHours() < 12 ? 'am' : 'pm';
    case 'MST':
      return zone === 'Z' ? 'UTC' : offset.replace(/:(00)?/, '');
    case '-07:00':
      return offset;
    case '-0700':
      return offset.replace(':', '');
    case 'Z07:00':
      return zone === 'Z' ? 'Z' : offset;
    case 'Z0700':
      return zone === 'Z' ? 'Z' : offset.replace(':', '');
    default:
      return fractionWord(word, nanoseconds);
  }
}

/** `.000` keeps its digits, `.999` drops zeros at the end; a lone `6` is no word. */
function fractionWord(word: string, nanoseconds: number): string {
  if (word.length === 1) return word;
  const digits = String(nanoseconds)
    .padStart(9, '0')
    .slice(0, word.length - 1);
  if (word[1] === '0') return word[0] + digits;
  const short = digits.replace(/0+$/, '');
  return short === '' ? '' : word[0] + short;
}

/** Nanoseconds as Go's `time.Duration` prints them: `1h30m0s`, `1.5s`, `300ms`, `0s`. */
export function goDuration(nanoseconds: number): GoNamed {
  const printed = durationText(nanoseconds);
  const none = (call: () => MethodResult): Method => ({ arity: 0, call });
  const methods = new Map<string, Method>([
    ['String', none(() => printed)],
    ['Nanoseconds', none(() => nanoseconds)],
    ['Microseconds', none(() => Math.trunc(nanoseconds / 1e3))],
    ['Milliseconds', none(() => Math.trunc(nanoseconds / 1e6))],
    ['Seconds', none(() => ({ float: nanoseconds / 1e9 }))],
    ['Minutes', none(() => ({ float: nanoseconds / 6e10 }))],
    ['Hours', none(() => ({ float: nanoseconds / 3.6e12 }))],
  ]);
  return new GoNamed({ typeName: 'time.Duration', printed, json: nanoseconds, methods, integer: nanoseconds });
}

/** The same as plain text. */
export function durationText(ns: number): string {
  if (ns === 0) return '0s';
  const sign = ns < 0 ? '-' : '';
  const abs = Math.abs(ns);
  if (abs < 1e3) return `${sign}${abs}ns`;
  if (abs < 1e6) return `${sign}${abs / 1e3}\u00b5s`;
  if (abs < 1e9) return `${sign}${abs / 1e6}ms`;
  const hours = Math.floor(abs / 3.6e12);
  const minutes = Math.floor((abs % 3.6e12) / 6e10);
  const seconds = (abs % 6e10) / 1e9;
  return `${sign}${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
