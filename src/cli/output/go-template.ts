/**
 * An engine for Go's text/template, which `--format` speaks. Templates of strangers cannot harm: there are no side
 * effects, lists bound every loop, and a template that calls itself is stopped.
 */
import { UsageError } from '../usage-error.ts';
import { FUNCTIONS, type GoFunction, type Parameter } from './go-functions.ts';
import { printed } from './go-printf.ts';
import { parseTemplates } from './go-template-parse.ts';
import {
  type BranchNode,
  type ChainNode,
  type Command,
  commandText,
  type Node,
  type Operand,
  operandText,
  type Pipeline,
  pipelineText,
  type TemplateNode,
  type Templates,
  templateText,
} from './go-template-tree.ts';
import { GoNamed, type MethodResult } from './go-time.ts';
import { ANY, GoFloat, GoList, GoMap, GoNilPointer, GoStruct, type GoValue, isTrue, typeName } from './go-value.ts';

export interface Template {
  /** @throws UsageError naming the place, as Go words it */
  render(dot: GoValue): string;
}

/**
 * @param name how messages call the template; Buildah's is `format` or `image`
 * @throws UsageError for templates that are not well-formed or call unknown functions
 */
export function compileTemplate(name: string, source: string): Template {
  const templates = parseTemplates(name, source, Object.keys(FUNCTIONS));
  return {
    render(dot) {
      const execution = new Execution({ name, source, templates }, name, dot, 0);
      execution.list(templates.get(name)!, dot);
      return execution.text;
    },
  };
}

interface Source {
  readonly name: string;
  readonly source: string;
  readonly templates: Templates;
}

/** Go allows 100000; a template that needs more than this one calls itself. */
const DEEPEST_CALL = 500;

/** How a list of nodes ended. */
type Ended = 'whole' | 'break' | 'continue';

/** What a command was given by the one before it in its pipeline. */
type Piped = readonly [] | readonly [GoValue];

class Execution {
  readonly #from: Source;
  /** Of the template that runs, which may be one that the source defines. */
  readonly #name: string;
  readonly #depth: number;
  /** Innermost scope last. */
  readonly #scopes: Map<string, GoValue>[];
  text = '';

  constructor(from: Source, name: string, root: GoValue, depth: number) {
    this.#from = from;
    this.#name = name;
    this.#depth = depth;
    this.#scopes = [new Map([['$', root]])];
  }

  list(nodes: readonly Node[], dot: GoValue): Ended {
    for (const node of nodes) {
      const ended = this.#node(node, dot);
      if (ended !== 'whole') return ended;
    }
    return 'whole';
  }

