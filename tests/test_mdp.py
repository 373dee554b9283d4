"""TabularMDP: what it holds, what it derives from that, and how it is copied, saved and read back."""

import copy
import dataclasses
import pickle
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliffgym import TabularMDP, files, scenario
from cliffgym.testing import CYCLES, dense_kernel, deterministic_policies, random_mdp

ARRAYS = ("successors", "probabilities", "initial", "terminal", "action_mask")
seeds = st.integers(0, 2**32 - 1)


def mdps(*kinds: str, max_states: int = 8) -> st.SearchStrategy[TabularMDP]:
    return st.one_of(
        [
            st.builds(
                random_mdp,
                seeds,
                num_states=st.sampled_from(range(max_states, 2, -1)),
                num_actions=st.sampled_from([2, 3, 1]),
                branching=st.sampled_from([2, 3] if kind == "ending" else [2, 1, 3]),
                cycles=st.just(kind),
                gamma=st.sampled_from([0.9, 0.0, 0.5] + ([] if kind == "free" else [1.0])),
                num_terminal=st.sampled_from([1, 2]),
            )
            for kind in kinds or CYCLES
        ]
    )


def chain(gamma: float = 1.0, **changes: Any) -> TabularMDP:
    """Three states in a row, the last one terminal; "back" returns to the first, which it may leave as well."""
    arguments: dict[str, Any] = {
        "successors": [[[1, 0], [0, 2]], [[2, 0], [0, 2]], [[2, 0], [2, 0]]],
        "probabilities": [[[1, 0], [0.5, 0.5]], [[1, 0], [0.5, 0.5]], [[1, 0], [1, 0]]],
        "initial": [1, 0, 0],
        "terminal": [False, False, True],
        "gamma": gamma,
        "state_names": ("first", "second", "end"),
        "action_names": ("on", "back"),
    }
    return TabularMDP(**arguments | changes)


def assert_same(one: TabularMDP, other: TabularMDP) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == getattr(other, name).dtype
    for name in ("gamma", "state_names", "action_names"):
        assert getattr(one, name) == getattr(other, name)


def is_same(one: TabularMDP, other: TabularMDP) -> bool:
    try:
        assert_same(one, other)
    except AssertionError:
        return False
    return True


# What it holds


def test_sizes_and_descriptions() -> None:
    mdp = chain()
    assert (mdp.num_states, mdp.num_actions) == (3, 2)
    assert mdp.describe_state(1) == 'state 1 ("second")'
    assert mdp.describe_action(1) == 'action "back"'
    unnamed = chain(state_names=None, action_names=None)
    assert (unnamed.describe_state(1), unnamed.describe_action(1)) == ("state 1", "action 1")
    assert repr(mdp) == "TabularMDP(3 states, 2 actions, 2 successors, gamma=1)"


def test_arrays_are_private_copies() -> None:
    given_arrays = {
        "successors": np.zeros((2, 1, 1), dtype=np.int64) + 1,
        "probabilities": np.ones((2, 1, 1)),
        "initial": np.array([1.0, 0.0]),
        "terminal": np.array([False, True]),
        "action_mask": np.ones((2, 1), dtype=bool),
    }
    mdp = TabularMDP(**given_arrays, gamma=1.0)
    for array in given_arrays.values():
        array[...] = 0
    assert mdp.successors.ravel().tolist() == [1, 1]
    assert mdp.probabilities.ravel().tolist() == [1, 1]
    assert mdp.initial.tolist() == [1, 0]
    assert mdp.terminal.tolist() == [False, True]
    assert mdp.action_mask.ravel().tolist() == [True, True]


@pytest.mark.parametrize("name", [*ARRAYS, "heights", "reachable"])
@pytest.mark.parametrize(
    "make", [lambda mdp: mdp, copy.copy, copy.deepcopy, lambda mdp: pickle.loads(pickle.dumps(mdp))]
)
def test_arrays_stay_read_only_through_every_copy(name: str, make: Any) -> None:
    array = getattr(make(chain()), name)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = array[0]


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        chain().gamma = 0.5  # type: ignore[misc]


