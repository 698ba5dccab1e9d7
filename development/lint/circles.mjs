/** Finds the cycles of a graph, each as the edges that close it. */

/**
 * @param edges pairs of nodes; a node's id is its `child`.
 * @returns one cycle for each group of nodes that reach each other: the shortest through the group's first node.
 */
export function circles(edges) {
  const next = new Map();
  for (const edge of edges) {
    const [from, to] = edge;
    const known = next.get(from.child) ?? new Map();
    if (!known.has(to.child)) known.set(to.child, edge);
    next.set(from.child, known);
  }
  const covered = new Set();
  const found = [];
  for (const start of [...next.keys()].sort()) {
    if (covered.has(start)) continue;
    const circle = shortestBack(start, next);
    if (circle === null) continue;
    for (const [from] of circle) covered.add(from.child);
    found.push(circle);
  }
  return found;
}

function shortestBack(start, next) {
  const reachedBy = new Map();
  const queue = [start];
  for (const node of queue) {
    for (const [child, edge] of next.get(node) ?? []) {
      if (reachedBy.has(child)) continue;
      reachedBy.set(child, edge);
      if (child === start) return pathTo(start, reachedBy);
      queue.push(child);
    }
  }
  return null;
}

function pathTo(start, reachedBy) {
  const path = [];
  let node = start;
  do {
    const edge = reachedBy.get(node);
    path.unshift(edge);
    node = edge[0].child;
  } while (node !== start);
  return path;
}