  #node(node: Node, dot: GoValue): Ended {
    switch (node.kind) {
      case 'break':
      case 'continue':
        return node.kind;
      case 'text':
        this.text += node.text;
        return 'whole';
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.declares.length === 0) this.text += shown(value);
        return 'whole';
      }
      case 'range':
        return this.#scoped(() => this.#range(node, dot));
      case 'template':
        return this.#template(node, dot);
      default:
        return this.#scoped(() => {
          const value = this.#pipeline(node.pipeline, dot);
          if (!isTrue(value)) return this.list(node.otherwise, dot);
          return this.list(node.body, node.kind === 'with' ? value : dot);
        });
    }
  }

  #template(node: TemplateNode, dot: GoValue): Ended {
    const nodes = this.#from.templates.get(node.name);
    if (nodes === undefined) throw this.#fault(node.at, templateText(node), `template "${node.name}" not defined`);
    if (this.#depth === DEEPEST_CALL) {
      throw this.#fault(node.at, templateText(node), `exceeded maximum template depth (${DEEPEST_CALL})`);
    }
    const inner = node.pipeline === undefined ? undefined : this.#pipeline(node.pipeline, dot);
    const execution = new Execution(this.#from, node.name, inner, this.#depth + 1);
    execution.list(nodes, inner);
    this.text += execution.text;
    return 'whole';
  }

  #range(node: BranchNode, dot: GoValue): Ended {
    const { declares, isAssignment } = node.pipeline;
    const value = this.#pipeline({ ...node.pipeline, declares: [] }, dot);
    const entries = this.#entries(node, value);
    if (entries.length === 0) return this.list(node.otherwise, dot);
    for (const [key, item] of entries) {
      const ended = this.#scoped(() => {
        const values = declares.length === 1 ? [item] : [key, item];
        declares.forEach((name, i) => {
          this.#set(name, values[i], isAssignment, node.pipeline);
        });
        return this.list(node.body, item);
      });
      if (ended === 'break') break;
    }
    return 'whole';
  }

  #entries(node: BranchNode, value: GoValue): readonly (readonly [GoValue, GoValue])[] {
    if (value === undefined || value === null || value instanceof GoNilPointer) return [];
    if (value instanceof GoMap) return [...value.entries];
    if (value instanceof GoList) return value.items.map((item, i) => [i, item] as const);
    const { pipeline } = node;
    throw this.#fault(pipeline.at, pipelineText(pipeline), `range can't iterate over ${printed(value)}`);
  }

  #pipeline(pipeline: Pipeline, dot: GoValue): GoValue {
    let value: GoValue;
    pipeline.commands.forEach((command, i) => {
      value = this.#command(command, dot, i === 0 ? [] : [value]);
      if (value === null) value = undefined;
    });
    for (const name of pipeline.declares) this.#set(name, value, pipeline.isAssignment, pipeline);
    return value;
  }

  #command(command: Command, dot: GoValue, piped: Piped): GoValue {
    const first = command.operands[0]!;
    const rest = command.operands.slice(1);
    if (first.kind === 'identifier') return this.#function(first.name, rest, dot, piped, command);
    if (first.kind === 'field' || first.kind === 'variable' || first.kind === 'chain') {
      return this.#operand(first, dot, { rest, piped });
    }
    if (rest.length > 0 || piped.length > 0) {
      throw this.#faultAt(first, `can't give argument to non-function ${operandText(first)}`);
    }
    if (first.kind === 'nil') throw this.#faultAt(first, 'nil is not a command');
    return this.#operand(first, dot);
  }

  #function(name: string, rest: readonly Operand[], dot: GoValue, piped: Piped, command: Command): GoValue {
    const made = FUNCTIONS[name]!;
    this.#checkCount(name, made, rest.length + piped.length, command.at);
    if (name === 'and' || name === 'or') return this.#lazy(name, rest, dot, piped);
    const kindAt = (i: number): Parameter => made.takes[i] ?? made.more ?? 'any';
    const args = [
      ...rest.map((operand, i) => this.#argument(operand, dot, kindAt(i))),
      ...piped.map((value) => this.#checked(value, kindAt(rest.length), () => [command.at, commandText(command)])),
    ];
    try {
      return (made.call as (...args: unknown[]) => GoValue)(...args);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw this.#fault(command.at, commandText(command), `error calling ${name}: ${(error as Error).message}`);
    }
  }

  #checkCount(name: string, { takes, more }: GoFunction, count: number, at: number): void {
    if (count === takes.length || (more !== undefined && count > takes.length)) return;
    const wanted = more === undefined ? `${takes.length}` : `at least ${takes.length}`;
    throw this.#fault(at, name, `wrong number of args for ${name}: want ${wanted} got ${count}`);
  }

  #lazy(name: 'and' | 'or', rest: readonly Operand[], dot: GoValue, piped: Piped): GoValue {
    let value: GoValue;
    for (const operand of rest) {
      value = this.#argument(operand, dot, 'any') as GoValue;
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped.length === 0 ? value : piped[0];
  }

  /** An argument as the function takes it: lists of strings become arrays. */
  #argument(operand: Operand, dot: GoValue, kind: Parameter): unknown {
    if (kind !== 'any') this.#checkConstant(operand, kind);
    const value = operand.kind === 'nil' ? null : this.#operand(operand, dot);
    return this.#checked(value, kind, () => [operand.at, operandText(operand)]);
  }

  /** A constant of another type is refused in words of its own. */
  #checkConstant(operand: Operand, kind: Parameter): void {
    const isConstant = ['string', 'bool', 'int', 'float'].includes(operand.kind);
    if (!isConstant || kind === 'strings' || operand.kind === kind) return;
    const wanted = kind === 'int' ? 'integer' : kind;
    throw this.#faultAt(operand, `expected ${wanted}; found ${operandText(operand)}`);
  }

  #checked(value: GoValue, kind: Parameter, place: () => readonly [number, string]): unknown {
    if (kind === 'any') return value;
    const type = kind === 'strings' ? '[]string' : kind;
    if (kind === 'strings' && value instanceof GoList && value.elementType === 'string') return value.items;
    if (kind !== 'strings' && typeName(value) === type) return value;
    const [at, text] = place();
    if (value === undefined) throw this.#fault(at, text, `invalid value; expected ${type}`);
    const got = value === null ? ANY : typeName(value);
    throw this.#fault(at, text, `wrong type for value; expected ${type}; got ${got}`);
  }

  #operand(node: Operand, dot: GoValue, given: Given = NOTHING_GIVEN): GoValue {
    switch (node.kind) {
      case 'dot':
        return dot;
      case 'nil':
        throw this.#faultAt(node, 'nil is not a command');
      case 'identifier':
        return this.#function(node.name, [], dot, [], { operands: [node], at: node.at });
      case 'pipeline':
        return this.#pipeline(node, dot);
      case 'field':
        return this.#fields(node, node.names, dot, dot, given);
      case 'variable':
        return this.#fields(node, node.names, this.#variable(node.name), dot, given);
      case 'chain':
        return this.#fields(node, node.names, this.#chainHead(node, dot), dot, given);
      case 'float':
        return new GoFloat(node.value as number);
      default:
        return node.value;
    }
  }

  #chainHead({ of }: ChainNode, dot: GoValue): GoValue {
    if (of.kind === 'nil') throw this.#faultAt(of, 'indirection through explicit nil');
    return this.#operand(of, dot);
  }

  #variable(name: string): GoValue {
    return this.#scopes.findLast((scope) => scope.has(name))?.get(name);
  }

  /** The fields one behind the other; arguments are the last one's. */
  #fields(node: Operand, names: readonly string[], start: GoValue, dot: GoValue, given: Given): GoValue {
    const hasArguments = given.rest.length + given.piped.length > 0;
    if (names.length === 0 && hasArguments) {
      throw this.#faultAt(node, `can't give argument to non-function ${operandText(node)}`);
    }
    let value = start;
    // Go tells what holds a value: an entry of an untyped map is an interface, whatever is in it.
    let type = typeName(value);
    names.forEach((name, i) => {
      const isLast = i === names.length - 1;
      const holder = value;
      value = this.#field(node, name, value, type, dot, isLast ? given : NOTHING_GIVEN);
      type = holder instanceof GoMap ? holder.elementType : typeName(value);
    });
    return value;
  }

  #field(node: Operand, name: string, of: GoValue, type: string, dot: GoValue, given: Given): GoValue {
    if (of === undefined) return undefined;
    if (of === null) throw this.#faultAt(node, `nil pointer evaluating ${ANY}.${name}`);
    if (of instanceof GoNilPointer) throw this.#faultAt(node, `nil pointer evaluating ${of.typeName}.${name}`);
    if (of instanceof GoNamed) return this.#method(node, name, of, dot, given);
    const hasArguments = given.rest.length + given.piped.length > 0;
    if (of instanceof GoMap) {
      if (hasArguments) throw this.#faultAt(node, `${name} is not a method but has arguments`);
      return of.entries.get(name);
    }
    const found = of instanceof GoStruct ? of.find(name) : undefined;
    if (found === undefined) throw this.#noField(node, name, of, type);
    if (hasArguments) throw this.#faultAt(node, `${name} has arguments but cannot be invoked as function`);
    return found.value;
  }

  #method(node: Operand, name: string, of: GoNamed, dot: GoValue, given: Given): GoValue {
    const method = of.methods.get(name);
    if (method === undefined) throw this.#noField(node, name, of, of.typeName);
    const count = given.rest.length + given.piped.length;
    if (count !== method.arity) {
      throw this.#faultAt(node, `wrong number of args for ${name}: want ${method.arity} got ${count}`);
    }
    const place = (): readonly [number, string] => [node.at, operandText(node)];
    const args = [
      ...given.rest.map((operand) => this.#argument(operand, dot, 'string')),
      ...given.piped.map((value) => this.#checked(value, 'string', place)),
    ];
    return resultOf(method.call(...(args as string[])));
  }

  #noField(node: Operand, name: string, of: GoValue, type: string): UsageError {
    const candidates =
      of instanceof GoStruct ? [...of.fields.keys()] : of instanceof GoNamed ? [...of.methods.keys()] : [];
    const message = `can't evaluate field ${name} in type ${type}`;
    return this.#faultAt(node, message, { word: name, candidates, prefix: '.' });
  }

  #set(name: string, value: GoValue, isAssignment: boolean, pipeline: Pipeline): void {
    const scope = isAssignment ? this.#scopes.findLast((known) => known.has(name)) : this.#scopes.at(-1);
    if (scope === undefined) {
      const last = pipeline.commands.at(-1)!;
      throw this.#fault(last.at, commandText(last), `undefined variable: ${name}`);
    }
    scope.set(name, value);
  }

  #scoped<T>(body: () => T): T {
    this.#scopes.push(new Map());
    try {
      return body();
    } finally {
      this.#scopes.pop();
    }
  }

  #faultAt(node: Operand, message: string, near?: UsageError['near']): UsageError {
    return this.#fault(node.at, operandText(node), message, near);
  }

  #fault(at: number, text: string, message: string, near?: UsageError['near']): UsageError {
    const before = this.#from.source.slice(0, at);
    const line = before.split('\n').length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    const place = `template: ${this.#from.name}:${line}:${column}: executing "${this.#name}" at <${text}>`;
    return new UsageError(`${place}: ${message}`, near === undefined ? {} : { near });
  }
}

/** The arguments of a method. */
interface Given {
  readonly rest: readonly Operand[];
  readonly piped: Piped;
}

const NOTHING_GIVEN: Given = { rest: [], piped: [] };

/** What an action writes. */
function shown(value: GoValue): string {
  const isNothing = value === undefined || value === null || (value instanceof GoNilPointer && value.typeName === ANY);
  if (isNothing) return '<no value>';
  // Go follows a pointer before it prints.
  if (value instanceof GoStruct && value.isPointer) return printed(value).slice('&'.length);
  return printed(value);
}

function resultOf(result: MethodResult): GoValue {
  return typeof result === 'object' && 'float' in result ? new GoFloat(result.float) : result;
}
