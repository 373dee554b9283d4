// Where the nodes of a tree are drawn: levels from left to right, leaves from top to bottom.

import { SMALL_TEXT, TEXT_SIZE, fitText, textWidth } from "./fitting.js";
import { RETURN_COLUMNS, countBelow, nodesOf, rootText } from "./tree_nodes.js";
import { formatNumber, plural } from "./text.js";

/** Heights in pixels: of what stands above the leaves, of rows, and between groups of leaves. */
const HEAD = 48, TALL_HEAD = 62, ROW = 27, DENSE_ROW = 23, LEARNED_ROW = 8, GROUP_GAP = 5, FOOT = 20;
/** More leaves than this stand closer together. */
const MANY_LEAVES = 18;
/** Widths in pixels: of the part of an edge that leads up or down, and of what belongs to a node. */
const LEAST_FAN = 18, WIDEST_FAN = 90, MARGIN = 12, MARK_ROOM = 20;
const LONGEST_EDGE_NAME = 120, COLUMN_GAP = 16;
/** The most room that outcomes get, and the least beside columns of returns. */
const LONGEST_OUTCOME = 480, SHORT_OUTCOME = 200;
/** The radius of a node and the width of an edge of probability 1, in pixels. */
export const NODE_RADIUS = 5, EDGE_WIDTH = 8;
const EDGE_DECIMALS = 3;
const BESIDE = 16, BOLD_WEIGHT = 600;

/**
 * Places all nodes of a tree.
 *
 * Nodes get `x`, `y`, `edgeStart` (where the edge leaves its parent), `textStart` (from where on it is level),
 * `hasMarkRoom` (whether there is room for the sign of a tie), `name`, `number` and `learnedNumber` of the edge, and
 * `text` beside a leaf.
 *
 * @param {object} root Of the tree; see `rootNode`.
 * @param {object} props Of the picture.
 * @param {number} width Of the place for the picture, in pixels; the tree may be wider.
 * @returns {{nodes: object[], width: number, height: number, columns: number[]|null, rowHeight: number}} `columns` are
 *   the right ends of the columns of returns; null if there is no room for them, and returns follow outcomes.
 */
export function layTree(root, props, width) {
  const nodes = nodesOf(root), leaves = nodes.filter(({ children }) => !children);
  for (const node of nodes) nameNode(node, props);
  const rowHeight = (leaves.length > MANY_LEAVES ? DENSE_ROW : ROW) + (props.overlay ? LEARNED_ROW : 0);
  const levels = levelWidths(nodes), table = columnWidths(leaves);
  const tableWidth = table.reduce((sum, column) => sum + column, MARGIN);
  placeLevels(nodes, levels, LEAST_FAN);
  const hasColumns = textEnd(leaves, SHORT_OUTCOME) + tableWidth <= width;
  const height = placeRows(root, leaves, rowHeight, hasColumns || props.undetermined ? TALL_HEAD : HEAD) + FOOT;
  if (!hasColumns) {
    const ends = leaves.map((leaf) => leaf.x + textRoom(leaf) + returnsRoom(leaf) + MARGIN);
    return { nodes, columns: null, rowHeight, height, width: Math.ceil(Math.max(width, ...ends)) };
  }
  const spare = width - tableWidth - textEnd(leaves, LONGEST_OUTCOME), steps = Math.max(levels.length - 1, 1);
  placeLevels(nodes, levels, Math.min(LEAST_FAN + Math.max(spare, 0) / steps, WIDEST_FAN));
  for (const leaf of leaves) {
    leaf.text = fitText(leaf.text, width - tableWidth - leaf.x - BESIDE, TEXT_SIZE, BOLD_WEIGHT);
  }
  let end = textEnd(leaves, Infinity);
  const columns = table.map((column) => { end += column; return end; });
  return { nodes, columns, rowHeight, height, width };
}

/** The room that the text beside a leaf takes. */
function textRoom({ text }) {
  return BESIDE + textWidth(text, TEXT_SIZE, BOLD_WEIGHT);
}

/** Where the texts beside leaves end if none takes more than `longest`. */
function textEnd(leaves, longest) {
  return Math.max(...leaves.map((leaf) => leaf.x + Math.min(textRoom(leaf), longest)));
}

