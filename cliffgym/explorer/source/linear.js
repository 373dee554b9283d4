// Linear systems of cyclic MDPs: dense elimination with partial pivoting, refined by residuals in twice the precision.
//
// Systems are (I - gamma P) x = b over the states that go on. The factors of a matrix are kept for all right-hand sides.

/**
 * Factorises the system of a policy.
 *
 * @param {object} model
 * @param {Float64Array} policy (S, A)
 * @returns {{solve: function(Float64Array): Float64Array, solveTransposed: function(Float64Array): Float64Array}}
 *   Solvers that take and give arrays (S,), 0 at terminal states.
 */
export function factorise(model, policy) {
  const { S, A, B, successors, chances, terminal, gamma } = model;
  const alive = [], place = new Int32Array(S).fill(-1);
  for (let state = 0; state < S; state++) {
    if (terminal[state]) continue;
    place[state] = alive.length;
    alive.push(state);
  }
  const n = alive.length, matrix = new Float64Array(n * n);
  alive.forEach((state, row) => {
    matrix[row * n + row] += 1;
    for (let a = 0; a < A; a++) {
      const pair = state * A + a;
      if (policy[pair] === 0) continue;
      for (let slot = pair * B; slot < (pair + 1) * B; slot++) {
        const column = place[successors[slot]];
        if (column >= 0) matrix[row * n + column] -= gamma * policy[pair] * chances[slot];
      }
    }
  });
  const { factors, rows } = eliminate(matrix.slice(), n);
  const wrap = (solver) => (constant) => {
    const inner = Float64Array.from(alive, (state) => constant[state]);
    const outer = new Float64Array(S);
    solver(inner).forEach((value, i) => { outer[alive[i]] = value; });
    return outer;
  };
  const direct = (constant) => substitute(factors, rows, n, constant);
  return {
    solve: wrap((constant) => {
      const x = direct(constant);
      for (let round = 0; round < 2; round++) {
        const lacks = direct(residual(matrix, n, x, constant));
        for (let i = 0; i < n; i++) x[i] += lacks[i];
      }
      return x;
    }),
    solveTransposed: wrap((constant) => substituteTransposed(factors, rows, n, constant)),
  };
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
function residual(matrix, n, x, constant) {
  const lacks = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = constant[i], error = 0;
    for (let j = 0; j < n; j++) {
      const a = -matrix[i * n + j], b = x[j];
      if (a === 0) continue;
      const product = a * b, total = sum + product, part = total - sum;
      error += productError(a, b, product) + ((sum - (total - part)) + (product - part));
      sum = total;
    }
    lacks[i] = sum + error;
  }
  return lacks;
}

const SPLIT = 2 ** 27 + 1;

/** a b - fl(a b), exactly (Dekker, 1971). */
function productError(a, b, product) {
  const ca = SPLIT * a, cb = SPLIT * b;
  const highA = ca - (ca - a), highB = cb - (cb - b), lowA = a - highA, lowB = b - highB;
  return lowA * lowB - (((product - highA * highB) - lowA * highB) - highA * lowB);
}
