/**
 * A small compiler from "system call number → rules" to the classic BPF that seccomp runs: a binary search over ranges
 * of numbers with the same outcome, so that no call pays for a long list.
 *
 * @see seccomp(2), linux/bpf_common.h, linux/filter.h, struct seccomp_data
 */
import { BuilderError } from '../report/builder-error.ts';

/** What happens to a call: a SECCOMP_RET_* word. */
export type Verdict = number;

export const VERDICT = {
  KILL_PROCESS: 0x80000000,
  KILL_THREAD: 0x00000000,
  TRAP: 0x00030000,
  ERRNO: 0x00050000,
  LOG: 0x7ffc0000,
  ALLOW: 0x7fff0000,
} as const;

/** `value` is compared with the whole 64-bit argument; for `MASKED_EQ`, `mask` is applied to the argument first. */
export interface Condition {
  readonly argument: number;
  readonly operator: 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE' | 'MASKED_EQ';
  readonly value: bigint;
  readonly mask?: bigint;
}

/** All conditions must hold. */
export interface Rule {
  readonly conditions: readonly Condition[];
  readonly verdict: Verdict;
}

/** The rules of one architecture: the first that holds decides, else `fallback`. */
export interface RuleTable {
  /** AUDIT_ARCH_* */
  readonly architecture: number;
  readonly rules: ReadonlyMap<number, readonly Rule[]>;
  readonly fallback: Verdict;
  /** Numbers from here on get this verdict (x32 shares the architecture word of x86-64). */
  readonly above?: { readonly number: number; readonly verdict: Verdict };
}

const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JA = 0x05;
const BPF_JEQ = 0x15;
const BPF_JGT = 0x25;
const BPF_JGE = 0x35;
const BPF_ALU_AND = 0x54;
const BPF_RET = 0x06;
const OFFSET_NUMBER = 0;
const OFFSET_ARCHITECTURE = 4;
const OFFSET_ARGUMENTS = 16;
/** BPF_MAXINSNS: what the kernel takes. */
const MOST_INSTRUCTIONS = 4096;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const load = (offset: number): Instruction => ({ code: BPF_LD_W_ABS, jt: 0, jf: 0, k: offset });
const jump = (k: number): Instruction => ({ code: BPF_JMP_JA, jt: 0, jf: 0, k });
const give = (verdict: Verdict): Instruction => ({ code: BPF_RET, jt: 0, jf: 0, k: verdict });

/** The program: one section an architecture; calls of any other architecture kill the process. */
export function compileFilter(tables: readonly RuleTable[]): Buffer {
  const program: Instruction[] = [load(OFFSET_ARCHITECTURE)];
  for (const table of tables) {
    const section = compileTable(table);
    program.push({ code: BPF_JEQ, jt: 1, jf: 0, k: table.architecture }, jump(section.length), ...section);
  }
  program.push(give(VERDICT.KILL_PROCESS));
  if (program.length > MOST_INSTRUCTIONS) {
    throw new BuilderError('run.start-failed', `the seccomp profile is too large: ${program.length} instructions`);
  }
  return encode(program);
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jt, i * 8 + 2);
    bytes.writeUInt8(jf, i * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, i * 8 + 4);
  });
  return bytes;
}

interface Range {
  readonly from: number;
  readonly rules: readonly Rule[];
}

function compileTable(table: RuleTable): Instruction[] {
  const search = compileSearch(toRanges(table), table.fallback);
  if (table.above === undefined) return [load(OFFSET_NUMBER), ...search];
  const guard: Instruction = { code: BPF_JGE, jt: 0, jf: 1, k: table.above.number };
  return [load(OFFSET_NUMBER), guard, give(table.above.verdict), ...search];
}

