/**
 * A small engine for Go's text/template, which `--format` speaks. Templates of strangers cannot harm: there are no
 * methods, no side effects, and lists bound every loop.
 */
import { UsageError } from '../usage-error.ts';
import { FUNCTIONS } from './go-functions.ts';
import {
  type Branch,
  type Node,
  type Nodes,
  type Operand,
  type Pipeline,
  parseTemplate,
  type Term,
} from './go-template-parse.ts';
import { GoStruct, type GoValue, isTrue, printed, sorted } from './go-value.ts';

export interface Template {
  /** @throws UsageError naming the place, as Go words it */
  render(dot: GoValue): string;
}

/**
 * @param name how messages call the template; Buildah's is `format` or `image`
 * @throws UsageError for templates that are not well-formed or call unknown functions
 */
export function compileTemplate(name: string, source: string): Template {
  const nodes = parseTemplate(name, source);
  checkFunctions(nodes, name, source);
  return { render: (dot) => new Execution(name, source, dot).list(nodes, dot) };
}

const LAZY = new Set(['and', 'or']);

/** Go refuses unknown functions when it parses, even in branches never taken. */
function checkFunctions(nodes: Nodes, name: string, source: string): void {
  const inPipeline = (pipeline: Pipeline): void => {
    for (const { operand } of pipeline.commands.flat()) {
      if (operand.kind === 'pipeline') inPipeline(operand.pipeline);
      if (operand.kind !== 'function' || LAZY.has(operand.name) || Object.hasOwn(FUNCTIONS, operand.name)) continue;
      const line = source.slice(0, operand.at).split('\n').length;
      throw new UsageError(
        `Template parsing error: template: ${name}:${line}: function "${operand.name}" not defined`,
        { near: { word: operand.name, candidates: [...LAZY, ...Object.keys(FUNCTIONS)], prefix: '' } },
      );
    }
  };
  for (const node of nodes) {
    if (node.kind === 'action') inPipeline(node.pipeline);
    if (node.kind !== 'if' && node.kind !== 'with' && node.kind !== 'range') continue;
    inPipeline(node.pipeline);
    checkFunctions(node.body, name, source);
    checkFunctions(node.otherwise, name, source);
  }
}

/** Leaves a `range` body early. */
class Jump {
  readonly kind: 'break' | 'continue';
  readonly written: string;

  constructor(kind: 'break' | 'continue', written: string) {
    this.kind = kind;
    this.written = written;
  }
}

class Execution {
  readonly #name: string;
  readonly #source: string;
  /** Innermost scope last. */
  readonly #scopes: Map<string, GoValue>[];

  constructor(name: string, source: string, root: GoValue) {
    this.#name = name;
    this.#source = source;
    this.#scopes = [new Map([['$', root]])];
  }

  list(nodes: Nodes, dot: GoValue): string {
    let out = '';
    for (const node of nodes) {
      try {
        out += this.#node(node, dot);
      } catch (jump) {
        throw jump instanceof Jump ? new Jump(jump.kind, out + jump.written) : jump;
      }
    }
    return out;
  }

