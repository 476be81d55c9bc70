/** The grammar of Go's text/template, as a tree. */
import { UsageError } from '../usage-error.ts';
import { parseNumber, unquote } from './go-literal.ts';
import { goQuote } from './go-printf.ts';
import { lexTemplate, type Token, type TokenKind } from './go-template-lex.ts';
import {
  type BranchNode,
  type Command,
  type ConstantNode,
  type Node,
  type Operand,
  operandText,
  type Pipeline,
  type Templates,
} from './go-template-tree.ts';

/**
 * @param functions names that templates may call
 * @throws UsageError whose message is Go's: `Template parsing error: template: NAME:LINE: …`
 */
export function parseTemplates(name: string, source: string, functions: readonly string[]): Templates {
  return new Parser(name, source, functions).all();
}

type Ending = { readonly word: 'end' | 'else' };
type Control = 'if' | 'with' | 'range';

const OPERANDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'bool',
  'char',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'raw',
  'string',
  'variable',
  '(',
]);

class Parser {
  readonly #name: string;
  readonly #source: string;
  readonly #functions: readonly string[];
  readonly #tokens: readonly Token[];
  readonly #templates = new Map<string, readonly Node[]>();
  #next = 0;
  /** Variables in scope. */
  #variables = ['$'];
  #rangeDepth = 0;
  /** Where the action began that is being read. */
  #actionAt: number | undefined;

  constructor(name: string, source: string, functions: readonly string[]) {
    this.#name = name;
    this.#source = source;
    this.#functions = functions;
    this.#tokens = lexTemplate(source);
  }

