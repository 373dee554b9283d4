// Linear systems of cyclic MDPs: dense elimination with partial pivoting, refined by residuals in twice the precision.
//
// Systems are (I - gamma P) x = b over the states that go on. The factors of a matrix are kept for all right-hand sides.

/** Above this gamma solutions are refined: the system magnifies rounding by up to 1/(1 - gamma). */
const REFINED_GAMMA = 0.995;
const REFINEMENTS = 2;
/** One move of a weight asks for few policies, but for each of them again and again. */
const KEPT_FACTORS = 4;

/**
 * Factorises the system of a policy, unless it is one of the last of this model.
 *
 * @param {object} model
 * @param {Float64Array} policy (S, A)
 * @returns {{solve: function(Float64Array): Float64Array, solveTransposed: function(Float64Array): Float64Array}}
 *   Solvers that take and give arrays (S,), 0 at terminal states.
 */
export function factorise(model, policy) {
  const kept = (model.lastFactors ??= []);
  const place = kept.findIndex((each) => each.policy.every((chance, pair) => chance === policy[pair]));
  const found = place < 0 ? { policy: policy.slice(), solvers: solversOf(model, policy) } : kept.splice(place, 1)[0];
  kept.unshift(found);
  kept.length = Math.min(kept.length, KEPT_FACTORS);
  return found.solvers;
}

function solversOf(model, policy) {
  const system = systemOf(model, policy), { alive, matrix } = system, n = alive.length;
  const { factors, rows } = eliminate(matrix.slice(), n);
  const wrap = (solver) => (constant) => {
    const inner = Float64Array.from(alive, (state) => constant[state]);
    const outer = new Float64Array(model.S);
    solver(inner).forEach((value, i) => { outer[alive[i]] = value; });
    return outer;
  };
  const direct = (constant) => substitute(factors, rows, n, constant);
  const rounds = model.gamma > REFINED_GAMMA ? REFINEMENTS : 0;
  return {
    solve: wrap((constant) => {
      const x = direct(constant);
      for (let round = 0; round < rounds; round++) {
        const lacks = direct(residual(system, x, constant));
        for (let i = 0; i < n; i++) x[i] += lacks[i];
      }
      return x;
    }),
    solveTransposed: wrap((constant) => substituteTransposed(factors, rows, n, constant)),
  };
}

/**
 * The matrix I - gamma P over the states that go on, as `matrix` and `rest`, what rounding has taken from each entry:
 * magnified, it would tell apart policies that are exactly tied.
 */
function systemOf({ S, A, B, successors, chances, terminal, gamma }, policy) {
  const alive = [], place = new Int32Array(S).fill(-1);
  for (let state = 0; state < S; state++) {
    if (terminal[state]) continue;
    place[state] = alive.length;
    alive.push(state);
  }
  const n = alive.length, matrix = new Float64Array(n * n), rest = new Float64Array(n * n);
  alive.forEach((state, row) => {
    matrix[row * n + row] = 1;
    for (let slot = state * A * B; slot < (state + 1) * A * B; slot++) {
      const column = place[successors[slot]], chance = policy[(slot / B) | 0] * chances[slot];
      if (column < 0 || chance === 0) continue;
      const entry = row * n + column, product = -gamma * chance, sum = matrix[entry] + product;
      rest[entry] += sumError(matrix[entry], product, sum) + productError(-gamma, chance, product);
      matrix[entry] = sum;
    }
  });
  return { alive, matrix, rest };
}

/** LU factors in place and the order of rows, by Gaussian elimination with partial pivoting. */
function eliminate(m, n) {
  const rows = Int32Array.from({ length: n }, (_, i) => i);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(m[rows[i] * n + k]) > Math.abs(m[rows[pivot] * n + k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    const top = rows[k] * n;
    for (let i = k + 1; i < n; i++) {
      const row = rows[i] * n;
      if (m[row + k] === 0) continue;
      const factor = m[row + k] / m[top + k];
      m[row + k] = factor;
      for (let j = k + 1; j < n; j++) m[row + j] -= factor * m[top + j];
    }
  }
  return { factors: m, rows };
}

function substitute(m, rows, n, constant) {
  const x = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const row = rows[i] * n;
    let sum = constant[rows[i]];
    for (let j = 0; j < i; j++) sum -= m[row + j] * x[j];
    x[i] = sum;
  }
  for (let i = n - 1; i >= 0; i--) {
    const row = rows[i] * n;
    for (let j = i + 1; j < n; j++) x[i] -= m[row + j] * x[j];
    x[i] /= m[row + i];
  }
  return x;
}

function substituteTransposed(m, rows, n, constant) {
  const y = Float64Array.from(constant);
  for (let i = 0; i < n; i++) {
    y[i] /= m[rows[i] * n + i];
    for (let j = i + 1; j < n; j++) y[j] -= m[rows[i] * n + j] * y[i];
  }
  for (let i = n - 1; i >= 0; i--) for (let j = 0; j < i; j++) y[j] -= m[rows[i] * n + j] * y[i];
  const x = new Float64Array(n);
  rows.forEach((row, i) => { x[row] = y[i]; });
  return x;
}

/** b - M x with products and sums whose rounding errors are carried along (Ogita, Rump and Oishi, 2005). */
function residual({ matrix, rest }, x, constant) {
  const n = x.length, lacks = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = constant[i], error = 0;
    for (let j = 0; j < n; j++) {
      const a = -matrix[i * n + j], b = x[j];
      if (a === 0) continue;
      const product = a * b, total = sum + product;
      error += productError(a, b, product) + sumError(sum, product, total) - rest[i * n + j] * b;
      sum = total;
    }
    lacks[i] = sum + error;
  }
  return lacks;
}

/** a + b - fl(a + b), exactly (Knuth, 1969). */
function sumError(a, b, sum) {
  const part = sum - a;
  return (a - (sum - part)) + (b - part);
}

const SPLIT = 2 ** 27 + 1;

/** a b - fl(a b), exactly (Dekker, 1971). */
function productError(a, b, product) {
  const ca = SPLIT * a, cb = SPLIT * b;
  const highA = ca - (ca - a), highB = cb - (cb - b), lowA = a - highA, lowB = b - highB;
  return lowA * lowB - (((product - highA * highB) - lowA * highB) - highA * lowB);
}
