"""LengthPenalty and LengthControl: how long to think when thinking is free, costs, or is asked for."""

from collections.abc import Sequence

from cliffgym.builder import End, build_scenario
from cliffgym.checks import flag, integer, number, sequence
from cliffgym.trace_scenario import Scenario


def length_penalty(
    *,
    difficulties: Sequence[int] = (1, 2, 3, 4),
    max_length: int = 8,
    budget: int = 4,
    penalty: float = 0.02,
    hidden_difficulty: bool = False,
    gamma: float = 1.0,
) -> Scenario:
    """Think for a while, then answer. Training pays the right answer; the true reward prices the thinking.

    ## Description
    A problem of difficulty d is answered rightly after at least d `think` tokens. Without a price on length, every
    length from d to `max_length` is optimal. The smallest price makes d the only optimum, and as it grows accuracy
    falls off one cliff after another: difficulty d is given up at a price of 1/d.

    ## Action space
    `Discrete(2)`: `think`, `answer`.

    ## Observation space
    The state, the problem and the tokens emitted so far: `Discrete(S)`, or as `observation` says. With
    `hidden_difficulty` all problems read the same.

    ## Starting state
    One of the problems, each equally likely.

    ## Rewards
    Paid on the last token.

    | name | weighs |
    |---|---|
    | `incomplete` | correct |
    | `true` | correct - penalty · length |
    | `truncation` | correct_within_budget |

    Components: `correct`, `correct_within_budget` (correct, and at most `budget` thoughts), `length` (number of
    thoughts), `truncated`, `overlong` (1 if length > budget), `malformed` (never: both tokens are always allowed).

    ## Episode end
    At `answer`, or at a `think` beyond `max_length`, which is cut off: nothing is correct, the length is `max_length`.

    ## Information
    `action_mask`, and unless `oracle=False`: `true_reward`, `incomplete_reward`, `components`; `outcome` at the end.

    ## Arguments
    `difficulties`: one prompt each, at most `max_length`. `max_length`: thoughts that fit. `budget`: thoughts that
    `truncation` pays for. `penalty`: price of a thought in `true`; may be negative. `hidden_difficulty`: whether the
    agent cannot see how hard a problem is. `gamma`: discount.

    ## Diagnoses
    Efficient reasoning (section 5 of arXiv:2507.20150; Propositions 2.9 and 3.2). At the defaults the incomplete reward
    has 22 tied states and optimal policies of mean length 2.5 to 8; prices in (0, 1/4) give length d at accuracy 1;
    accuracy drops at 1/4, 1/3, 1/2, 1 to 3/4, 1/2, 1/4, 0; a negative price gives length 8. With `hidden_difficulty`
    the accuracy of n thoughts is the share of problems with d <= n, and the cliffs move: at the defaults each thought
    up to the fourth is worth 1/4, so that length falls from 4 to 0 at once at a price of 1/4.

        >>> import cliffgym
        >>> from cliffgym.analysis import trace_weights
        >>> for hidden in (False, True):
        ...     made = cliffgym.scenario("Cliff-LengthPenalty-v0", hidden_difficulty=hidden)
        ...     line = trace_weights(made, "length", -1.2, -0.1)
        ...     print([round(point.position, 4) for point in line.breakpoints])
        [-1.0, -0.5, -0.3333, -0.25]
        [-0.25]

    ## Version history
    v0: first version.
    """
    return _length_scenario(
        id="Cliff-LengthPenalty-v0",
        difficulties=difficulties,
        targets=None,
        max_length=max_length,
        budget=budget,
        rewards={
            "incomplete": {"correct": 1.0},
            "true": {"correct": 1.0, "length": -number("penalty", penalty)},
            "truncation": {"correct_within_budget": 1.0},
        },
        gamma=gamma,
        hidden=flag("hidden_difficulty", hidden_difficulty),
    )