  #node(node: Node, dot: GoValue): string {
    switch (node.kind) {
      case 'break':
      case 'continue':
        throw new Jump(node.kind, '');
      case 'text':
        return node.text;
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.declares.length > 0) return '';
        return value === undefined ? '<no value>' : printed(value);
      }
      case 'range':
        return this.#range(node, dot);
      default:
        return this.#scoped(() => {
          const value = this.#pipeline(node.pipeline, dot);
          if (!isTrue(value)) return this.list(node.otherwise, dot);
          return this.list(node.body, node.kind === 'with' ? value : dot);
        });
    }
  }

  #range(node: Branch, dot: GoValue): string {
    return this.#scoped(() => {
      const { declares } = node.pipeline;
      const value = this.#pipeline({ ...node.pipeline, declares: [] }, dot);
      const entries = this.#entries(value);
      if (entries.length === 0) return this.list(node.otherwise, dot);
      let out = '';
      for (const [key, item] of entries) {
        if (declares.length === 1) this.#declare(declares[0]!, item);
        if (declares.length === 2) {
          this.#declare(declares[0]!, key);
          this.#declare(declares[1]!, item);
        }
        try {
          out += this.#scoped(() => this.list(node.body, item));
        } catch (jump) {
          if (!(jump instanceof Jump)) throw jump;
          out += jump.written;
          if (jump.kind === 'break') break;
        }
      }
      return out;
    });
  }

  #entries(value: GoValue): readonly (readonly [GoValue, GoValue])[] {
    if (value === undefined || value === null) return [];
    if (value instanceof Map) return sorted(value);
    if (Array.isArray(value)) return value.map((item: GoValue, i) => [i, item] as const);
    throw new UsageError(`template: ${this.#name}: range can't iterate over ${printed(value)}`);
  }

  #pipeline(pipeline: Pipeline, dot: GoValue): GoValue {
    let value: GoValue;
    pipeline.commands.forEach((terms, i) => {
      value = this.#command(terms, dot, i === 0 ? [] : [value]);
    });
    for (const name of pipeline.declares) {
      if (pipeline.isAssignment) this.#assign(name, value);
      else this.#declare(name, value);
    }
    return value;
  }

  #command(terms: readonly Term[], dot: GoValue, piped: readonly GoValue[]): GoValue {
    const [first, ...rest] = terms;
    const { operand } = first!;
    if (operand.kind !== 'function') {
      if (rest.length > 0 || piped.length > 0) {
        throw this.#fault(first!, `can't give argument to non-function ${this.#textOf(first!)}`);
      }
      return this.#term(first!, dot);
    }
    if (LAZY.has(operand.name)) return this.#lazy(operand.name, rest, dot, piped);
    const args = [...rest.map((term) => this.#term(term, dot)), ...piped];
    return this.#fields(first!, this.#call(operand.name, args, first!));
  }

  #call(name: string, args: readonly GoValue[], term: Term): GoValue {
    try {
      return FUNCTIONS[name]!(args);
    } catch (error) {
      throw this.#fault(term, `error calling ${name}: ${(error as Error).message}`);
    }
  }

  #lazy(name: string, rest: readonly Term[], dot: GoValue, piped: readonly GoValue[]): GoValue {
    let value: GoValue;
    for (const next of [...rest.map((term) => () => this.#term(term, dot)), ...piped.map((v) => () => v)]) {
      value = next();
      if (isTrue(value) === (name === 'or')) return value;
    }
    return value;
  }

  #term(term: Term, dot: GoValue): GoValue {
    return this.#fields(term, this.#operand(term.operand, dot, term));
  }

  #operand(operand: Operand, dot: GoValue, term: Term): GoValue {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'constant':
        return operand.value;
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot);
      case 'function':
        return LAZY.has(operand.name) ? undefined : this.#call(operand.name, [], term);
      case 'variable': {
        const scope = this.#scopes.findLast((s) => s.has(operand.name));
        if (scope === undefined) throw this.#fault(term, `undefined variable "${operand.name}"`);
        return scope.get(operand.name);
      }
    }
  }

  #fields(term: Term, value: GoValue): GoValue {
    for (const { name: field, at } of term.fields) {
      if (value instanceof Map) value = value.get(field);
      else if (value instanceof GoStruct && value.fields.has(field)) value = value.fields.get(field);
      else throw this.#noField({ ...term, at }, field, value);
    }
    return value;
  }

  #noField(term: Term, field: string, value: GoValue): UsageError {
    if (value === undefined) return this.#fault(term, `nil data; no entry for key "${field}"`);
    if (value === null) return this.#fault(term, `nil pointer evaluating field ${field}`);
    const type = value instanceof GoStruct ? value.typeName : typeof value === 'object' ? 'a list' : typeof value;
    const message = `can't evaluate field ${field} in type ${type}`;
    if (!(value instanceof GoStruct)) return this.#fault(term, message);
    return this.#fault(term, message, { word: field, candidates: [...value.fields.keys()], prefix: '.' });
  }

  #declare(name: string, value: GoValue): void {
    this.#scopes.at(-1)!.set(name, value);
  }

  #assign(name: string, value: GoValue): void {
    const scope = this.#scopes.findLast((s) => s.has(name));
    if (scope === undefined) throw new UsageError(`template: ${this.#name}: undefined variable "${name}"`);
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

  #textOf(term: Term): string {
    const { operand, fields } = term;
    const head =
      operand.kind === 'variable' || operand.kind === 'function'
        ? operand.name
        : operand.kind === 'constant'
          ? String(operand.value)
          : '';
    return `${head}${fields.map(({ name }) => `.${name}`).join('')}` || '.';
  }

  #fault(term: Term, message: string, near?: UsageError['near']): UsageError {
    const before = this.#source.slice(0, term.at);
    const line = before.split('\n').length;
    const column = term.at - (before.lastIndexOf('\n') + 1);
    const place = `template: ${this.#name}:${line}:${column}: executing "${this.#name}" at <${this.#textOf(term)}>`;
    return new UsageError(`${place}: ${message}`, near === undefined ? {} : { near });
  }
}
