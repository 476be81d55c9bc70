/** What a build tells of its stages and steps. */
import type { BuildOp, LoweredBuild } from '../dockerfile/lower.ts';
import type { Vertex } from '../graph/graph.ts';
import type { Emit, PlannedStep } from '../report/event.ts';

/**
 * What code that knows no stages tells becomes that of one, for displays that keep stages apart.
 * @param stage as in the ids of its steps
 */
export function emitOfStage(emit: Emit, stage: string): Emit {
  return (event) => {
    const isNameless = event.type === 'transfer' || event.type === 'note' || event.type === 'warning';
    emit(isNameless ? { stage, ...event } : event);
  };
}

/**
 * The graph as people see it: FROM lines and instructions, and which of them wait for which.
 * @param stageId id of a stage by its index
 */
export function plannedSteps({ graph, stages }: LoweredBuild, stageId: (index: number) => string): PlannedStep[] {
  // Where a stage begins is its FROM line; where it ends, its last step.
  const numberOf = (op: BuildOp): number => {
    if (op.kind === 'begin') return 1;
    return op.kind === 'step' ? op.index + 2 : stages.get(op.stage)!.steps.length + 1;
  };
  const idOf = ({ op }: Vertex<BuildOp>): string => `${stageId(op.stage)}.${numberOf(op)}`;
  return graph.vertices
    .filter(({ op }) => op.kind !== 'end')
    .map((vertex) => {
      const { op, needs, span } = vertex;
      const { from } = stages.get(op.stage)!.stage;
      return {
        id: idOf(vertex),
        stage: stageId(op.stage),
        name: op.kind === 'step' ? op.evaluated.step.stepText : from.raw.text.text,
        needs: needs.map((need) => idOf(graph.get(need))),
        isBase: op.kind === 'begin',
        ...(span === undefined ? {} : { span }),
      };
    });
}
