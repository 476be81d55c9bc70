/** The grammar of Go's text/template, as a tree. */
import { UsageError } from '../usage-error.ts';

export type Operand =
  | { readonly kind: 'dot' }
  | { readonly kind: 'nil' }
  | { readonly kind: 'constant'; readonly value: string | number | boolean }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string; readonly at: number }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline };

/** An operand and the fields asked of it. */
export interface Term {
  readonly operand: Operand;
  readonly fields: readonly { readonly name: string /** Offset of its dot. */; readonly at: number }[];
  readonly at: number;
}

export interface Pipeline {
  /** `$a := …` or `$i, $e := …` */
  readonly declares: readonly string[];
  readonly isAssignment: boolean;
  readonly commands: readonly (readonly Term[])[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | Branch
  | { readonly kind: 'break' | 'continue' };

export interface Branch {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipeline: Pipeline;
  readonly body: Nodes;
  readonly otherwise: Nodes;
}

export type Nodes = readonly Node[];

interface Piece {
  readonly isAction: boolean;
  readonly text: string;
  readonly at: number;
}

/** @throws UsageError whose message begins as Go's: `template: NAME:LINE: …` */
export function parseTemplate(name: string, source: string): Nodes {
  const pieces = cut(name, source);
  const state = { name, source, pieces, at: 0, depth: 0 };
  const { nodes, end } = parseList(state);
  if (end !== undefined) throw fault(state, `unexpected {{${end}}}`, source.length);
  return nodes;
}

interface State {
  readonly name: string;
  readonly source: string;
  readonly pieces: readonly Piece[];
  at: number;
  depth: number;
}

function fault(state: { name: string; source: string }, message: string, at: number): UsageError {
  const line = state.source.slice(0, at).split('\n').length;
  return new UsageError(`Template parsing error: template: ${state.name}:${line}: ${message}`);
}

/** Text and actions, trim markers applied, comments gone. */
function cut(name: string, source: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open === -1 ? source.length : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    trimNext = false;
    const trimsLeft = open !== -1 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    if (trimsLeft) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') pieces.push({ isAction: false, text, at });
    if (open === -1) break;
    const start = open + (trimsLeft ? 3 : 2);
    const close = actionEnd(source, start);
    if (close === undefined) throw fault({ name, source }, 'unclosed action', open);
    let inner = source.slice(start, close);
    if (/[ \t\r\n]-$/.test(inner)) {
      trimNext = true;
      inner = inner.slice(0, -2);
    }
    if (!/^\s*\/\*[\s\S]*\*\/\s*$/.test(inner)) pieces.push({ isAction: true, text: inner, at: start });
    at = close + 2;
  }
  return pieces;
}

/** Offset of the `}}` that ends an action; those inside strings do not. */
function actionEnd(source: string, start: number): number | undefined {
  const token = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|\/\*[\s\S]*?\*\/|\}\}/g;
  token.lastIndex = start;
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    if (match[0] === '}}') return match.index;
  }
  return undefined;
}

/** Nodes up to an `end` or `else`, which is given back. */
function parseList(state: State): { nodes: Node[]; end: string | undefined; endPiece?: Piece } {
  const nodes: Node[] = [];
  while (state.at < state.pieces.length) {
    const piece = state.pieces[state.at++]!;
    if (!piece.isAction) {
      nodes.push({ kind: 'text', text: piece.text });
      continue;
    }
    const word = /^\s*([a-z]+)\b/.exec(piece.text)?.[1];
    if (word === 'end' || word === 'else') return { nodes, end: word, endPiece: piece };
    nodes.push(parseAction(state, piece, word));
  }
  return { nodes, end: undefined };
}

function parseAction(state: State, piece: Piece, word: string | undefined): Node {
  switch (word) {
    case 'if':
    case 'with':
    case 'range':
      return parseBlock(state, piece, word, piece.text.indexOf(word) + word.length);
    case 'break':
    case 'continue':
      return { kind: word };
    case 'define':
    case 'block':
    case 'template':
      throw fault(state, `{{${word}}} is not supported`, piece.at);
    default:
      return { kind: 'action', pipeline: new PipelineParser(state, piece, 0).whole() };
  }
}

function parseBlock(state: State, piece: Piece, kind: 'if' | 'with' | 'range', skip: number): Node {
  const pipeline = new PipelineParser(state, piece, skip).whole();
  const { nodes: body, end, endPiece } = parseList(state);
  if (end === undefined || endPiece === undefined) throw fault(state, 'unexpected EOF', state.source.length);
  if (end === 'end') return { kind, pipeline, body, otherwise: [] };
  const chained = /^\s*else\s+(if|with)\b/.exec(endPiece.text);
  if (chained !== null) {
    // `else if` shares the `end` of the outer block.
    return { kind, pipeline, body, otherwise: [parseBlock(state, endPiece, chained[1] as 'if', chained[0].length)] };
  }
  const rest = parseList(state);
  if (rest.end !== 'end') throw fault(state, 'unexpected EOF', state.source.length);
  return { kind, pipeline, body, otherwise: rest.nodes };
}

