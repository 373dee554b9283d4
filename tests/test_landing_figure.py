"""The histogram of optima that were landed on."""

import pytest

from cliffgym.plots import landing_figure, save_figure


def test_bars_are_as_high_as_the_counts(tmp_path: object) -> None:
    figure = landing_figure({"PPO": [3, 1], "GRPO": [0, 4]}, ["plain", "json"], ylabel="agents", title="ties")
    first, second = figure.axes
    assert [[bar.get_height() for bar in axes.patches] for axes in (first, second)] == [[3, 1], [0, 4]]  # type: ignore[attr-defined]
    assert [label.get_text() for label in second.get_xticklabels()] == ["plain", "json"]
    assert (first.get_title(), second.get_title(), first.get_ylabel()) == ("PPO", "GRPO", "agents")
    assert first.get_ylim() == second.get_ylim()
    assert [path.suffix for path in save_figure(figure, f"{tmp_path}/landing")] == [".png", ".svg"]


@pytest.mark.parametrize("counts", [{}, {str(i): [1, 2] for i in range(5)}, {"PPO": [1, 2, 3]}, {"PPO": 1}])
def test_what_cannot_be_drawn_is_refused(counts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="counts must have"):
        landing_figure(counts, ["plain", "json"])  # type: ignore[arg-type]