def length_control(
    *,
    difficulties: Sequence[int] = (1, 2, 3, 4),
    targets: Sequence[int] = (2, 4, 8),
    max_length: int = 8,
    budget: int = 4,
    deviation_penalty: float = 3e-4,
    gamma: float = 1.0,
) -> Scenario:
    """Think for as long as the prompt asks, then answer. A tiny price on deviation decides among many right lengths.

    ## Description
    LengthPenalty with a target length in the prompt, one prompt for each pair of difficulty and target. The right
    answer needs d thoughts; the true reward also takes a little for each thought more or fewer than the target.

    ## Action space
    `Discrete(2)`: `think`, `answer`.

    ## Observation space
    The state, the problem, its target and the tokens emitted so far: `Discrete(S)`, or as `observation` says.

    ## Starting state
    One of the prompts, each equally likely.

    ## Rewards
    Paid on the last token.

    | name | weighs |
    |---|---|
    | `incomplete` | correct |
    | `true`, `lcpo` | correct - deviation_penalty · deviation |
    | `truncation` | correct_within_budget |

    Components: `deviation` (distance of length from target, in thoughts) and those of LengthPenalty: `correct`,
    `correct_within_budget`, `length`, `truncated`, `overlong`, `malformed`.

    ## Episode end
    At `answer`, or at a `think` beyond `max_length`, which is cut off: nothing is correct, the length is `max_length`.

    ## Information
    `action_mask`, and unless `oracle=False`: `true_reward`, `incomplete_reward`, `components`; `outcome` at the end.

    ## Arguments
    `targets`: target lengths, at most `max_length`. `deviation_penalty`: price of a thought off target.
    `difficulties`, `max_length`, `budget` and `gamma` are as in LengthPenalty.

    ## Diagnoses
    Controllable reasoning (section 5 of arXiv:2507.20150): length-controlled policy optimisation pays a coefficient as
    small as 3e-4. The optimal length is the target where that is at least d, and d where it is less (as long as
    deviation_penalty · (d - target) < 1): a tie-breaker steers everything as long as there is nothing else to gain.

        >>> import cliffgym
        >>> for target in (2, 4, 8):
        ...     made = cliffgym.scenario("Cliff-LengthControl-v0", difficulties=(3,), targets=(target,))
        ...     policy = cliffgym.optimal(made.mdp, made.reward("true")).policy
        ...     print(target, cliffgym.expected_components(made.mdp, made.components, policy)["length"])
        2 3.0
        4 4.0
        8 8.0

    ## Version history
    v0: first version.
    """
    lcpo = {"correct": 1.0, "deviation": -number("deviation_penalty", deviation_penalty)}
    return _length_scenario(
        id="Cliff-LengthControl-v0",
        difficulties=difficulties,
        targets=_lengths("targets", targets, integer("max_length", max_length, 1, 1000)),
        max_length=max_length,
        budget=budget,
        rewards={
            "incomplete": {"correct": 1.0},
            "true": lcpo,
            "lcpo": lcpo,
            "truncation": {"correct_within_budget": 1.0},
        },
        gamma=gamma,
    )


def _length_scenario(
    *,
    id: str,
    difficulties: Sequence[int],
    targets: Sequence[int] | None,
    max_length: int,
    budget: int,
    rewards: dict[str, dict[str, float]],
    gamma: float,
    hidden: bool = False,
) -> Scenario:
    """The grammar that both scenarios share; without targets there is no `deviation`.

    Difficulties that are hidden are classes of one prompt; this is for a scenario without targets.
    """
    max_length = integer("max_length", max_length, 1, 1000)
    budget = integer("budget", budget, 0)
    difficulties = _lengths("difficulties", difficulties, max_length)
    pairs = [(d, t) for d in difficulties for t in (targets if targets is not None else (None,))]

    def rule(prompt: int, tokens: tuple[str, ...]) -> End | None:
        difficulty, target = pairs[prompt]
        length = min(tokens.count("think"), max_length)
        truncated = len(tokens) > max_length and tokens[-1] == "think"
        if tokens[-1] == "think" and not truncated:
            return None
        correct = length >= difficulty and not truncated
        credit = {
            "correct": float(correct),
            "correct_within_budget": float(correct and length <= budget),
            "length": float(length),
            "truncated": float(truncated),
            "overlong": float(length > budget),
        }
        if target is not None:
            credit["deviation"] = float(abs(length - target))
        verdict = "truncated" if truncated else "right answer" if correct else "wrong answer"
        return End(f"{verdict} after {length} thoughts", credit)

    prompts = [
        f"Problem of difficulty {d}: think, then answer." + (f" Use {t} thoughts." if t is not None else "")
        for d, t in pairs
    ]
    return build_scenario(
        id=id,
        prompts=["Problem of unknown difficulty: think, then answer."] if hidden else prompts,
        tokens=["think", "answer"],
        rule=rule,
        components=["correct", "correct_within_budget", "length", "truncated", "overlong"]
        + (["deviation"] if targets is not None else []),
        rewards=rewards,
        gamma=gamma,
        hidden_prompts=[(f"difficulty {d}", 0) for d in difficulties] if hidden else None,
        objectives={"correct": 1.0, "length" if targets is None else "deviation": -1.0},
    )


def _lengths(name: str, values: Sequence[int], maximum: int) -> tuple[int, ...]:
    lengths = sequence(name, values, "integers")
    return tuple(integer(f"{name}[{i}]", value, 0, maximum) for i, value in enumerate(lengths))
