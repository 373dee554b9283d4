"""Every cliff along a line of rewards R(t) = R0 + t D, exactly.

The values of a fixed policy are linear in t. So the policy that is optimal just after some t stays optimal until the
first t at which one of its advantages, linear as well, reaches zero: parametric policy iteration. No grid is involved,
and no breakpoint is missed between two points of one.

Shapes: S states, A actions, K components.

Source: the parametric simplex method of Gass and Saaty (1955), applied to MDPs through their linear program.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.ties import reachable_under
from cliffgym.checks import number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import TIE_TOLERANCE, evaluate, expected_components, optimal, total_variation
from cliffgym.solvers.optimal import rounding_of_gaps
from cliffgym.solvers.policies import uniform_over

_ROUNDING = 1e-12
"""Relative distance below which a breakpoint is the end of the line, not a point before it."""


@dataclass(frozen=True, eq=False)
class Segment(ReadOnlyArrays):
    """A stretch of the line along which the set of optimal actions is the same in every state that counts.

    Attributes:
        start: Where it starts, t.
        stop: Where it stops.
        optimal_actions: (S, A) True where the action is optimal all along the open stretch.
        intercept: The optimal return is intercept + slope · t here.
        slope: See `intercept`.
        components: Expected component values of the policy that breaks ties uniformly; empty without components.

    >>> import cliffgym
    >>> sophistry = cliffgym.scenario("Cliff-Sophistry-v0")
    >>> parts = sophistry.components
    >>> options = {"components": parts, "reachable_only": True}
    >>> line = trace_line(sophistry.mdp, parts["correct"], parts["fooled"], 0, 1, **options)  # t is the gullibility
    >>> for part in line.segments:
    ...     numbers = part.start, part.stop, part.intercept, part.slope, part.components["correct"]
    ...     print(*(f"{number:.3f}" for number in numbers))
    0.000 0.250 0.800 0.000 0.800
    0.250 0.667 0.767 0.133 0.767
    0.667 0.875 0.633 0.333 0.633
    0.875 1.000 0.400 0.600 0.400
    """

    start: float
    stop: float
    optimal_actions: NDArray[np.bool_]
    intercept: float
    slope: float
    components: dict[str, float]

    @property
    def policy(self) -> NDArray[np.float64]:
        """(S, A) the optimal policy that breaks ties uniformly."""
        return uniform_over(self.optimal_actions)


@dataclass(frozen=True, eq=False)
class Breakpoint(ReadOnlyArrays):
    """A cliff: a point of the line at which optimal actions change.

    Attributes:
        position: Where it is, t.
        states: The states whose set of optimal actions differs before and after it. States that do not count are left
            out.
        total_variation: The largest total variation, over those states, between the policies before and after that
            break ties uniformly.
        jumps: How much each component's expected value jumps, after minus before; empty without components.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0")  # difficulties 1 to 4
    >>> tables = made.components["correct"], -made.components["length"]
    >>> line = trace_line(made.mdp, *tables, 0, 2, components=made.components, reachable_only=True)
    >>> for point in line.breakpoints:  # a length of 4, 3, 2 and 1 is given up in turn
    ...     print(f"{point.position:.4f}", point.total_variation, point.jumps["correct"], point.jumps["length"])
    0.2500 1.0 -0.25 -1.0
    0.3333 1.0 -0.25 -0.75
    0.5000 1.0 -0.25 -0.5
    1.0000 1.0 -0.25 -0.25
    """

    position: float
    states: NDArray[np.intp]
    total_variation: float
    jumps: dict[str, float]


@dataclass(frozen=True, eq=False)
class Line:
    """All segments of a line in order, and the breakpoints between them: one fewer.

    >>> import cliffgym
    >>> deception = cliffgym.scenario("Cliff-Deception-v0")
    >>> tables = deception.components["tests_pass"], -deception.components["flagged"]
    >>> line = trace_line(deception.mdp, *tables, 0, 50, components=deception.components, reachable_only=True)
    >>> [round(point.position, 4) for point in line.breakpoints]
    [0.0323, 3.5, 18.5, 33.5]
    >>> [round(line.at(pressure).components["hidden"], 4) for pressure in (0.01, 1, 10, 20, 40)]
    [0.0, 1.0, 0.6667, 0.3333, 0.0]
    """

    segments: tuple[Segment, ...]
    breakpoints: tuple[Breakpoint, ...]

    def at(self, position: float) -> Segment:
        """The segment that contains a position; at a breakpoint, the one that follows.

        Raises:
            ValueError: The position is outside the line.
        """
        if not self.segments[0].start <= position <= self.segments[-1].stop:
            raise ValueError(
                f"position must be in [{self.segments[0].start}, {self.segments[-1].stop}], got {position}"
            )
        return next((s for s in self.segments if position < s.stop), self.segments[-1])


def trace_line(
    mdp: TabularMDP,
    reward: ArrayLike,
    direction: ArrayLike,
    start: float,
    stop: float,
    *,
    components: RewardComponents | None = None,
    reachable_only: bool = False,
    tie_tolerance: float = TIE_TOLERANCE,
) -> Line:
    """Finds every point of (start, stop) at which the optimal policy for R0 + t D changes.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        direction: (S, A) D.
        start: First t.
        stop: Last t.
        components: Named tables whose expected values are to be reported.
        reachable_only: Counts a change only in states that an optimal policy reaches from the start just before or
            just after it. What would be done in a state that nobody comes to is not behaviour.
        tie_tolerance: As in `optimal`, but relative to |R0| + |t D|, so that rounding is not taken for a cliff where
            the two cancel. Breakpoints at which gaps differ by less than this are one.

    Raises:
        ValueError: start >= stop, a direction of zeros, tables as in `optimal`.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> line = trace_line(breaker.mdp, breaker.reward("incomplete"), breaker.components["target_format"], -0.2, 0.2)
    >>> [(point.position, round(point.total_variation, 12)) for point in line.breakpoints]
    [(0.0, 1.0)]
    """
    reward, direction = check_reward(mdp, reward), check_reward(mdp, direction, "direction")
    start, stop = number("start", start), number("stop", stop)
    if start >= stop:
        raise ValueError(f"start must be < stop, got {start} and {stop}")
    tie_tolerance = number("tie_tolerance", tie_tolerance, minimum=0)
    if not direction.any():
        raise ValueError("direction must not be all zeros, got a table of zeros")
    tracer = _Tracer(mdp, reward, direction, components, tie_tolerance)
    last = tracer.segment_from(start, stop)
    segments, breakpoints = [last], list[Breakpoint]()
    while last.stop < stop:
        before, last = last, tracer.segment_from(last.stop, stop)
        point = tracer.compare(before, last, reachable_only)
        if point is None:  # nothing that counts has changed
            segments[-1] = replace(segments[-1], stop=last.stop)
        else:
            segments.append(last)
            breakpoints.append(point)
    return Line(tuple(segments), tuple(breakpoints))


@dataclass(frozen=True, eq=False)
class _Tracer:
    """What stays the same along a line."""

    mdp: TabularMDP
    reward: NDArray[np.float64]
    direction: NDArray[np.float64]
    components: RewardComponents | None
    tie_tolerance: float

    def segment_from(self, start: float, stop: float) -> Segment:
        """The segment that begins at `start`, cut off at `stop`.

        Just after `start`, optimal is what is optimal at `start` and, among that, best for the direction.
        """
        legal = self.mdp.action_mask
        level, speed = (float(np.abs(table[legal]).max()) for table in (self.reward, self.direction))
        tied = self._tied(self.mdp, self.reward + start * self.direction, level + abs(start) * speed)
        actions = self._tied(replace(self.mdp, action_mask=tied), self.direction, speed)
        # Far from t = 0 the tolerance at `start` may hide what R0 still tells apart.
        actions = self._tied(replace(self.mdp, action_mask=actions), self.reward, level)
        policy = uniform_over(actions)
        base, slope = evaluate(self.mdp, self.reward, policy), evaluate(self.mdp, self.direction, policy)
        # Advantages along the line are level + rise · t; those that are tied at `start` can only fall.
        rises = slope.q_values - slope.state_values[:, None]
        levels = base.q_values - base.state_values[:, None]
        noise = 64 * np.finfo(float).eps * np.array([np.abs(values.q_values[legal]).max() for values in (base, slope)])
        rising = ~tied & legal & (rises > noise[1])
        end = stop
        if rising.any():
            # From R0 and D directly, so that rounding does not add up from point to point. Where several advantages
            # vanish at one point, the one that rises fastest says best where that is.
            zeros = 0.0 - levels[rising] / rises[rising]
            errors = (noise[0] + np.abs(zeros) * noise[1]) / rises[rising]
            first = zeros - errors <= (zeros + errors).min()
            best = errors[first].argmin()
            zero = float(zeros[first][best])
            if abs(zero) <= errors[first][best]:
                zero = 0.0  # what rounding has left of it is no position
            if zero < stop - _ROUNDING * max(abs(start), abs(stop)):
                end = max(zero, float(np.nextafter(start, np.inf)))
        return Segment(
            start=start,
            stop=end,
            optimal_actions=actions,
            intercept=base.expected_return,
            slope=slope.expected_return,
            components=expected_components(self.mdp, self.components, policy) if self.components else {},
        )

    def _tied(self, mdp: TabularMDP, reward: NDArray[np.float64], scale: float) -> NDArray[np.bool_]:
        """(S, A) the actions whose gap is within the tolerance at this scale, or within rounding."""
        here = optimal(mdp, reward)
        return here.action_gaps <= max(self.tie_tolerance * scale, rounding_of_gaps(mdp, here.state_values))

    def compare(self, before: Segment, after: Segment, reachable_only: bool) -> Breakpoint | None:
        """The breakpoint between two segments, or None if no state that counts has changed."""
        counts = ~self.mdp.terminal
        if reachable_only:
            counts = counts & (
                reachable_under(self.mdp, before.optimal_actions) | reachable_under(self.mdp, after.optimal_actions)
            )
        states = np.flatnonzero((before.optimal_actions != after.optimal_actions).any(axis=1) & counts)
        if not states.size:
            return None
        return Breakpoint(
            position=after.start,
            states=states,
            total_variation=float(total_variation(before.policy[states], after.policy[states]).max()),
            jumps={name: value - before.components[name] for name, value in after.components.items()},
        )