  all(): Templates {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end of file') {
      const node = this.#isDefinition() ? this.#define() : this.#textOrAction();
      if (node === undefined) continue;
      if ('word' in node) throw this.#fault(`unexpected {{${node.word}}}`);
      nodes.push(node);
    }
    this.#templates.set(this.#name, nodes);
    return this.#templates;
  }

  #isDefinition(): boolean {
    if (this.#peek().kind !== 'open') return false;
    const after = this.#tokens.slice(this.#next + 1).find(({ kind }) => kind !== 'space');
    return after?.kind === 'keyword' && after.text === 'define';
  }

  #define(): undefined {
    this.#take();
    this.#takeWord();
    this.#body(this.#templateName('define clause'), 'define clause', () => this.#expect('close', 'define clause'));
  }

  /** The nodes up to `end` under a name, with variables of their own. */
  #body(name: string, context: string, begin: () => void): void {
    const outside = this.#variables;
    this.#variables = ['$'];
    begin();
    const { nodes, ending } = this.#list();
    if (ending.word !== 'end') throw this.#fault(`unexpected {{${ending.word}}} in ${context}`);
    this.#variables = outside;
    if (nodes.some((node) => node.kind !== 'text' || node.text.trim() !== '') || !this.#templates.has(name)) {
      this.#templates.set(name, nodes);
    }
  }

  /** Nodes up to an `end` or `else`, which is given back. */
  #list(): { readonly nodes: readonly Node[]; readonly ending: Ending } {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end of file') {
      const node = this.#textOrAction();
      if ('word' in node) return { nodes, ending: node };
      nodes.push(node);
    }
    throw this.#fault('unexpected EOF');
  }

  #textOrAction(): Node | Ending {
    const token = this.#takeWord();
    if (token.kind === 'text') return { kind: 'text', text: token.text, at: token.at };
    if (token.kind !== 'open') throw this.#unexpected(token, 'input');
    this.#actionAt = token.at;
    const node = this.#action();
    this.#actionAt = undefined;
    return node;
  }

  #action(): Node | Ending {
    const token = this.#takeWord();
    if (token.kind === 'keyword') {
      const node = this.#keyword(token);
      if (node !== undefined) return node;
    }
    this.#back();
    const { at } = this.#peek();
    return { kind: 'action', pipeline: this.#pipeline('command', 'close'), at };
  }

  #keyword({ text, at }: Token): Node | Ending | undefined {
    switch (text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#control(text, at);
      case 'end':
        this.#expect('close', 'end');
        return { word: 'end' };
      case 'else':
        return this.#else();
      case 'break':
      case 'continue':
        this.#expect('close', `{{${text}}}`);
        if (this.#rangeDepth === 0) throw this.#fault(`{{${text}}} outside {{range}}`);
        return { kind: text, at };
      case 'template':
        return this.#template();
      case 'block':
        return this.#block();
      default:
        return undefined;
    }
  }

  #else(): Ending {
    const next = this.#peekWord();
    const isChained = next.kind === 'keyword' && (next.text === 'if' || next.text === 'with');
    if (!isChained) this.#expect('close', 'else');
    return { word: 'else' };
  }

  #control(kind: Control, at: number): BranchNode {
    const scope = this.#variables.length;
    const pipeline = this.#pipeline(kind, 'close');
    if (kind === 'range') this.#rangeDepth += 1;
    const { nodes: body, ending } = this.#list();
    if (kind === 'range') this.#rangeDepth -= 1;
    const otherwise = ending.word === 'end' ? [] : this.#otherwise(kind);
    this.#variables.length = scope;
    return { kind, pipeline, body, otherwise, at };
  }

  #otherwise(kind: Control): readonly Node[] {
    const next = this.#peekWord();
    if (next.kind === 'keyword' && next.text === kind && kind !== 'range') {
      // `else if` shares the `end` of the outer branch.
      this.#takeWord();
      return [this.#control(kind, next.at)];
    }
    if (next.kind === 'keyword') throw this.#unexpected(next, 'input');
    const { nodes, ending } = this.#list();
    if (ending.word !== 'end') throw this.#fault(`expected end; found {{${ending.word}}}`);
    return nodes;
  }

  #template(): Node {
    const { at } = this.#peekWord();
    const name = this.#templateName('template clause');
    if (this.#takeWord().kind === 'close') return { kind: 'template', name, pipeline: undefined, at };
    this.#back();
    return { kind: 'template', name, pipeline: this.#pipeline('template clause', 'close'), at };
  }

  #block(): Node {
    const { at } = this.#peekWord();
    const name = this.#templateName('block clause');
    const pipeline = this.#pipeline('block clause', 'close');
    this.#body(name, 'block clause', () => {});
    return { kind: 'template', name, pipeline, at };
  }

  #templateName(context: string): string {
    const token = this.#takeWord();
    if (token.kind !== 'string' && token.kind !== 'raw') throw this.#unexpected(token, context);
    return this.#text(token);
  }

  #pipeline(context: string, end: TokenKind): Pipeline {
    const { at } = this.#peekWord();
    const { declares, isAssignment } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#takeWord();
      if (token.kind === end) return this.#checked({ kind: 'pipeline', declares, isAssignment, commands, at }, context);
      if (!OPERANDS.has(token.kind)) throw this.#unexpected(token, context);
      this.#back();
      commands.push(this.#command());
    }
  }

  #checked(pipeline: Pipeline, context: string): Pipeline {
    if (pipeline.commands.length === 0) throw this.#fault(`missing value for ${context}`);
    pipeline.commands.slice(1).forEach(({ operands }, i) => {
      if (['bool', 'dot', 'nil', 'int', 'float', 'string'].includes(operands[0]!.kind)) {
        throw this.#fault(`non executable command in pipeline stage ${i + 2}`);
      }
    });
    return pipeline;
  }

  #declarations(context: string): Pick<Pipeline, 'declares' | 'isAssignment'> {
    const declares: string[] = [];
    for (;;) {
      const variable = this.#peekWord();
      if (variable.kind !== 'variable') return { declares, isAssignment: false };
      const start = this.#next;
      this.#takeWord();
      const sign = this.#peekWord();
      if (sign.kind === 'declare' || sign.kind === 'assign') {
        this.#takeWord();
        this.#variables.push(variable.text);
        return { declares: [...declares, variable.text], isAssignment: sign.kind === 'assign' };
      }
      if (sign.text !== ',' || sign.kind !== 'other') {
        this.#next = start;
        return { declares, isAssignment: false };
      }
      this.#takeWord();
      declares.push(variable.text);
      this.#variables.push(variable.text);
      if (context !== 'range' || declares.length > 1) throw this.#fault(`too many declarations in ${context}`);
      if (!['variable', 'close', ')'].includes(this.#peekWord().kind)) {
        throw this.#fault('range can only initialize variables');
      }
    }
  }

  #command(): Command {
    const { at } = this.#peekWord();
    const operands: Operand[] = [];
    for (;;) {
      this.#peekWord();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#take();
      if (token.kind === 'space') continue;
      if (token.kind === 'close' || token.kind === ')') this.#back();
      else if (token.kind !== 'pipe') throw this.#unexpected(token, 'operand');
      if (operands.length === 0) throw this.#fault('empty command');
      return { operands, at };
    }
  }

  /** A term and the fields asked of it. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== 'field') return term;
    const { at } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1));
    if (term.kind === 'field') return { kind: 'field', names: [...term.names, ...names], at };
    if (term.kind === 'variable') return { kind: 'variable', name: term.name, names, at };
    if (term.kind === 'identifier' || term.kind === 'pipeline') return { kind: 'chain', of: term, names, at };
    throw this.#fault(`unexpected . after term ${goQuote(operandText(term))}`);
  }

  #term(): Operand | undefined {
    const token = this.#takeWord();
    const { at, text } = token;
    switch (token.kind) {
      case 'dot':
      case 'nil':
        return { kind: token.kind, at };
      case 'field':
        return { kind: 'field', names: [text.slice(1)], at };
      case 'identifier':
        return this.#function(token);
      case 'variable':
        if (!this.#variables.includes(text)) throw this.#fault(`undefined variable ${goQuote(text)}`);
        return { kind: 'variable', name: text, names: [], at };
      case 'bool':
        return { kind: 'bool', value: text === 'true', text, at };
      case 'string':
      case 'raw':
        return { kind: 'string', value: this.#text(token), text, at };
      case 'char':
      case 'number':
        return this.#number(token);
      case '(':
        return this.#pipeline('parenthesized pipeline', ')');
      default:
        this.#back();
        return undefined;
    }
  }

  #function({ text, at }: Token): Operand {
    if (this.#functions.includes(text)) return { kind: 'identifier', name: text, at };
    throw this.#fault(`function ${goQuote(text)} not defined`, { word: text, candidates: this.#functions, prefix: '' });
  }

  #text(token: Token): string {
    const text = token.kind === 'raw' ? token.text.slice(1, -1) : unquote(token.text);
    if (text === undefined) throw this.#fault('invalid syntax');
    return text;
  }

  #number(token: Token): ConstantNode {
    const { text, at } = token;
    if (token.kind === 'char') {
      const characters = [...this.#text(token)];
      if (characters.length === 0) throw this.#fault('invalid syntax');
      if (characters.length > 1) throw this.#fault(`malformed character constant: ${text}`);
      return { kind: 'int', value: characters[0]!.codePointAt(0)!, text, at };
    }
    const number = parseNumber(text);
    if (typeof number === 'string') throw this.#fault(number);
    return { ...number, text, at };
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? this.#tokens.at(-1)!;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  /** The next token that is no blank; what stands before it is gone. */
  #peekWord(): Token {
    while (this.#peek().kind === 'space') this.#next += 1;
    return this.#peek();
  }

  #takeWord(): Token {
    this.#peekWord();
    return this.#take();
  }

  #back(): void {
    this.#next -= 1;
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#takeWord();
    if (token.kind !== kind) throw this.#unexpected(token, context);
  }

  #unexpected({ kind, text, at }: Token, context: string): UsageError {
    if (kind === 'error') return this.#fault(text + this.#started(at, text));
    if (kind === 'end of file') return this.#fault(`unexpected EOF in ${context}`);
    const isWord = kind === 'keyword' || kind === 'dot';
    const quoted = isWord ? `<${text}>` : text.length > 10 ? `${goQuote(text.slice(0, 10))}...` : goQuote(text);
    return this.#fault(`unexpected ${quoted} in ${context}`);
  }

  /** Where an action of several lines began. */
  #started(at: number, message: string): string {
    if (this.#actionAt === undefined || this.#lineOf(this.#actionAt) === this.#lineOf(at)) return '';
    const place = ` started at ${this.#name}:${this.#lineOf(this.#actionAt)}`;
    return message.endsWith(' action') ? place : ` in action${place}`;
  }

  #lineOf(at: number): number {
    return this.#source.slice(0, at).split('\n').length;
  }

  /** At the line of the token that was taken last. */
  #fault(message: string, near?: UsageError['near']): UsageError {
    const at = (this.#tokens[this.#next - 1] ?? this.#peek()).at;
    const text = `Template parsing error: template: ${this.#name}:${this.#lineOf(at)}: ${message}`;
    return new UsageError(text, near === undefined ? {} : { near });
  }
}