@given(mdps())
def test_copies_are_equal(mdp: TabularMDP) -> None:
    for made in (copy.copy(mdp), copy.deepcopy(mdp), pickle.loads(pickle.dumps(mdp)), dataclasses.replace(mdp)):
        assert_same(made, mdp)


@given(mdps())
def test_from_dense_keeps_the_kernel(mdp: TabularMDP) -> None:
    kernel = dense_kernel(mdp)
    back = TabularMDP.from_dense(kernel, mdp.initial, mdp.terminal, mdp.gamma, action_mask=mdp.action_mask)
    np.testing.assert_array_equal(dense_kernel(back), kernel)
    np.testing.assert_array_equal(back.action_mask, mdp.action_mask)
    assert back.successors.shape[2] == (kernel > 0).sum(axis=2).max()


def test_everything_is_legal_by_default_and_always_at_the_end() -> None:
    assert chain().action_mask.all()
    masked = chain(action_mask=[[True, False], [False, True], [False, False]])
    assert masked.action_mask.tolist() == [[True, False], [False, True], [True, True]]


def test_zeros_and_ones_are_truth_values() -> None:
    mdp = chain(terminal=[0, 0, 1], action_mask=[[1, 0], [1, 1], [0, 0]])
    assert mdp.terminal.tolist() == [False, False, True]
    assert mdp.terminal.dtype == mdp.action_mask.dtype == np.bool_


# What follows from its graph


@given(mdps())
def test_heights_are_the_longest_paths(mdp: TabularMDP) -> None:
    follows: Any = (dense_kernel(mdp) > 0).any(axis=1)

    @cache
    def longest(state: int, limit: int) -> float:
        """Steps of the longest walk from a state to the end; more than `limit` mean a cycle."""
        if mdp.terminal[state]:
            return 0
        if limit == 0:
            return np.inf
        return 1 + max(longest(int(after), limit - 1) for after in np.flatnonzero(follows[state]))

    expected = [longest(state, mdp.num_states) for state in range(mdp.num_states)]
    assert mdp.heights.tolist() == [-1 if height == np.inf else height for height in expected]
    assert mdp.is_acyclic == (np.inf not in expected)


@given(mdps("none"))
def test_levels_are_the_non_terminal_states_by_height(mdp: TabularMDP) -> None:
    levels = mdp.levels
    assert len(levels) == mdp.heights.max()
    for height, states in enumerate(levels, start=1):
        assert states.tolist() == np.flatnonzero(mdp.heights == height).tolist()


def test_levels_of_a_cycle_are_refused_with_a_state_named() -> None:
    with pytest.raises(ValueError, match=r'levels need an acyclic MDP, got a cycle at state 0 \("first"\)'):
        _ = chain(gamma=0.5).levels


def test_an_mdp_that_ends_at_once_has_no_levels() -> None:
    ended = TabularMDP.from_dense([[[1]]], [1], [True], 1.0)
    assert ended.levels == ()
    assert ended.is_acyclic
    assert ended.effective_horizon == 0


@given(mdps())
def test_effective_horizon_is_the_sum_of_discounts_over_the_longest_trace(mdp: TabularMDP) -> None:
    if mdp.is_acyclic:
        expected = sum(mdp.gamma**t for t in range(mdp.heights.max()))
        assert mdp.effective_horizon == pytest.approx(expected, rel=1e-14)
    elif mdp.gamma < 1:
        assert mdp.effective_horizon == 1 / (1 - mdp.gamma)
    else:
        with pytest.raises(ValueError, match=r"effective_horizon needs gamma < 1 .* got 1.0; .* from state \d"):
            _ = mdp.effective_horizon


@given(mdps())
def test_reachable_states_are_those_some_walk_visits(mdp: TabularMDP) -> None:
    step = np.eye(mdp.num_states) + dense_kernel(mdp).sum(axis=1)
    expected = mdp.initial @ np.linalg.matrix_power(step, mdp.num_states) > 0
    np.testing.assert_array_equal(mdp.reachable, expected)


def test_illegal_actions_can_reach_states_too() -> None:
    mdp = TabularMDP([[[1], [2]], [[1], [1]], [[2], [2]]], np.ones((3, 2, 1)), [1, 0, 0], [0, 1, 1], 1.0, [[1, 0]] * 3)  # type: ignore[arg-type]
    assert mdp.reachable.tolist() == [True, True, True]