const TOKEN =
  /\s+|(?<string>"(?:[^"\\\n]|\\.)*")|(?<raw>`[^`]*`)|(?<char>'(?:[^'\\]|\\.)+')|(?<number>[+-]?(?:0[xX][\da-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))|(?<field>\.[A-Za-z_]\w*)|(?<dot>\.)|(?<variable>\$\w*)|(?<word>[A-Za-z_]\w*)|(?<sign>:=|[=|(),])/y;

interface Token {
  readonly kind: string;
  readonly text: string;
  readonly at: number;
  /** Whether space stands before it: `.A .B` are two terms, `.A.B` is one. */
  readonly isApart: boolean;
}

class PipelineParser {
  readonly #state: State;
  readonly #piece: Piece;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(state: State, piece: Piece, skip: number) {
    this.#state = state;
    this.#piece = piece;
    this.#tokens = this.#lex(skip);
  }

  whole(): Pipeline {
    const pipeline = this.#pipeline();
    const left = this.#tokens[this.#at];
    if (left !== undefined) throw this.#fault(`unexpected "${left.text}" in operand`);
    return pipeline;
  }

  #lex(skip: number): readonly Token[] {
    const tokens: Token[] = [];
    const { text, at } = this.#piece;
    let isApart = true;
    TOKEN.lastIndex = skip;
    while (TOKEN.lastIndex < text.length) {
      const start = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (match === null) throw this.#fault(`unexpected "${text[start]}" in command`);
      const kind = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined)?.[0];
      if (kind !== undefined) tokens.push({ kind, text: match[0], at: at + start, isApart });
      isApart = kind === undefined;
    }
    return tokens;
  }

  #pipeline(): Pipeline {
    const { declares, isAssignment } = this.#declaration();
    const commands: (readonly Term[])[] = [];
    for (;;) {
      const terms: Term[] = [];
      for (;;) {
        const token = this.#tokens[this.#at];
        if (token === undefined || token.text === '|' || token.text === ')') break;
        terms.push(this.#term(token));
      }
      if (terms.length === 0)
        throw this.#fault(commands.length === 0 ? 'missing value for command' : 'missing command');
      commands.push(terms);
      if (this.#tokens[this.#at]?.text !== '|') return { declares, isAssignment, commands };
      this.#at += 1;
    }
  }

  #declaration(): { declares: string[]; isAssignment: boolean } {
    const [a, b, c, d] = this.#tokens.slice(this.#at, this.#at + 4);
    if (a?.kind === 'variable' && (b?.text === ':=' || b?.text === '=')) {
      this.#at += 2;
      return { declares: [a.text], isAssignment: b.text === '=' };
    }
    if (a?.kind === 'variable' && b?.text === ',' && c?.kind === 'variable' && d?.text === ':=') {
      this.#at += 4;
      return { declares: [a.text, c.text], isAssignment: false };
    }
    return { declares: [], isAssignment: false };
  }

  #term(token: Token): Term {
    const operand = this.#operand(token);
    const fields = token.kind === 'field' ? [{ name: token.text.slice(1), at: token.at }] : [];
    for (;;) {
      const next = this.#tokens[this.#at];
      if (next?.kind !== 'field' || next.isApart) return { operand, fields, at: token.at };
      fields.push({ name: next.text.slice(1), at: next.at });
      this.#at += 1;
    }
  }

  #operand(token: Token): Operand {
    this.#at += 1;
    switch (token.kind) {
      case 'field':
      case 'dot':
        return { kind: 'dot' };
      case 'variable':
        return { kind: 'variable', name: token.text };
      case 'string':
        return { kind: 'constant', value: unquote(token.text) };
      case 'raw':
        return { kind: 'constant', value: token.text.slice(1, -1) };
      case 'char':
        return { kind: 'constant', value: unquote(`"${token.text.slice(1, -1)}"`).codePointAt(0) ?? 0 };
      case 'number':
        return { kind: 'constant', value: Number(token.text) };
      case 'word':
        if (token.text === 'true' || token.text === 'false') return { kind: 'constant', value: token.text === 'true' };
        if (token.text === 'nil') return { kind: 'nil' };
        return { kind: 'function', name: token.text, at: token.at };
      default:
        return this.#parenthesis(token);
    }
  }

  #parenthesis(token: Token): Operand {
    if (token.text !== '(') throw this.#fault(`unexpected "${token.text}" in operand`);
    const pipeline = this.#pipeline();
    if (this.#tokens[this.#at]?.text !== ')') throw this.#fault('unclosed left paren');
    this.#at += 1;
    return { kind: 'pipeline', pipeline };
  }

  #fault(message: string): UsageError {
    return fault(this.#state, message, this.#piece.at);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };

function unquote(literal: string): string {
  return literal.slice(1, -1).replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|([0-7]{3})|(.))/g, (_, x, u, o, c) => {
    if (x !== undefined || u !== undefined) return String.fromCharCode(Number.parseInt(x ?? u, 16));
    if (o !== undefined) return String.fromCharCode(Number.parseInt(o, 8));
    return ESCAPES[c] ?? c;
  });
}