/** The texts of a node and of the edge to it. */
function nameNode(node, { model }) {
  const { parent, kind, pair, state, probability, learned } = node, isAfterChance = parent?.kind === "chance";
  if (kind === "illegal") node.fullName = "illegal tokens";
  else if (!parent) node.fullName = rootText(model, state);
  else node.fullName = isAfterChance ? model.stateLabels[state] : model.tokens[pair % model.A];
  const arrives = parent && !isAfterChance && kind === "state" && model.stateNames;
  if (arrives) node.fullName += ` \u2192 ${model.stateNames[state]}`;
  node.name = parent ? fitText(node.fullName, LONGEST_EDGE_NAME) : "";
  node.number = parent && kind !== "illegal" ? shortProbability(probability) : "";
  node.learnedNumber = learned === null ? "" : shortProbability(learned);
  node.fullText = "";
  if (kind === "end") node.fullText = model.outcomes.get(state) ?? model.stateLabels[state];
  else if (kind === "state" && !node.children) {
    node.fullText = `+ ${plural(countBelow(model, state), model.order ? "more trace" : "action")}`;
  }
  node.text = fitText(node.fullText, LONGEST_OUTCOME, TEXT_SIZE, BOLD_WEIGHT);
}

/** A probability with few decimals, which is 0 or 1 only if it is that. */
function shortProbability(value) {
  const least = 10 ** -EDGE_DECIMALS;
  if (value > 0 && value < least) return `<${formatNumber(least)}`;
  if (value < 1 && value > 1 - least) return `>${formatNumber(1 - least)}`;
  return formatNumber(Number(value.toFixed(EDGE_DECIMALS)));
}

/** Gives every node its y: leaves in rows, others in the middle of what follows them. Returns the lower end. */
function placeRows(root, leaves, rowHeight, top) {
  let y = top;
  leaves.forEach((leaf, i) => {
    if (i) y += rowHeight + (leaf.parent !== leaves[i - 1].parent ? GROUP_GAP : 0);
    leaf.y = y;
  });
  const settle = (node) => {
    if (!node.children) return;
    node.children.forEach(settle);
    node.y = (node.children[0].y + node.children.at(-1).y) / 2;
  };
  settle(root);
  return y + rowHeight / 2;
}

/** The room that the texts on the edges to each level need. */
function levelWidths(nodes) {
  const levels = [];
  for (const { level, name, number, learnedNumber, isTied } of nodes) {
    const room = (levels[level] ??= { name: 0, number: 0, mark: 0 });
    const learned = learnedNumber ? textWidth(learnedNumber, SMALL_TEXT) + 16 : 0;
    room.name = Math.max(room.name, textWidth(name));
    room.number = Math.max(room.number, textWidth(number, SMALL_TEXT) + learned);
    if (isTied) room.mark = MARK_ROOM;
  }
  return levels;
}

function placeLevels(nodes, levels, fan) {
  const starts = [MARGIN];
  for (let level = 1; level < levels.length; level++) {
    const { name, number, mark } = levels[level];
    starts.push(starts[level - 1] + NODE_RADIUS + fan + name + 12 + number + 8 + mark + NODE_RADIUS);
  }
  for (const node of nodes) {
    node.x = starts[node.level];
    node.edgeStart = node.level ? starts[node.level - 1] + NODE_RADIUS : node.x;
    node.textStart = node.level ? node.edgeStart + fan : node.x;
    node.hasMarkRoom = levels[node.level].mark > 0;
  }
}

/** The widths of the columns of returns. */
function columnWidths(leaves) {
  const rows = [RETURN_COLUMNS, ...leaves.filter(({ kind }) => kind === "end").map(returnTexts)];
  return RETURN_COLUMNS.map((_, i) =>
    COLUMN_GAP + Math.max(...rows.map((texts) => textWidth(texts[i], SMALL_TEXT, BOLD_WEIGHT))));
}

/** The room that the returns of a leaf take behind its text. */
function returnsRoom(leaf) {
  return leaf.kind === "end" ? BESIDE + textWidth(returnsText(leaf), SMALL_TEXT) : 0;
}

/** The returns of a trace as texts, one for each column. */
export function returnTexts({ returns }) {
  return returns.map((value) => formatNumber(value));
}

/** The returns of a trace as one text. */
export function returnsText(node) {
  return returnTexts(node).map((text, i) => `${RETURN_COLUMNS[i]} ${text}`).join(", ");
}
