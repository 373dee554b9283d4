"""The streams of random numbers: SplitMix64 as published, keys of their own, and what the numbers stand for."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import cliffgym
from cliffgym import CliffEnv, CliffVectorEnv, End, Scenario, build_scenario
from cliffgym.envs.compiled_batch import _slot, _uniform
from cliffgym.envs.draws import Draws, Starts, cumulative
from cliffgym.envs.streams import FIRST_FACTOR, GOLDEN, SECOND_FACTOR, STREAMS, stream_keys, uniforms

WORD = 1 << 64
SMALLEST, LARGEST = 0.0, 1 - 2.0**-53
KERNELS = ("numpy", "numba")

seeds = st.integers(0, 2**40) | st.integers(0, WORD - 1) | st.integers(0, 2**300)
keys = st.integers(0, WORD - 1)
counters = st.integers(0, 2**40) | st.integers(0, 2**63 - 2)


every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def mix(bits: int) -> int:
    """SplitMix64's output function on Python's integers."""
    bits = (bits ^ (bits >> 30)) * FIRST_FACTOR % WORD
    bits = (bits ^ (bits >> 27)) * SECOND_FACTOR % WORD
    return bits ^ (bits >> 31)


def unmix(bits: int) -> int:
    """What `mix` made the bits of."""
    bits = unshift(bits, 31) * pow(SECOND_FACTOR, -1, WORD) % WORD
    bits = unshift(bits, 27) * pow(FIRST_FACTOR, -1, WORD) % WORD
    return unshift(bits, 30)


def unshift(bits: int, distance: int) -> int:
    """The x of which bits = x ^ (x >> distance)."""
    return bits ^ (bits >> distance) ^ (bits >> 2 * distance)


def number(bits: int) -> float:
    """The number in [0, 1) that 64 random bits stand for."""
    return (bits >> 11) * 2.0**-53


def draw(key: int, counter: int) -> float:
    """The number of a stream after `counter` others, by `uniforms`."""
    return float(uniforms(np.array([key], dtype=np.uint64), np.array([counter]))[0])


def plausible(counts: NDArray[Any], odds: NDArray[Any] | None = None) -> bool:
    """Whether counts may well be of draws with these odds (default: equal ones), by a chi-square test."""
    expected = None if odds is None else odds * counts.sum()
    return 1e-4 < stats.chisquare(counts, expected).pvalue < 1 - 1e-4


# SplitMix64


PUBLISHED = [  # from the state 1234567, by the authors' own program
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def test_the_numbers_are_those_of_splitmix64_as_published() -> None:
    key = np.full(5, 1234567, dtype=np.uint64)
    assert uniforms(key, np.arange(5)).tolist() == [number(bits) for bits in PUBLISHED]
    assert [mix((1234567 + n * GOLDEN) % WORD) for n in range(1, 6)] == PUBLISHED


@given(key=keys, counter=counters)
def test_numbers_are_those_of_exact_arithmetic(key: int, counter: int) -> None:
    expected = number(mix((key + (counter + 1) * GOLDEN) % WORD))
    assert draw(key, counter) == expected
    assert _uniform(np.uint64(key), counter) == expected


@given(bits=keys)
def test_unmixing_undoes_mixing(bits: int) -> None:
    assert mix(unmix(bits)) == bits == unmix(mix(bits))


def test_compiled_numbers_are_numpys() -> None:
    few = stream_keys([0, 1, 2**63, WORD - 1, 7**50]).ravel()
    starts = (0, 2**31 - 500, 2**32 - 500, 2**53 - 500, 2**62)
    for key, first in itertools.product(few, starts):
        steps = np.arange(first, first + 1000)
        assert [_uniform(key, step) for step in steps] == uniforms(np.array(key), steps).tolist()


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_keys_and_counters_go_together_as_arrays_do_and_stay_as_they_are(dtype: type) -> None:
    rows, columns = stream_keys(range(4))[0][:, None], np.arange(6, dtype=dtype)
    before = rows.copy(), columns.copy()
    table = uniforms(rows, columns)
    assert (table.shape, table.dtype) == ((4, 6), np.float64)
    assert table.tolist() == [[draw(int(key), counter) for counter in range(6)] for key in rows[:, 0]]
    assert np.array_equal(rows, before[0])
    assert np.array_equal(columns, before[1])


def test_the_ends_of_the_range_are_drawn_and_not_passed() -> None:
    for bits, expected in ((0, SMALLEST), (2**11 - 1, SMALLEST), (WORD - 1, LARGEST), (WORD - 2**11, LARGEST)):
        key = (unmix(bits) - GOLDEN) % WORD
        assert draw(key, 0) == _uniform(np.uint64(key), 0) == expected < 1


# How random they look. Each test draws the same numbers whenever it is run.


def along_a_stream(stream: int) -> NDArray[np.float64]:
    return uniforms(stream_keys([5])[stream], np.arange(200_000))


def across_seeds(stream: int) -> NDArray[np.float64]:
    return uniforms(stream_keys(range(200_000))[stream], np.zeros(1, dtype=np.int64))


def across_streams(counter: int) -> NDArray[np.float64]:
    return uniforms(stream_keys(range(70_000)).T.ravel(), np.full(1, counter))


def each_from_a_seed_of_its_own_size(counter: int) -> NDArray[np.float64]:
    return uniforms(stream_keys([3**power for power in range(3000)])[0], np.full(1, counter))


every_way = pytest.mark.parametrize(
    "numbers",
    [along_a_stream, across_seeds, across_streams, each_from_a_seed_of_its_own_size],
    ids=lambda way: way.__name__,
)


@every_way
@pytest.mark.parametrize("which", [0, 1, 2])
def test_numbers_are_spread_evenly(numbers: Callable[[int], NDArray[np.float64]], which: int) -> None:
    drawn = numbers(which)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert plausible(np.bincount((drawn * 100).astype(int), minlength=100))
    low_bits = (drawn * 2**53).astype(np.int64) % 64
    assert plausible(np.bincount(low_bits, minlength=64))


@every_way
@pytest.mark.parametrize("which", [0, 1, 2])
def test_neighbours_have_nothing_to_do_with_each_other(
    numbers: Callable[[int], NDArray[np.float64]], which: int
) -> None:
    drawn = numbers(which)
    for lag in (1, 2, 3):
        first, second = drawn[:-lag], drawn[lag:]
        assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(first.size)
    cells = (drawn[: drawn.size // 2 * 2] * 10).astype(int).reshape(-1, 2)  # pairs that do not overlap
    assert plausible(np.bincount(cells[:, 0] * 10 + cells[:, 1], minlength=100))


def test_streams_of_one_seed_have_nothing_to_do_with_each_other() -> None:
    drawn = uniforms(stream_keys([5])[:, 0, None], np.arange(100_000))
    assert np.abs(np.corrcoef(drawn) - np.eye(len(STREAMS))).max() < 4 / np.sqrt(100_000)


# Keys


def test_each_seed_and_stream_has_a_key_of_its_own() -> None:
    table = stream_keys(range(100_000))
    assert (table.shape, table.dtype) == ((len(STREAMS), 100_000), np.uint64)
    assert np.unique(table).size == table.size


def test_large_seeds_have_keys_of_their_own() -> None:
    powers = [1 << shift for shift in (0, 1, 31, 32, 53, 63, 64, 65, 127, 128, 129, 192, 256, 1000)]
    several = {0, WORD - 1, *powers, *(1 + power for power in powers), *(5 * power for power in powers)}
    several |= {a + b for a, b in itertools.combinations(powers, 2)}
    table = stream_keys(list(several))
    assert np.unique(table).size == table.size


@given(several=st.lists(seeds, min_size=2, max_size=5, unique=True))
def test_seeds_that_differ_have_keys_that_differ(several: list[int]) -> None:
    assert np.unique(stream_keys(several)).size == len(STREAMS) * len(several)


@given(several=st.lists(seeds, min_size=1, max_size=5), place=st.integers(0, 4))
def test_a_key_does_not_depend_on_the_seeds_beside_it(several: list[int], place: int) -> None:
    place %= len(several)
    assert np.array_equal(stream_keys(several)[:, place], stream_keys([several[place]])[:, 0])


def test_no_seeds_have_no_keys() -> None:
    assert stream_keys([]).shape == (len(STREAMS), 0)


def test_a_seed_means_the_same_in_every_release() -> None:
    # Published results name their seeds: whoever changes a key changes what its seed gives.
    assert stream_keys([0, 1]).T.tolist() == [
        [0xEA8568D2E45FD6CB, 0xA559650848DC2883, 0x7C1141AB3F530058, 0x4A4EBCE365728B7F],
        [0xDEC1469C8D51E97B, 0x081A5C1377856B73, 0x022190E6F079EF17, 0x03EADEBF1047050F],
    ]


# Cumulative probabilities


@pytest.mark.parametrize(
    ("odds", "expected"),
    [
        ([1.0], [np.inf]),
        ([0.5, 0.5], [0.5, np.inf]),
        ([0.5, 0.5, 0.0], [0.5, np.inf, np.inf]),
        ([0.0, 0.25, 0.0, 0.75, 0.0], [0.0, 0.25, 0.25, np.inf, np.inf]),
        ([0.0, 0.0, 1.0], [0.0, 0.0, np.inf]),
        ([[0.5, 0.5], [1.0, 0.0]], [[0.5, np.inf], [np.inf, np.inf]]),
    ],
)
def test_cumulative_probabilities_end_in_infinity(odds: Any, expected: Any) -> None:
    given = np.array(odds)
    assert cumulative(given).tolist() == expected
    assert given.tolist() == odds  # as it was


weights = st.lists(st.just(0.0) | st.floats(1e-300, 1.0), min_size=1, max_size=12).filter(any)
fractions = st.integers(0, 2**53 - 1).map(lambda count: count * 2.0**-53)


@given(weights=weights, fraction=fractions | st.just(SMALLEST) | st.just(LARGEST))
def test_every_number_stands_for_something_possible(weights: list[float], fraction: float) -> None:
    odds = np.array(weights) / np.sum(weights)
    slot = int((cumulative(odds) <= fraction).sum())
    assert odds[slot] > 0
    assert _slot(cumulative(odds)[None], 0, fraction) == slot
    sums = odds.cumsum()
    assert slot == 0 or sums[slot - 1] <= fraction
    assert sums[slot] > fraction or not odds[slot + 1 :].any()


# First states


def only(count: int, place: int) -> NDArray[np.float64]:
    return np.eye(count)[place]


def drawn_odds(count: int, zeros: float = 0.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(count)
    odds = rng.dirichlet(np.ones(count)) * (rng.random(count) >= zeros)
    return odds / odds.sum()


def in_parts(*parts: int) -> NDArray[np.float64]:
    """Odds in 4096ths, which is where the guide's parts end."""
    return np.array(parts) / 4096


