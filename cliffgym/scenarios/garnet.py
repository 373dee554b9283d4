"""Garnet: random MDPs of any size, with as many exact ties as asked for."""

import numpy as np
from numpy.typing import NDArray

from cliffgym.checks import integer, number
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.trace_scenario import Scenario

# All numbers are whole multiples of powers of two: sums and products of a few of them are free of rounding.
_CHANCES = 256  # probabilities are multiples of 1/256
_VALUES = 16  # optimal values and action gaps are multiples of 1/16
_LEAST_GAP = 2  # of those
_CREDITS = 1024  # other components are multiples of 1/1024
_MAX_STATES, _MAX_ACTIONS, _MAX_BRANCHING, _MAX_COMPONENTS = 10_000_000, 1000, 128, 100
_MAX_ENTRIES = 400_000_000  # of the tables together: 3.2 GB


def garnet(
    *,
    states: int = 100,
    actions: int = 4,
    branching: int = 2,
    components: int = 2,
    seed: int = 0,
    ties: float = 0.1,
    ending: float = 0.1,
    gamma: float = 0.9375,
) -> Scenario:
    """Wander through random states. As many of them as asked for are exactly tied: for tests, benchmarks and scale.

    ## Description
    A Garnet (Archibald, McKinnon and Thomas 1995; Bhatnagar et al. 2009): a random MDP given by its numbers of states,
    actions and successors. Here its incomplete reward is made from its solution: optimal values and action gaps are
    drawn first, and the Bellman equation says which reward has them, R = V - gap - gamma · P V (as in the proof of
    Proposition 2.9 of arXiv:2507.20150). So it is known how many states are tied, at any size. Probabilities, values
    and gaps are multiples of 1/256, 1/16 and 1/16, so that no rounding blurs a tie.

    ## Action space
    `Discrete(actions)`: `action_0`, `action_1`, ... All are always allowed.

    ## Observation space
    The state: `Discrete(states)`, or one-hot as `observation` says. The tokens emitted so far do not tell which state
    has been reached, so there is no `observation="tokens"`.

    ## Starting state
    State 0, the one prompt. The last state is the end.

    ## Rewards
    Paid on every token.

    | name | weighs |
    |---|---|
    | `incomplete` | component_0 |
    | `true` | component_0 + component_1 + ..., all alike |

    Components: `component_0` (made from its solution, with the ties), and `component_1`, ... (drawn uniformly from the
    multiples of 1/1024 in [-1, 1]).

    ## Episode end
    In the last state. With two successors or more every action leads there with one and the same probability, the
    multiple of 1/256 nearest `ending`, so every policy ends surely. With one successor transitions are deterministic:
    round(ending · (states - 1) · actions) pairs of state and action, one at least, lead to the end. From every state
    some way leads there, so random tokens end surely; but a policy may circle for ever, so gamma has to be < 1.

    ## Information
    `action_mask`, and unless `oracle=False`: `true_reward`, `incomplete_reward`, `components`; `outcome` at the end.

    ## Arguments
    `states`: their number, with the end. `actions`: the number of tokens. `branching`: different states that may follow
    an action, other than the end; at most 128. `components`: their number. `seed`: of all that is drawn; what follows
    what does not depend on `components`, `ties` and `gamma`. `ties`: share of the states other than the end that are
    tied, in [0, 1]. `ending`: how soon traces end, in [1/256, 1/2]. `gamma`: discount.

    ## Diagnoses
    Propositions 2.9 and 2.10 at any size. Under `incomplete`, exactly round(ties · (states - 1)) states have two or
    more optimal actions, all others one; other actions lose at least 1/8. If gamma is a multiple of 1/128, as its
    default is, all this is exact: optimal values are multiples of 1/16 that one Bellman backup in floating point gives
    back bit for bit, and rational arithmetic confirms the ties. With another gamma rewards are rounded, and ties hold
    up to that. At the defaults 10 states are tied under `incomplete` and none under `true`.

        >>> import cliffgym
        >>> for ties in (0, 0.1, 0.5):
        ...     made = cliffgym.scenario("Cliff-Garnet-v0", ties=ties)
        ...     print([len(cliffgym.optimal(made.mdp, made.reward(name)).tied_states) for name in made.rewards])
        [0, 0]
        [10, 0]
        [50, 0]

    ## Version history
    v0: first version.
    """
    S = integer("states", states, 2, _MAX_STATES)
    A = integer("actions", actions, 1, _MAX_ACTIONS)
    B = integer("branching", branching, 1, _MAX_BRANCHING)
    K = integer("components", components, 1, _MAX_COMPONENTS)
    seed = integer("seed", seed, 0)
    ties = number("ties", ties, 0, 1)
    ending = number("ending", ending, 1 / _CHANCES, 1 / 2)
    if B >= S:
        raise ValueError(f"branching must be at most states - 1, got branching {B} and states {S}")
    if ties > 0 and A == 1:
        raise ValueError(f"ties must be 0 where there is only one action, got {ties}")
    entries = S * A * (2 * (B + 1) + K)
    if entries > _MAX_ENTRIES:
        raise ValueError(
            f"states · actions · (2 (branching + 1) + components) must be at most {_MAX_ENTRIES:,}, got {entries:,}: "
            "choose smaller sizes"
        )
    rng = np.random.default_rng(seed)  # what each part draws from it depends on sizes and `ending` alone
    successors, probabilities = _transitions(rng, S, A, B, ending)
    start, end = np.eye(1, S)[0], np.arange(S) == S - 1
    names = tuple(f"action_{a}" for a in range(A))
    mdp = TabularMDP(successors, probabilities, start, end, gamma, action_names=names)
    table = np.zeros((K, S, A))
    table[0] = _planted_reward(rng, mdp, ties)
    table[1:, :-1] = rng.integers(-_CREDITS, _CREDITS, size=(K - 1, S - 1, A), endpoint=True) / _CREDITS
    parts = RewardComponents(tuple(f"component_{k}" for k in range(K)), table)
    return Scenario(
        id="Cliff-Garnet-v0",
        mdp=mdp,
        components=parts,
        rewards={"incomplete": {parts.names[0]: 1.0}, "true": dict.fromkeys(parts.names, 1.0)},
        prompts=("Go on until the end.",),
        prompt_states=np.zeros(1, dtype=np.intp),
        state_prompts=np.zeros(S, dtype=np.intp),
        state_tokens=np.zeros((S, 0), dtype=np.intp),
        outcomes=("",) * (S - 1) + ("reached the end",),
        token_texts={},
    )