/** Ranges from 0 upwards without gaps; neighbours of the same outcome are one. */
function toRanges(table: RuleTable): Range[] {
  const ranges: Range[] = [{ from: 0, rules: [] }];
  const put = (from: number, rules: readonly Rule[]): void => {
    const last = ranges.at(-1)!;
    if (last.from === from) ranges.pop();
    const before = ranges.at(-1);
    if (before === undefined || !sameOutcome(before.rules, rules)) ranges.push({ from, rules });
  };
  for (const [number, rules] of [...table.rules].sort(([a], [b]) => a - b)) {
    put(number, rules);
    put(number + 1, []);
  }
  return ranges;
}

function sameOutcome(a: readonly Rule[], b: readonly Rule[]): boolean {
  if (a.length === 0 || b.length === 0) return a.length === b.length;
  const [x, y] = [a[0]!, b[0]!];
  return x.conditions.length === 0 && y.conditions.length === 0 && x.verdict === y.verdict;
}

function compileSearch(ranges: readonly Range[], fallback: Verdict): Instruction[] {
  if (ranges.length === 1) return ranges[0]!.rules.flatMap(compileRule).concat(give(fallback));
  const middle = ranges.length >> 1;
  const left = compileSearch(ranges.slice(0, middle), fallback);
  const right = compileSearch(ranges.slice(middle), fallback);
  // Conditional jumps reach 255 instructions only, unconditional ones any distance.
  return [{ code: BPF_JGE, jt: 0, jf: 1, k: ranges[middle]!.from }, jump(left.length), ...left, ...right];
}

/** Falls through behind its last instruction when a condition does not hold. */
function compileRule(rule: Rule): Instruction[] {
  let body: Instruction[] = [give(rule.verdict)];
  for (const condition of [...rule.conditions].reverse()) body = [...compileCondition(condition, body.length), ...body];
  return body;
}

/** Goes on behind itself when it holds; else jumps over the `rest` instructions that follow. */
function compileCondition(condition: Condition, rest: number): Instruction[] {
  const low = OFFSET_ARGUMENTS + condition.argument * 8;
  const [high, word] = [Number(condition.value >> 32n), Number(condition.value & 0xffffffffn)];
  const test = (code: number, k: number, jt: number, jf: number): Instruction => ({ code, jt, jf, k });
  switch (condition.operator) {
    case 'EQ':
      return [load(low + 4), test(BPF_JEQ, high, 0, rest + 2), load(low), test(BPF_JEQ, word, 0, rest)];
    case 'NE':
      return [load(low + 4), test(BPF_JEQ, high, 0, 2), load(low), test(BPF_JEQ, word, rest, 0)];
    case 'GT':
      return greater(BPF_JGT, low, high, word, rest);
    case 'GE':
      return greater(BPF_JGE, low, high, word, rest);
    case 'LE':
      return notGreater(BPF_JGT, low, high, word, rest);
    case 'LT':
      return notGreater(BPF_JGE, low, high, word, rest);
    case 'MASKED_EQ': {
      const mask = condition.mask ?? 0xffffffffffffffffn;
      const and = (k: number): Instruction => ({ code: BPF_ALU_AND, jt: 0, jf: 0, k });
      return [
        load(low + 4),
        and(Number(mask >> 32n)),
        test(BPF_JEQ, high, 0, rest + 3),
        load(low),
        and(Number(mask & 0xffffffffn)),
        test(BPF_JEQ, word, 0, rest),
      ];
    }
    default:
      return condition.operator satisfies never;
  }
}

function greater(lowTest: number, low: number, high: number, word: number, rest: number): Instruction[] {
  return [
    load(low + 4),
    { code: BPF_JGT, jt: 3, jf: 0, k: high },
    { code: BPF_JEQ, jt: 0, jf: rest + 2, k: high },
    load(low),
    { code: lowTest, jt: 0, jf: rest, k: word },
  ];
}

function notGreater(lowTest: number, low: number, high: number, word: number, rest: number): Instruction[] {
  return [
    load(low + 4),
    { code: BPF_JGT, jt: rest + 3, jf: 0, k: high },
    { code: BPF_JEQ, jt: 0, jf: 2, k: high },
    load(low),
    { code: lowTest, jt: rest, jf: 0, k: word },
  ];
}