# gamma = 1


def may_never_end(mdp: TabularMDP) -> set[int]:
    """States from which some deterministic policy, illegal actions included, never meets a terminal state."""
    lawless = dataclasses.replace(mdp, action_mask=np.ones(mdp.action_mask.shape, bool), gamma=0.5)
    kernel, endless = dense_kernel(mdp), set()
    for policy in deterministic_policies(lawless):
        step = np.eye(mdp.num_states) + np.einsum("sa,sat->st", policy, kernel)
        ends = np.linalg.matrix_power(step, mdp.num_states)[:, mdp.terminal].sum(axis=1) > 0
        endless |= set(np.flatnonzero(~ends).tolist())
    return endless


@given(mdps("none", "ending", "free", max_states=5))
def test_no_discount_is_accepted_exactly_where_every_policy_ends(mdp: TabularMDP) -> None:
    endless = may_never_end(mdp)
    if not endless:
        assert dataclasses.replace(mdp, gamma=1.0).gamma == 1
        return
    with pytest.raises(ValueError, match=r"gamma must be < 1 .* such a cycle passes state \d") as error:
        dataclasses.replace(mdp, gamma=1.0)
    named = str(error.value).split("such a cycle passes ")[1].removeprefix("state ").split(", state ")
    assert {int(state) for state in named} <= endless


def test_a_deterministic_cycle_without_discount_is_refused_and_named() -> None:
    message = r'gamma must be < 1 in an MDP with a cycle .*, got 1.0; such a cycle passes state 0 \("first"\)'
    probabilities = [[[1, 0], [1, 0]], [[1, 0], [0.5, 0.5]], [[1, 0], [1, 0]]]
    with pytest.raises(ValueError, match=message):
        chain(successors=[[[1, 0], [0, 2]], [[2, 0], [0, 2]], [[2, 0], [2, 0]]], probabilities=probabilities)


def test_a_cycle_that_may_be_left_each_time_needs_no_discount() -> None:
    mdp = chain(gamma=1.0)
    assert not mdp.is_acyclic
    assert mdp.heights.tolist() == [-1, -1, 0]


def test_an_endless_illegal_action_is_refused_without_discount() -> None:
    with pytest.raises(ValueError, match="gamma must be < 1"):
        TabularMDP([[[1], [0]], [[1], [1]]], np.ones((2, 2, 1)), [1, 0], [False, True], 1.0, [[True, False]] * 2)  # type: ignore[arg-type]


# Files


@given(mdps())
def test_a_saved_mdp_is_read_back(tmp_path_factory: pytest.TempPathFactory, mdp: TabularMDP) -> None:
    path = tmp_path_factory.mktemp("mdp") / "saved.npz"
    mdp.save(path)
    assert_same(TabularMDP.load(path), mdp)


@pytest.mark.parametrize(
    "mdp",
    [scenario("Cliff-Slacker-v0").mdp, chain(), chain(state_names=("", "ü · 漢", "end")), chain(action_names=None)],
    ids=["slacker", "chain", "odd names", "no action names"],
)
def test_names_are_read_back(tmp_path: Path, mdp: TabularMDP) -> None:
    mdp.save(tmp_path / "saved.npz")
    assert_same(TabularMDP.load(str(tmp_path / "saved.npz")), mdp)


def test_saving_makes_missing_folders_and_leaves_no_scraps(tmp_path: Path) -> None:
    chain().save(tmp_path / "new" / "folder" / "saved.npz")
    chain(gamma=0.5).save(tmp_path / "new" / "folder" / "saved.npz")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["saved.npz"]
    assert TabularMDP.load(tmp_path / "new" / "folder" / "saved.npz").gamma == 0.5


