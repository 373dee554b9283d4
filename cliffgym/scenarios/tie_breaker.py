"""TieBreaker: one format is paid a little more, and a cliff opens at zero."""

from collections.abc import Sequence

from cliffgym.builder import MALFORMED, End, build_scenario
from cliffgym.checks import choice, integer, number
from cliffgym.trace_scenario import Scenario


def tie_breaker(
    *,
    problems: int = 4,
    answers: int = 3,
    formats: Sequence[str] = ("plain", "markdown", "json", "latex"),
    target: str = "json",
    bonus: float = 0.1,
    gamma: float = 1.0,
) -> Scenario:
    """Answer a problem, then choose one of several formats. A bonus on one format breaks the tie.

    ## Description
    The agent emits an answer and then a format. The incomplete reward pays the right answer alone, so all m formats
    are tied. Any bonus on the target format, however small, moves the whole optimal policy onto it, and any malus
    drives it away.

    ## Action space
    `Discrete(answers + m)`: `answer_0`, `answer_1`, ..., then the formats.

    ## Observation space
    The state, the problem and the tokens emitted so far: `Discrete(S)`, or as `observation` says.

    ## Starting state
    One of the problems, each equally likely.

    ## Rewards
    Paid on the last token.

    | name | weighs |
    |---|---|
    | `incomplete` | correct |
    | `true` | correct + bonus · target_format |

    Components: `correct` (1 for a right answer), `target_format` (1 for the target format, after any answer),
    `malformed`.

    ## Episode end
    After the format, or at a token that is not allowed (malformed; pays 0).

    ## Information
    `action_mask`, and unless `oracle=False`: `true_reward`, `incomplete_reward`, `components`; `outcome` at the end.

    ## Arguments
    `problems`: number of prompts. `answers`: candidate answers; problem i has answer i modulo that number. `formats`:
    their names, two at least. `target`: the one that is paid. `bonus`: its weight in `true`; may be negative. `gamma`:
    discount.

    ## Diagnoses
    Propositions 2.9, 2.10, 3.2 and 4.7 of arXiv:2507.20150. Uniform choice among optimal formats jumps in total
    variation by (m - 1)/m as the bonus rises from 0, by 1/m as it falls. With entropy at temperature alpha the
    probability of the target is e^(bonus/alpha) / (e^(bonus/alpha) + m - 1): no cliff, but a slope of 1/alpha.

        >>> import cliffgym
        >>> for bonus in (-1e-6, 0, 1e-6):
        ...     made = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=bonus)
        ...     policy = cliffgym.optimal(made.mdp, made.reward("true")).policy
        ...     share = cliffgym.expected_components(made.mdp, made.components, policy)["target_format"]
        ...     print(f"bonus {bonus:g}: target format in {share:.2f} of traces")
        bonus -1e-06: target format in 0.00 of traces
        bonus 0: target format in 0.25 of traces
        bonus 1e-06: target format in 1.00 of traces

    ## Version history
    v0: first version.
    """
    problems = integer("problems", problems, 1, 1_000_000)
    answers = integer("answers", answers, 1, 100_000)
    names = isinstance(formats, Sequence) and not isinstance(formats, str)
    if not names or len(formats) < 2 or not all(isinstance(name, str) for name in formats):
        raise ValueError(f"formats must be two names or more, got {formats!r}")
    formats = tuple(formats)
    choice("target", target, formats)
    answer_tokens = tuple(f"answer_{i}" for i in range(answers))

    def rule(prompt: int, tokens: tuple[str, ...]) -> End | str | None:
        if tokens[-1] not in (answer_tokens if len(tokens) == 1 else formats):
            return MALFORMED
        if len(tokens) == 1:
            return None
        answer, chosen = tokens
        right = answer == answer_tokens[prompt % answers]
        return End(
            f"{'right' if right else 'wrong'} answer in {chosen}",
            {"correct": float(right), "target_format": float(chosen == target)},
        )

    return build_scenario(
        id="Cliff-TieBreaker-v0",
        prompts=[f"Problem {i}: answer it, in any format." for i in range(problems)],
        tokens=[*answer_tokens, *formats],
        rule=rule,
        components=["correct", "target_format"],
        rewards={
            "incomplete": {"correct": 1.0},
            "true": {"correct": 1.0, "target_format": number("bonus", bonus)},
        },
        gamma=gamma,
        objectives={"correct": 1.0, "target_format": 1.0},
        token_texts={name: f"writes the answer as {name}" for name in formats},
    )
