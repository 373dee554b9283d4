// A scenario as typed arrays, unpacked from the JSON that the Python side embeds.
//
// Shapes, as in the Python code: S states, A actions, B successor slots, K components. Tables over pairs of state and
// action are flat, with the pair s * A + a.

/**
 * Unpacks one size of a scenario.
 *
 * @param {object} entry The scenario: id, rewards and texts that all its sizes share.
 * @param {object} data One of its sizes, as `cliffgym.explorer.encoding` writes it.
 * @returns {object} The model that every solver of this page takes.
 */
export function decodeModel(entry, data) {
  const S = data.states, A = data.actions.length, B = data.slots;
  const terminal = new Uint8Array(S);
  for (const state of data.terminal) terminal[state] = 1;
  const successors = new Int32Array(S * A * B);
  const chances = new Float64Array(S * A * B);
  let next = 0;
  for (let state = 0; state < S; state++) {
    for (let slot = state * A * B; slot < (state + 1) * A * B; slot++) {
      successors[slot] = terminal[state] ? state : data.successors[next];
      chances[slot] = terminal[state] ? (slot % B === 0 ? 1 : 0) : data.chances ? data.chances[next] : 1;
      if (!terminal[state]) next++;
    }
  }
  const legal = new Uint8Array(S * A).fill(1);
  for (const pair of data.illegal) legal[pair] = 0;
  const model = {
    id: entry.id,
    parameters: data.parameters,
    fingerprint: data.fingerprint,
    S, A, B,
    gamma: data.gamma,
    successors, chances, legal, terminal,
    initial: initialChances(data.initial, S),
    tokens: data.actions,
    stateNames: data.state_names,
    names: data.components.names,
    tables: componentTables(data.components, S * A),
    rewards: data.rewards,
    prompts: data.prompts,
    promptStates: data.prompt_states,
    undetermined: new Set(data.undetermined),
    outcomes: new Map(data.outcomes.states.map((state, i) => [state, data.outcomes.texts[data.outcomes.codes[i]]])),
  };
  model.order = backwardOrder(model);
  model.reference = data.reference ? Float64Array.from(data.reference) : uniformOver(model, legal);
  model.stateLabels = stateLabels(model);
  model.judged = judgedOn(model, data.evaluation);
  return model;
}

function initialChances(pairs, S) {
  const initial = new Float64Array(S);
  for (const [state, chance] of pairs) initial[state] = chance;
  return initial;
}

/** The same MDP with the prompts and credits on which policies are judged: training may leave some prompts out. */
function judgedOn(model, evaluation) {
  if (!evaluation) return model;
  const tables = componentTables(evaluation.components, model.S * model.A);
  return { ...model, initial: initialChances(evaluation.initial, model.S), tables };
}

/** The weight of a component in a named reward, which may leave it out; whatever it is called. */
export function weightIn(reward, component) {
  return Object.hasOwn(reward, component) ? reward[component] : 0;
}

/** K tables (S, A) from the pairs that pay anything and a dictionary of what they pay. */
function componentTables(data, pairs) {
  return data.codes.map((codes) => {
    const table = new Float64Array(pairs);
    codes.forEach((code, i) => { table[data.pairs[i]] = data.values[code]; });
    return table;
  });
}

/**
 * The non-terminal states of an acyclic MDP, each after all that it can lead to; null if there is a cycle.
 *
 * @returns {Int32Array|null}
 */
function backwardOrder({ S, A, B, successors, chances, terminal }) {
  const order = [], mark = new Uint8Array(S); // 1: on the path that is being followed, 2: done
  for (let root = 0; root < S; root++) {
    if (mark[root] || terminal[root]) continue;
    const path = [[root, root * A * B]];
    mark[root] = 1;
    while (path.length) {
      const top = path[path.length - 1], [state, slot] = top;
      if (slot === (state + 1) * A * B) {
        mark[state] = 2;
        order.push(state);
        path.pop();
        continue;
      }
      top[1]++;
      const to = successors[slot];
      if (chances[slot] === 0 || terminal[to] || mark[to] === 2) continue;
      if (mark[to] === 1) return null;
      mark[to] = 1;
      path.push([to, to * A * B]);
    }
  }
  return Int32Array.from(order);
}

/** (S, A) the policy that draws among the marked actions of each state with equal probability. */
export function uniformOver({ S, A }, marked) {
  const policy = new Float64Array(S * A);
  for (let state = 0; state < S; state++) {
    let count = 0;
    for (let pair = state * A; pair < (state + 1) * A; pair++) count += marked[pair];
    for (let pair = state * A; pair < (state + 1) * A; pair++) policy[pair] = marked[pair] / count;
  }
  return policy;
}

/** What each state is called: the prompt's number and the tokens so far, or the MDP's own name for it. */
function stateLabels({ S, A, B, successors, legal, terminal, tokens, stateNames, promptStates, order }) {
  if (stateNames) return stateNames;
  const labels = new Array(S).fill(null);
  const queue = [];
  promptStates.forEach((state, prompt) => {
    labels[state] = `prompt ${prompt}`;
    queue.push([state, []]);
  });
  while (order && queue.length) {
    const [state, path] = queue.shift();
    if (terminal[state]) continue;
    for (let a = 0; a < A; a++) {
      const to = successors[(state * A + a) * B];
      if (!legal[state * A + a] || labels[to] !== null) continue;
      const tokensTo = [...path, tokens[a]];
      labels[to] = `${labels[state].split(" · ")[0]} · ${tokensTo.join(" ")}`;
      queue.push([to, tokensTo]);
    }
  }
  return labels.map((label, state) => label ?? `state ${state}`);
}