@pytest.mark.parametrize("interruption", [OSError, KeyboardInterrupt, MemoryError])
def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    path = tmp_path / "saved.npz"
    chain().save(path)
    before = path.read_bytes()

    def half_written(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise interruption

    monkeypatch.setattr(np, "savez_compressed", half_written)
    with pytest.raises(interruption):
        chain(gamma=0.5).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["saved.npz"]


def test_an_interrupted_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "saved.npz"
    chain().save(path)

    def refuse(*_: Any) -> None:
        raise PermissionError("no")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", refuse)
        with pytest.raises(PermissionError):
            chain(gamma=0.5).save(path)
    assert TabularMDP.load(path).gamma == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["saved.npz"]


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        TabularMDP.load(tmp_path / "nothing.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY", bytes(1000), pickle.dumps([1, 2])])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"path must be an \.npz file that TabularMDP\.save wrote, got .*other\.npz"):
        TabularMDP.load(path)


def test_a_lone_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"TabularMDP\.save wrote"):
        TabularMDP.load(tmp_path / "array.npy")


def saved_arrays(path: Path) -> dict[str, Any]:
    chain().save(path)
    with np.load(path) as archive:
        return dict(archive)


@pytest.mark.parametrize("missing", [*ARRAYS, "gamma", "state_names", "action_names", "format"])
def test_a_file_that_lacks_an_array_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "saved.npz"
    arrays = saved_arrays(path)
    del arrays[missing]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r'path must be a file of format "cliffgym\.TabularMDP/1"'):
        TabularMDP.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array("cliffgym.TabularMDP/2")}, 'got format "cliffgym.TabularMDP/2"'),
        ({"surplus": np.zeros(1)}, 'with .*"surplus"'),
        ({"gamma": np.zeros(2)}, "path must hold a valid MDP"),
        ({"gamma": np.array(2.0)}, r"gamma must be in \[0, 1\], got 2.0"),
        ({"gamma": np.array("x")}, "path must hold a valid MDP"),
        ({"successors": np.zeros((3, 2, 2))}, "successors must be integers"),
        ({"successors": np.full((3, 2, 2), 7)}, "successors must be states 0..2, got 7"),
        ({"probabilities": np.full((3, 2, 2), 0.4)}, "must sum to 1, got 0.8"),
        ({"terminal": np.array([0, 1, 2])}, "terminal must be booleans"),
        ({"state_names": np.array(["one"])}, "state_names must have 3 entries, got 1"),
    ],
)
def test_a_file_with_an_invalid_mdp_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "saved.npz"
    np.savez(path, **saved_arrays(path) | changes)
    with pytest.raises(ValueError, match=message):
        TabularMDP.load(path)


class Trap:
    """Unpickling it would leave a trace."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("name", [*ARRAYS, "state_names", "format", "surplus"])
def test_pickled_objects_in_a_file_are_never_executed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "saved.npz"
    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    arrays: dict[str, Any] = saved_arrays(path) | {name: trap}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="path must be"):
        TabularMDP.load(path)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("original") / "saved.npz"
    chain().save(path)
    assert zipfile.is_zipfile(path)
    return path.read_bytes()


def assert_refused_or_same(path: Path, content: bytes, what: str) -> None:
    path.write_bytes(content)
    try:
        loaded = TabularMDP.load(path)
    except ValueError:
        return
    assert is_same(loaded, chain()), f"{what} gave another MDP"


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, original: bytes) -> None:
    for length in range(len(original)):
        (tmp_path / "cut.npz").write_bytes(original[:length])
        with pytest.raises(ValueError, match="path must be"):
            TabularMDP.load(tmp_path / "cut.npz")


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_one_damaged_byte_is_noticed_or_harmless(tmp_path: Path, original: bytes, mask: int) -> None:
    for place in range(len(original)):
        damaged = bytearray(original)
        damaged[place] ^= mask
        assert_refused_or_same(tmp_path / "damaged.npz", bytes(damaged), f"byte {place} ^ {mask:#x}")


def test_many_damaged_bytes_are_noticed_or_harmless(tmp_path: Path, original: bytes) -> None:
    rng = np.random.default_rng(0)
    for trial in range(500):
        damaged = bytearray(original)
        for place in rng.integers(len(original), size=rng.integers(2, 20)):
            damaged[place] = rng.integers(256)
        assert_refused_or_same(tmp_path / "damaged.npz", bytes(damaged), f"trial {trial}")
