/** The tree of a Go template, and how its messages quote a part of it. */

/** Offset of a node in the source, in UTF-16 units. */
interface Placed {
  readonly at: number;
}

export interface FieldNode extends Placed {
  readonly kind: 'field';
  readonly names: readonly string[];
}

export interface VariableNode extends Placed {
  readonly kind: 'variable';
  readonly name: string;
  readonly names: readonly string[];
}

/** Fields of a parenthesized pipeline or of a function's result. */
export interface ChainNode extends Placed {
  readonly kind: 'chain';
  readonly of: Operand;
  readonly names: readonly string[];
}

export interface IdentifierNode extends Placed {
  readonly kind: 'identifier';
  readonly name: string;
}

export interface ConstantNode extends Placed {
  readonly kind: 'string' | 'bool' | 'int' | 'float';
  readonly value: string | boolean | number;
  /** As written. */
  readonly text: string;
}

export type Operand =
  | (Placed & { readonly kind: 'dot' | 'nil' })
  | FieldNode
  | VariableNode
  | ChainNode
  | IdentifierNode
  | ConstantNode
  | Pipeline;

export interface Command extends Placed {
  readonly operands: readonly Operand[];
}

export interface Pipeline extends Placed {
  readonly kind: 'pipeline';
  /** `$a := …` or `$i, $e := …` */
  readonly declares: readonly string[];
  /** `=` in the place of `:=` */
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
}

export interface BranchNode extends Placed {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipeline: Pipeline;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

export interface TemplateNode extends Placed {
  readonly kind: 'template';
  readonly name: string;
  readonly pipeline: Pipeline | undefined;
}

export type Node =
  | (Placed & { readonly kind: 'text'; readonly text: string })
  | (Placed & { readonly kind: 'action'; readonly pipeline: Pipeline })
  | BranchNode
  | TemplateNode
  | (Placed & { readonly kind: 'break' | 'continue' });

/** All templates of one source by name; the source itself is under its own. */
export type Templates = ReadonlyMap<string, readonly Node[]>;

const fieldsText = (names: readonly string[]): string => names.map((name) => `.${name}`).join('');

export function operandText(node: Operand): string {
  switch (node.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'field':
      return fieldsText(node.names);
    case 'variable':
      return node.name + fieldsText(node.names);
    case 'chain':
      return (
        (node.of.kind === 'pipeline' ? `(${pipelineText(node.of)})` : operandText(node.of)) + fieldsText(node.names)
      );
    case 'identifier':
      return node.name;
    case 'pipeline':
      return pipelineText(node);
    default:
      return node.text;
  }
}

export function commandText({ operands }: Command): string {
  return operands.map((node) => (node.kind === 'pipeline' ? `(${pipelineText(node)})` : operandText(node))).join(' ');
}

export function pipelineText({ declares, isAssignment, commands }: Pipeline): string {
  const head = declares.length === 0 ? '' : `${declares.join(', ')} ${isAssignment ? '=' : ':='} `;
  return head + commands.map(commandText).join(' | ');
}

export function templateText({ name, pipeline }: TemplateNode): string {
  return `{{template ${JSON.stringify(name)}${pipeline === undefined ? '' : ` ${pipelineText(pipeline)}`}}}`;
}
