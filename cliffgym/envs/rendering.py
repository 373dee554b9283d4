"""A trace as people read it: a transcript, and a picture of it.

Both tell the prompt, the tokens one by one, and at the end the outcome with what it was paid and what it was worth;
without oracle, only what it was paid.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cliffgym.trace_scenario import Scenario

if TYPE_CHECKING:
    from PIL import ImageDraw

Frame = NDArray[np.uint8]

FRAME_SIZE = (720, 400)
"""Width and height of a frame in pixels: even numbers, as video codecs want them."""

_PROMPT_LINES = 4
_INK, _FAINT, _PAPER, _LINE = "#1b1f24", "#57606a", "#ffffff", "#d0d7de"
# Okabe and Ito's palette: told apart by colour-blind people, and by their brightness in grey.
_LEGAL, _WRONG = "#56b4e9", "#d55e00"


class Step(NamedTuple):
    """One token of a trace: where it was emitted, which, and what it earned under three rewards."""

    state: int
    action: int
    reward: float
    true: float
    incomplete: float


@dataclass
class Trace:
    """A trace from its first state to the one it has reached, as the agent sees them, and how it ended if it has."""

    state: int
    steps: list[Step] = field(default_factory=list)
    outcome: str = ""

    @property
    def start(self) -> int:
        """The state it began in."""
        return self.steps[0].state if self.steps else self.state


def transcript_lines(scenario: Scenario, trace: Trace, reward_name: str, oracle: bool) -> list[str]:
    """The prompt, a line for each token, and if the trace has ended its outcome (unless hidden) and its pay."""
    prompt = scenario.state_prompts[trace.start]
    lines = [f"> {scenario.prompts[prompt]}"]
    for step in trace.steps:
        allowed = scenario.mdp.action_mask[step.state, step.action]
        lines.append(f"  {scenario.token_text(step.action)}" + ("" if allowed else "  (not allowed here)"))
    if scenario.mdp.terminal[trace.state]:
        if oracle:
            lines.append(f"= {trace.outcome}")
        lines.append("  " + ", ".join(f"{name} {value:g}" for name, value in _pay(trace, reward_name, oracle)))
    return lines


def _pay(trace: Trace, reward_name: str, oracle: bool) -> list[tuple[str, float]]:
    """Sums of the trace's pay as (label, value): what was paid, and unless hidden both named rewards."""
    pay = [(f"paid ({reward_name})", sum(step.reward for step in trace.steps))]
    if oracle:
        pay.append(("incomplete reward", sum(step.incomplete for step in trace.steps)))
        pay.append(("true reward", sum(step.true for step in trace.steps)))
    return pay


def draw_frame(scenario: Scenario, trace: Trace, reward_name: str, oracle: bool) -> Frame:
    """Draws a trace as a picture of `FRAME_SIZE`.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        ImportError: Pillow is not installed; the message names the extra that brings it.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise ImportError("rgb_array needs Pillow, which is not installed: pip install 'cliffgym[plots]'") from error
    width, height = FRAME_SIZE
    image = Image.new("RGB", FRAME_SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, 44), fill=_INK)
    draw.text((20, 10), scenario.id, fill=_PAPER, font=_font(20))
    draw.text((width - 20, 13), f"pays: {reward_name}", fill=_PAPER, font=_font(16), anchor="ra")
    y = 62
    prompt = _wrapped(draw, scenario.prompts[scenario.state_prompts[trace.start]], 18, width - 40)
    for line in prompt if len(prompt) <= _PROMPT_LINES else [*prompt[: _PROMPT_LINES - 1], "..."]:
        draw.text((20, y), line, fill=_INK, font=_font(18))
        y += 26
    _draw_tokens(draw, scenario, trace, top=y + 14, bottom=height - 140)
    if scenario.mdp.terminal[trace.state]:
        _draw_outcome(draw, scenario, trace, reward_name, oracle, top=height - 124)
    return np.array(image)


def _draw_tokens(draw: "ImageDraw.ImageDraw", scenario: Scenario, trace: Trace, top: int, bottom: int) -> None:
    """Tokens as labelled chips in reading order; if they overflow, the oldest rows give way to an ellipsis."""
    chips: list[tuple[int, int, str, bool]] = []  # x, row, name, allowed
    x, row = 20, 0
    for step in trace.steps:
        name = scenario.tokens[step.action]
        chip = int(draw.textlength(name, font=_font(16))) + 24
        if x > 20 and x + chip > FRAME_SIZE[0] - 20:
            x, row = 20, row + 1
        chips.append((x, row, name, bool(scenario.mdp.action_mask[step.state, step.action])))
        x += chip + 10
    fitting = (bottom - top) // 40
    hidden = max(row + 1 - fitting, 0)
    if hidden:
        draw.text((20, top - 18), f"... {sum(chip[1] < hidden for chip in chips)} tokens before", _FAINT, _font(14))
    for x, row, name, allowed in chips:
        if row < hidden:
            continue
        y = top + (row - hidden) * 40
        chip = int(draw.textlength(name, font=_font(16))) + 24
        colour = _LEGAL if allowed else _WRONG
        draw.rounded_rectangle((x, y, x + chip, y + 30), radius=8, fill=colour)
        draw.text((x + 12, y + 15), name, fill=_INK if allowed else _PAPER, font=_font(16), anchor="lm")


def _draw_outcome(
    draw: "ImageDraw.ImageDraw", scenario: Scenario, trace: Trace, reward_name: str, oracle: bool, top: int
) -> None:
    """How the trace ended (unless hidden), and a bar of labelled numbers."""
    malformed = scenario.state_prompts[trace.state] < 0
    outcome = trace.outcome if oracle else ""
    draw.line((20, top, FRAME_SIZE[0] - 20, top), fill=_LINE, width=2)
    colour = _WRONG if malformed else _INK
    for line in _wrapped(draw, outcome, 18, FRAME_SIZE[0] - 40)[:1]:
        draw.text((20, top + 14), line, fill=colour, font=_font(18))
    pay = _pay(trace, reward_name, oracle)
    for column, (label, value) in enumerate(pay):
        x = 20 + column * 230
        draw.text((x, top + 48), f"{value:.4g}", fill=_INK, font=_font(30))
        draw.text((x, top + 90), label, fill=_FAINT, font=_font(15))


def _wrapped(draw: "ImageDraw.ImageDraw", text: str, size: int, width: int) -> list[str]:
    """Breaks text at spaces into lines of at most `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=_font(size)) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