ODDS = {
    "one": only(1, 0),
    "one of three": only(3, 1),
    "two": np.array([0.5, 0.5]),
    "thirds": np.full(3, 1 / 3),
    "four of forty": np.concatenate([np.full(4, 0.25), np.zeros(36)]),
    "tenths, which sum to less than 1": np.full(10, 0.1),
    "ten, and one that is impossible": np.append(np.full(10, 0.1), 0.0),
    "zeros on both sides": np.array([0.0, 0.0, 0.3, 0.0, 0.7, 0.0]),
    "thousand alike": np.full(1000, 1e-3),
    "thousand": drawn_odds(1000),
    "thousand, half of them impossible": drawn_odds(1000, zeros=0.5),
    "more than the guide has parts": drawn_odds(10_000),
    "as many as the guide has parts": in_parts(*[1] * 4096),
    "on the guide's boundaries": in_parts(1, 95, 0, 1000, 2000, 1000),
    "beside the guide's boundaries": np.nextafter(in_parts(1, 95, 0, 1000, 2000, 1000), 0),
    "on some boundaries": np.array([0.25, 0.5, 0.1, 0.15]),
    "very unlike": np.array([1e-300, 1e-17, 1e-9, 1.0]),
    "very unlike, at the end": np.array([1.0 - 1e-9, 1e-9, 1e-17, 1e-300]),
}
every_odds = pytest.mark.parametrize("odds", ODDS.values(), ids=ODDS)


