/**
 * Where the steps of a build are drawn: a lane for each stage from left to right, time downwards. A step stands one row
 * below the lowest of those it needs, so edges always lead down; they run between rows and between lanes, never through
 * a node.
 */

export interface LayoutNode {
  readonly id: string;
  readonly lane: string;
  readonly needs: readonly string[];
}

export interface PlacedNode {
  readonly id: string;
  /** Left upper corner. */
  readonly x: number;
  readonly y: number;
}

export interface PlacedEdge {
  readonly from: string;
  readonly to: string;
  /** Corners of the line, first to last. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  readonly lanes: readonly { readonly id: string; readonly x: number }[];
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

/** In units of the drawing. */
export const NODE = { width: 212, height: 44 } as const;
const ROW_GAP = 26;
const GUTTER = 34;
/** Room for the lane's name. */
const TOP = 28;
/** Edges that share a gutter keep apart by this much. */
const TRACK = 5;
const TRACKS = 4;

/** @param nodes each after those it needs; needs that are no nodes are left out */
export function layoutGraph(nodes: readonly LayoutNode[]): GraphLayout {
  const lanes = [...new Set(nodes.map(({ lane }) => lane))];
  const rows = rowsOf(nodes);
  const laneX = (lane: string): number => GUTTER + lanes.indexOf(lane) * (NODE.width + GUTTER);
  const rowY = (row: number): number => TOP + row * (NODE.height + ROW_GAP);
  const placed = new Map(nodes.map(({ id, lane }) => [id, { id, x: laneX(lane), y: rowY(rows.get(id)!) }]));
  let across = 0;
  const edges = nodes.flatMap((node) =>
    [...new Set(node.needs)].flatMap((need) => {
      const from = placed.get(need);
      const to = placed.get(node.id)!;
      if (from === undefined) return [];
      const points = from.x === to.x ? straight(from, to) : aside(from, to, across++ % TRACKS);
      return [{ from: need, to: node.id, points }];
    }),
  );
  const depth = Math.max(0, ...rows.values());
  return {
    width: laneX(lanes.at(-1) ?? '') + (lanes.length === 0 ? 0 : NODE.width + GUTTER),
    height: nodes.length === 0 ? 0 : rowY(depth) + NODE.height + ROW_GAP / 2,
    lanes: lanes.map((id) => ({ id, x: laneX(id) })),
    nodes: [...placed.values()],
    edges,
  };
}

/** A node that needs nothing stands in the first row; two nodes of a lane never share one. */
function rowsOf(nodes: readonly LayoutNode[]): Map<string, number> {
  const rows = new Map<string, number>();
  const free = new Map<string, number>();
  for (const { id, lane, needs } of nodes) {
    const below = Math.max(0, ...needs.map((need) => (rows.get(need) ?? -1) + 1));
    const row = Math.max(below, free.get(lane) ?? 0);
    rows.set(id, row);
    free.set(lane, row + 1);
  }
  return rows;
}

function straight(from: PlacedNode, to: PlacedNode): PlacedEdge['points'] {
  const x = from.x + NODE.width / 2;
  return [
    { x, y: from.y + NODE.height },
    { x, y: to.y },
  ];
}

/** Out at the bottom, along below the row, down the gutter, in at the side. */
function aside(from: PlacedNode, to: PlacedNode, track: number): PlacedEdge['points'] {
  const isRightwards = from.x < to.x;
  const shift = 8 + track * TRACK;
  const gutter = isRightwards ? to.x - shift : to.x + NODE.width + shift;
  const startX = from.x + NODE.width / 2 + (isRightwards ? 1 : -1) * (10 + track * TRACK);
  const gap = from.y + NODE.height + 5 + track * TRACK;
  const y = to.y + NODE.height / 2;
  return [
    { x: startX, y: from.y + NODE.height },
    { x: startX, y: gap },
    { x: gutter, y: gap },
    { x: gutter, y },
    { x: isRightwards ? to.x : to.x + NODE.width, y },
  ];
}
