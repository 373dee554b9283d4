// Which nodes of a large tree are open.

import { childNodes, nodesOf, rootNode } from "./tree_nodes.js";

/** Nodes are opened by themselves up to this many leaves, and levels. */
const MAX_LEAVES = 32, MAX_LEVELS = 24;
/** So likely a closed node must be, and so many times likelier than an open one, before others are opened. */
const WORTH_OPENING = 0.05, LIKELIER = 2;

/**
 * What is open in a tree: by itself the likeliest nodes, and what the reader opens or closes.
 *
 * The choice stays while it shows where the policy goes, so that the tree does not change under a hand that moves a
 * weight.
 */
export class Openings {
  constructor() {
    this.model = null;
    this.root = -1;
    this.byThemselves = new Set();
    this.wanted = new Map();
  }

  /** Opens or closes a node because the reader asks for it. */
  want(node, isOpen) {
    this.wanted.set(node.key, isOpen);
  }

  /** The root of the tree, with all nodes that are to be seen; what is open stays so while the tree is `inUse`. */
  grow(props, inUse) {
    const isNew = props.model !== this.model || props.root !== this.root;
    if (isNew) this.forget(props);
    const root = this.unfold(props);
    if (isNew || inUse || !this.misses(root)) return root;
    this.byThemselves = likeliestNodes(props);
    return this.unfold(props);
  }

  /** Begins anew with another tree. */
  forget(props) {
    this.model = props.model;
    this.root = props.root;
    this.byThemselves = likeliestNodes(props);
    this.wanted.clear();
  }

  unfold(props) {
    const root = rootNode(props), unvisited = [root];
    while (unvisited.length) {
      const node = unvisited.pop();
      if (node.kind === "end" || node.kind === "illegal") continue;
      if (node.kind === "state" && !(this.wanted.get(node.key) ?? this.byThemselves.has(node.key))) continue;
      node.children = childNodes(node, props);
      unvisited.push(...node.children);
    }
    return root;
  }

  /** Whether a closed node is so much likelier than an open one that others should be open. */
  misses(root) {
    let likeliestClosed = 0, leastOpen = 1;
    for (const { kind, key, level, children, reach } of nodesOf(root)) {
      if (kind !== "state" || level >= MAX_LEVELS || this.wanted.has(key)) continue;
      if (children) leastOpen = Math.min(leastOpen, reach);
      else likeliestClosed = Math.max(likeliestClosed, reach);
    }
    return likeliestClosed > Math.max(WORTH_OPENING, LIKELIER * leastOpen);
  }
}

/**
 * Keys of the likeliest nodes: all of a small tree, of a large one so many that their leaves can be seen. First come
 * those of one likely trace, so that there is an outcome to be seen.
 */
function likeliestNodes(props) {
  const keys = new Set(), waiting = [rootNode(props)];
  let leaves = 1, trace = waiting; // `trace` are the nodes of which one goes on with it, null when it has ended
  while (waiting.length) {
    const node = likeliest(trace ?? waiting), below = node.level < MAX_LEVELS ? statesAfter(node, props) : [];
    waiting.splice(waiting.indexOf(node), 1);
    if (!below.length || (keys.size && leaves - 1 + below.length > MAX_LEAVES)) {
      trace = null;
      continue;
    }
    leaves += below.length - 1;
    keys.add(node.key);
    waiting.push(...below);
    trace &&= below;
  }
  return keys;
}

/** The nodes after a node, those of chance left out. */
function statesAfter(node, props) {
  return childNodes(node, props).flatMap((child) => (child.kind === "chance" ? childNodes(child, props) : [child]));
}

/** The likeliest of some nodes; of several the first. */
function likeliest(nodes) {
  return nodes.reduce((best, node) => (node.reach > best.reach ? node : best));
}
