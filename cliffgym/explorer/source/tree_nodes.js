// The tree that is drawn of a scenario: its nodes, how likely each is, and what has been paid on the way to it.
//
// A state to which several paths lead, or a cycle, appears once on every path.

/** What the columns of returns are called, and the tables of the picture's `components` that they add up. */
export const RETURN_COLUMNS = ["paid", "incomplete", "true"];
/** What a learned policy puts on illegal tokens is shown from here on. */
const LEAST_ILLEGAL = 0.0005;

/**
 * The root of a tree.
 *
 * Nodes have `key` (unique in the tree), `kind` ("state", "chance" for what chance decides after an action, "end", or
 * "illegal" for all that a learned policy puts on tokens that are not legal), `state`, `parent`, `level`, `steps`
 * (actions so far), `reach` (the probability of coming here), `returns` (discounted sums on the way, one for each of
 * RETURN_COLUMNS), `children` (null while it is closed) and, of the edge that leads here, `pair`, `probability`,
 * `learned` (null without a learned policy), `isOptimal`, `isTied`; `onOptimal` says whether all edges to it are
 * optimal.
 *
 * @param {{model: object, root: number}} props Of the picture.
 */
export function rootNode({ model, root }) {
  return {
    key: "root", kind: model.terminal[root] ? "end" : "state", state: root, parent: null, level: 0, steps: 0, reach: 1,
    returns: RETURN_COLUMNS.map(() => 0), children: null, pair: -1, probability: 1, learned: null,
    isOptimal: true, isTied: false, onOptimal: true,
  };
}

/** What the root of a tree is called: its prompt if it is one. */
export function rootText({ prompts, promptStates, stateLabels }, root) {
  return prompts[promptStates.indexOf(root)] ?? stateLabels[root];
}

/** The nodes that follow a node: for a state one for each legal action, for chance one for each thing it may do. */
export function childNodes(node, props) {
  if (node.kind === "chance") return chanceNodes(node, props);
  return node.kind === "state" ? [...actionNodes(node, props), ...illegalNodes(node, props)] : [];
}

function actionNodes(node, { model, policy, optimalActions, overlay, components }) {
  const { A, legal, gamma } = model, first = node.state * A, discount = gamma ** node.steps;
  let tied = 0;
  for (let pair = first; pair < first + A; pair++) tied += legal[pair] && optimalActions[pair];
  const nodes = [];
  for (let pair = first; pair < first + A; pair++) {
    if (!legal[pair]) continue;
    const slots = openSlots(model, pair), isOptimal = optimalActions[pair] === 1;
    const made = {
      ...node, key: `${node.key}/${pair % A}`, parent: node, level: node.level + 1, steps: node.steps + 1,
      children: null, pair, reach: node.reach * policy[pair], probability: policy[pair],
      learned: overlay ? overlay[pair] : null,
      returns: node.returns.map((sum, i) => sum + discount * components[RETURN_COLUMNS[i]][pair]),
      isOptimal, isTied: isOptimal && tied > 1, onOptimal: node.onOptimal && isOptimal,
    };
    nodes.push(slots.length > 1 ? { ...made, kind: "chance" } : arriveAt(made, model, model.successors[slots[0]]));
  }
  return nodes;
}

/** What a learned policy puts on illegal tokens, as one node, so that what is shown of it sums to 1. */
function illegalNodes(node, { model: { A, legal }, overlay }) {
  if (!overlay) return [];
  const first = node.state * A;
  const learned = overlay.slice(first, first + A).reduce((sum, share, i) => sum + (legal[first + i] ? 0 : share), 0);
  return learned <= LEAST_ILLEGAL ? [] : [{
    ...node, key: `${node.key}/illegal`, kind: "illegal", parent: node, level: node.level + 1, children: null, pair: -1,
    reach: 0, probability: 0, learned, isOptimal: false, isTied: false, onOptimal: false,
  }];
}

function chanceNodes(node, { model }) {
  return openSlots(model, node.pair).map((slot) => arriveAt({
    ...node, key: `${node.key}:${slot % model.B}`, parent: node, level: node.level + 1, children: null,
    reach: node.reach * model.chances[slot], probability: model.chances[slot], learned: null, isTied: false,
  }, model, model.successors[slot]));
}

function arriveAt(node, { terminal }, state) {
  return { ...node, kind: terminal[state] ? "end" : "state", state };
}

/** The slots of a pair of state and action that have a chance. */
function openSlots({ B, chances }, pair) {
  const slots = [];
  for (let slot = pair * B; slot < (pair + 1) * B; slot++) if (chances[slot] > 0) slots.push(slot);
  return slots;
}

/** All nodes of a tree that are to be seen, each before those that follow it. */
export function nodesOf(root) {
  return [root, ...(root.children ?? []).flatMap(nodesOf)];
}

const knownCounts = new WeakMap();

/** How many traces begin in a state; where there are cycles, how many actions it has. */
export function countBelow(model, state) {
  if (!knownCounts.has(model)) knownCounts.set(model, countAll(model));
  return knownCounts.get(model)[state];
}

function countAll(model) {
  const { S, A, legal, order, terminal, successors } = model;
  const counts = Float64Array.from({ length: S }, (_, state) => terminal[state]);
  for (const state of order ?? counts.keys()) {
    if (terminal[state]) continue;
    for (let pair = state * A; pair < (state + 1) * A; pair++) {
      if (!legal[pair]) continue;
      counts[state] += order ? openSlots(model, pair).reduce((sum, slot) => sum + counts[successors[slot]], 0) : 1;
    }
  }
  return counts;
}