def first_states(odds: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each number the first state whose cumulative probability is above it, or else the last that is possible."""
    possible = np.flatnonzero(odds)
    places = odds[possible].cumsum().searchsorted(numbers, side="right")
    return possible[np.minimum(places, possible.size - 1)]


def telling_numbers(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers at, right below and right above each cumulative probability and each end of a part, and many others."""
    ends = np.concatenate([odds.cumsum(), np.arange(4096) / 4096])
    numbers = np.concatenate([ends, ends - 2.0**-53, ends + 2.0**-53, np.random.default_rng(0).random(5000)])
    whole = np.floor(numbers * 2**53) * 2.0**-53  # the multiples of 2^-53, which is what streams give
    return np.concatenate([whole[(whole >= 0) & (whole < 1)], [SMALLEST, LARGEST]])


@every_odds
def test_numbers_stand_for_first_states_as_a_search_finds_them(odds: NDArray[np.float64]) -> None:
    starts, numbers = Starts(odds), telling_numbers(odds)
    expected = first_states(odds, numbers)
    assert np.array_equal(starts.at(numbers), expected)
    assert (odds[expected] > 0).all()
    for size in (1, 5, 63, 64, 65):
        for first in range(0, min(numbers.size, 1500) - size, size):
            part = slice(first, first + size)
            assert np.array_equal(starts.at(numbers[part]), expected[part])
    for shape in ((2, 3), (8, 100)):
        assert np.array_equal(
            starts.at(numbers[: np.prod(shape)].reshape(shape)), expected[: np.prod(shape)].reshape(shape)
        )


@given(weights=weights, drawn=st.lists(fractions, min_size=1, max_size=5), copies=st.sampled_from([1, 80]))
def test_any_odds_stand_for_first_states_as_a_search_finds_them(
    weights: list[float], drawn: list[float], copies: int
) -> None:
    odds = np.array(weights) / np.sum(weights)
    numbers = np.array(drawn * copies)
    assert np.array_equal(Starts(odds).at(numbers), first_states(odds, numbers))


@every_odds
def test_the_guide_is_never_too_high(odds: NDArray[np.float64]) -> None:
    # The compiled kernel searches upwards from it.
    starts, numbers = Starts(odds), telling_numbers(odds)
    places = starts.guide[(numbers * starts.guide.size).astype(int)]
    assert (starts.states[places] <= first_states(odds, numbers)).all()


@pytest.mark.parametrize("name", ["thirds", "zeros on both sides", "thousand", "on some boundaries"])
def test_first_states_come_with_their_probabilities(name: str) -> None:
    odds = ODDS[name]
    drawn = Starts(odds).at(across_seeds(0))
    counts = np.bincount(drawn, minlength=odds.size)
    assert not counts[odds == 0].any()
    assert plausible(counts[odds > 0], odds[odds > 0])


# One environment's draws


def test_blocks_are_the_stream_from_its_beginning_without_gaps() -> None:
    mdp = cliffgym.scenario("Cliff-Garnet-v0", states=30, branching=4).mdp
    draws, key = Draws(mdp), stream_keys([9])[:, 0]
    draws.take_key(np.random.default_rng(0), 9)
    states, count = [], 10_000
    while len(states) < count:
        states += draws.starts()[::-1]
    assert states == Starts(mdp.initial).at(uniforms(key[0], np.arange(len(states)))).tolist()
    table, numbers = cumulative(mdp.probabilities), uniforms(key[1], np.arange(count))
    rng = np.random.default_rng(0)
    for fraction, state, action in zip(numbers, rng.integers(29, size=count), rng.integers(4, size=count), strict=True):
        assert draws.slot(state, action) == (table[state, action] <= fraction).sum()


def test_starts_of_several_prompts_follow_the_stream_too() -> None:
    mdp = cliffgym.scenario("Cliff-Sophistry-v0").mdp
    draws = Draws(mdp)
    draws.take_key(np.random.default_rng(0), 3)
    drawn = [draws.starts()[::-1] for _ in range(4)]
    numbers = uniforms(stream_keys([3])[0], np.arange(sum(map(len, drawn))))
    assert list(itertools.chain(*drawn)) == Starts(mdp.initial).at(numbers).tolist()


def test_a_generator_without_a_seed_gives_the_key() -> None:
    mdp = cliffgym.scenario("Cliff-Slacker-v0").mdp
    draws = [Draws(mdp) for _ in range(3)]
    for one, seed, said in zip(draws, (4, 4, 5), (None, -1, None), strict=True):
        one.take_key(np.random.default_rng(seed), said)
    first, same, other = ([*one.starts(), *one.starts()] for one in draws)
    assert first == same != other


# What the environments make of them


def lottery(prompt_odds: list[float], odds: list[float]) -> Scenario:
    """Five prompts; whatever is emitted, the trace ends with one of six faces, drawn with the odds."""
    game = build_scenario(
        id="Lottery-v0",
        prompts=[f"Throw number {i}." for i in range(5)],
        tokens=[f"face_{i}" for i in range(1, 7)],
        rule=lambda prompt, tokens: End(f"threw {tokens[0]}", {"six": float(tokens[0] == "face_6")}),
        components=["six"],
        rewards={"incomplete": {}, "true": {"six": 1.0}},
        gamma=1.0,
        prompt_probabilities=prompt_odds,
    )
    S, A, B = game.mdp.num_states, game.mdp.num_actions, len(odds)
    going_on = ~game.mdp.terminal
    successors = np.broadcast_to(np.arange(S)[:, None, None], (S, A, B)).copy()
    successors[going_on] = game.mdp.successors[going_on, :B, 0][:, None, :]
    chances = np.broadcast_to(odds, (S, A, B))
    return dataclasses.replace(game, mdp=dataclasses.replace(game.mdp, successors=successors, probabilities=chances))


def seed_that_draws(fraction: float, stream: str) -> int:
    """A seed whose first number from a stream is the given multiple of 2^-53."""
    key = unmix(int(fraction * 2**53) << 11) - GOLDEN
    return (unmix((unmix(key % WORD) - (1 + STREAMS.index(stream))) % WORD) - GOLDEN) % WORD


@pytest.mark.parametrize("stream", STREAMS)
@given(fraction=fractions | st.just(SMALLEST) | st.just(LARGEST))
def test_a_seed_can_be_found_for_every_first_number(stream: str, fraction: float) -> None:
    key = stream_keys([seed_that_draws(fraction, stream)])[STREAMS.index(stream), 0]
    assert draw(int(key), 0) == fraction


@pytest.mark.parametrize("odds", [[0.0, 0.25, 0.0, 0.75, 0.0, 0.0], [0.1, 0.1, 0.2, 0.3, 0.2, 0.1], [0.0, 1.0, 0.0]])
@pytest.mark.parametrize("prompts", [[0.0, 0.3, 0.0, 0.7, 0.0], [0.1, 0.2, 0.3, 0.1, 0.3], [0.0, 0.0, 1.0, 0.0, 0.0]])
def test_extreme_draws_lead_to_what_is_possible(prompts: list[float], odds: list[float]) -> None:
    made = lottery(prompts, odds)
    start = [seed_that_draws(fraction, "start") for fraction in (SMALLEST, LARGEST)]
    move = [seed_that_draws(fraction, "move") for fraction in (SMALLEST, LARGEST)]
    env = CliffEnv(made)
    starts = [[env.reset(seed=seed)[0] for seed in start]]
    ends = [[(env.reset(seed=seed, options={"prompt": 0}), env.step(0)[0])[1] for seed in move]]
    for kernel in KERNELS:
        for spare in (0, 70, 2100):  # few are drawn one way, many another
            envs = CliffVectorEnv(made, 2 + spare, kernel=kernel)
            starts.append(envs.reset(seed=start + [0] * spare)[0][:2].tolist())
            envs.reset(seed=move + [0] * spare, options={"prompt": 0})
            ends.append(envs.step(np.zeros(2 + spare, dtype=int))[0][:2].tolist())
    assert starts == [np.flatnonzero(prompts)[[0, -1]].tolist()] * 7
    assert ends == [made.mdp.successors[0, 0][np.array(odds) > 0][[0, -1]].tolist()] * 7


@pytest.mark.parametrize("bound", [0.25, np.floor(0.3 * 2**53) / 2**53, np.floor(2**53 / 7) / 2**53])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_draw_that_meets_a_cumulative_probability_belongs_to_what_comes_after(bound: float, step: int) -> None:
    made = lottery([0.0, bound, 0.0, 1 - bound, 0.0], [bound, 0.0, 1 - bound])
    fraction = bound + step * 2.0**-53
    start, move = seed_that_draws(fraction, "start"), seed_that_draws(fraction, "move")
    prompt, end = (1, made.mdp.successors[0, 0, 0]) if step < 0 else (3, made.mdp.successors[0, 0, 2])
    env = CliffEnv(made)
    assert env.reset(seed=start)[0] == prompt
    env.reset(seed=move, options={"prompt": 0})
    assert env.step(0)[0] == end
    for kernel, spare in itertools.product(KERNELS, (0, 70, 2100)):
        envs = CliffVectorEnv(made, 1 + spare, kernel=kernel)
        assert envs.reset(seed=[start] + [0] * spare)[0][0] == prompt
        envs.reset(seed=[move] + [0] * spare, options={"prompt": 0})
        assert envs.step(np.zeros(1 + spare, dtype=int))[0][0] == end


@every_kernel
def test_first_states_are_those_of_the_stream_over_a_hundred_thousand_traces(kernel: str) -> None:
    made, steps = cliffgym.scenario("Cliff-LengthControl-v0"), 100_500
    envs = CliffVectorEnv(made, 3, kernel=kernel, oracle=False)
    first, _ = envs.reset(seed=8)
    traces = envs.rollout(np.tile([0.0, 1.0], (made.mdp.num_states, 1)), steps)  # answers at once: each step is a trace
    assert traces.terminations.all()
    numbers = uniforms(stream_keys(range(8, 11))[0], np.arange(steps)[:, None])
    assert np.array_equal(traces.states, first_states(made.mdp.initial, numbers))
    assert np.array_equal(traces.states[0], first)


@pytest.mark.parametrize("count", [3, 700, 3000])
@pytest.mark.parametrize("prompts", [[0.0, 0.25, 0.0, 0.75, 0.0], [0.1, 0.3, 0.2, 0.1, 0.3], [0.2] * 5], ids=str)
@every_kernel
def test_prompts_and_successors_come_with_their_probabilities(kernel: str, prompts: list[float], count: int) -> None:
    odds = [0.0, 0.6, 0.1, 0.0, 0.3, 0.0]
    made = lottery(prompts, odds)
    envs = CliffVectorEnv(made, count, kernel=kernel, autoreset_mode="same_step")
    start, pairs = envs.reset(seed=4)[0], []
    for _ in range(20_000 // count):
        following, _, ended, _, infos = envs.step(np.zeros(count, dtype=int))
        assert ended.all()
        ends = infos["final_obs"].astype(int)
        assert np.array_equal(made.state_prompts[ends], start)
        pairs.append(start * 6 + made.state_tokens[ends, 0])
        start = following
    counts = np.bincount(np.concatenate(pairs), minlength=30).reshape(5, 6)
    for seen, expected in (
        (counts.sum(axis=1), prompts),
        (counts.sum(axis=0), odds),
        (counts, np.outer(prompts, odds)),
    ):
        possible = np.array(expected) > 0
        assert not seen[~possible].any()
        assert plausible(seen[possible], np.array(expected)[possible])


@every_kernel
def test_successors_of_every_pair_come_with_their_probabilities(kernel: str) -> None:
    mdp, count = (made := cliffgym.scenario("Cliff-Garnet-v0", states=12, branching=3)).mdp, 500
    S, A = mdp.num_states, mdp.num_actions
    envs, rng = CliffVectorEnv(made, count, kernel=kernel), np.random.default_rng(0)
    counts, waiting = np.zeros((S, A, S), dtype=int), np.zeros(count, dtype=bool)
    states, _ = envs.reset(seed=4)
    for _ in range(200):
        actions = rng.integers(A, size=count)
        following, _, ended, _, _ = envs.step(actions)
        np.add.at(counts, (states[~waiting], actions[~waiting], following[~waiting]), 1)
        states, waiting = following, ended
    odds = np.zeros((S, A, S))
    np.add.at(odds, (*np.indices(mdp.successors.shape)[:2], mdp.successors), mdp.probabilities)
    assert not counts[odds == 0].any()
    often = [pair for pair in np.ndindex(S, A) if (counts[pair].sum() * odds[pair][odds[pair] > 0]).min() > 5]
    assert len(often) > S * A / 2
    assert all(plausible(counts[pair][odds[pair] > 0], odds[pair][odds[pair] > 0]) for pair in often if pair[0] < S - 1)