def _transitions(
    rng: np.random.Generator, S: int, A: int, B: int, ending: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Successors and probabilities: (S, A, 1) if B is 1, else (S, A, B + 1) with the end in the last slot."""
    living = S - 1
    if B == 1:
        successors = np.full((S, A, 1), living)
        successors[:-1, :, 0] = _ways(rng, living, A, ending)
        return successors, np.ones((S, A, 1))
    successors = np.full((S, A, B + 1), living)
    successors[:-1, :, :B] = _distinct(rng, living, living * A, B).reshape(living, A, B)
    # Garnet's probabilities are the distances between B - 1 cuts of an interval; here, between cuts at whole numbers.
    ends = round(ending * _CHANCES)
    cuts = np.sort(_distinct(rng, _CHANCES - ends - 1, living * A, B - 1), axis=1) + 1
    chances = np.diff(cuts, axis=1, prepend=0, append=_CHANCES - ends)
    probabilities = np.full((S, A, B + 1), ends / _CHANCES)
    probabilities[:-1, :, :B] = chances.reshape(living, A, B) / _CHANCES
    probabilities[-1] = np.eye(1, B + 1)[0]
    return successors, probabilities


def _ways(rng: np.random.Generator, living: int, A: int, ending: float) -> NDArray[np.intp]:
    """(living, A) deterministic next states, of which `living` is the end; it can be reached from every state.

    In each state one action leads to a state of a higher number, in the last one to the end: whoever keeps to these
    gets there.
    """
    rows = np.arange(living)
    following = rng.integers(0, living, size=(living, A))
    onward = rng.integers(0, A, size=living)
    following[rows, onward] = rng.integers(rows + 1, np.maximum(rows + 2, living))
    pairs, last = living * A, (living - 1) * A + onward[-1]  # the pair that leads to the end already
    chosen = rng.choice(pairs - 1, max(round(ending * pairs), 1) - 1, replace=False)
    following.ravel()[chosen + (chosen >= last)] = living
    return following


def _distinct(rng: np.random.Generator, high: int, rows: int, count: int) -> NDArray[np.intp]:
    """(rows, count) numbers in [0, high), in each row a set of `count` different ones, all sets equally likely.

    Source: Floyd's algorithm, in Bentley and Floyd (1987), A Sample of Brilliance, Communications of the ACM 30(9).
    """
    drawn = np.empty((rows, count), dtype=np.intp)
    for column, last in enumerate(range(high - count, high)):
        number = rng.integers(0, last, size=rows, endpoint=True)
        taken = (drawn[:, :column] == number[:, None]).any(axis=1)
        drawn[:, column] = np.where(taken, last, number)
    return drawn


def _planted_reward(rng: np.random.Generator, mdp: TabularMDP, ties: float) -> NDArray[np.float64]:
    """(S, A) the reward whose optimal values and action gaps are drawn here."""
    living, A = mdp.num_states - 1, mdp.num_actions
    values = np.append(rng.integers(-_VALUES, _VALUES, size=living, endpoint=True) / _VALUES, 0.0)
    gaps = rng.integers(_LEAST_GAP, _VALUES, size=(living, A), endpoint=True) / _VALUES
    order = rng.random((living, A)).argsort(axis=1)
    several = rng.integers(min(2, A), A, size=living, endpoint=True)
    tied = rng.permutation(living)[: round(ties * living)]
    num_optimal = np.ones(living, dtype=np.intp)
    num_optimal[tied] = several[tied]
    gaps[order < num_optimal[:, None]] = 0
    expected = np.einsum("sab,sab->sa", mdp.probabilities[:-1], values[mdp.successors[:-1]])
    reward = np.zeros((living + 1, A))
    reward[:-1] = values[:-1, None] - gaps - mdp.gamma * expected
    return reward
