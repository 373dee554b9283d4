"""Coefficients that change while training goes on."""

from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback

from cliffgym.checks import number

Schedule = Callable[[float], float]
"""From the share of training that remains (1 at the start, 0 at the end) to a coefficient, as SB3's schedules."""


def parse_schedule(name: str, value: float | str | Schedule) -> float | Schedule:
    """A constant, or a schedule.

    Args:
        name: What to call the value in messages.
        value: A number >= 0; a function of the share of training that remains; or `"lin_0.1"`, RL Baselines3 Zoo's
            form for a line from 0.1 to 0.

    Raises:
        ValueError: A text of another form, or a negative number.
        TypeError: Something else.

    >>> parse_schedule("ent_coef", "lin_0.1")(0.5)
    0.05
    """
    if callable(value):
        return value
    if isinstance(value, str):
        return _Line(name, value)
    return number(name, value, minimum=0)


class _Line:
    """From an initial value to 0 as training goes on; a class, because a lambda could not be pickled."""

    def __init__(self, name: str, text: str) -> None:
        kind, _, start = text.partition("_")
        try:
            self.initial = number(name, float(start), minimum=0) if kind == "lin" else None
        except ValueError:
            self.initial = None
        if self.initial is None:
            raise ValueError(f'{name} must be a number, a function, or a text like "lin_0.1", got {text!r}')

    def __call__(self, remaining: float) -> float:
        return remaining * (self.initial or 0.0)


class EntropySchedule(BaseCallback):
    """Sets the model's `ent_coef` from a schedule before each rollout, and logs it."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule

    def _on_rollout_start(self) -> None:
        coefficient = float(self.schedule(self.model._current_progress_remaining))
        self.model.ent_coef = coefficient  # type: ignore[attr-defined]  # on-policy algorithms have it
        self.logger.record("train/ent_coef", coefficient)

    def _on_step(self) -> bool:
        return True
