"""Where a trace starts whose prompt and hidden class are both asked for.

Shapes: N prompts, C classes.
"""

from numbers import Integral

import numpy as np

from cliffgym.checks import listing
from cliffgym.trace_scenario import Scenario


class ClassStarts:
    """The states of the world in which traces start, by prompt and class.

    Args:
        scenario: Whose world it is.

    Attributes:
        names: The C classes; none if prompts have no hidden classes.
        states: (N, C) the state in which a trace starts when a class sends a prompt.
        counts: (N, C) how many such states there are; 0 where the class never sends the prompt.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._id, hidden = scenario.id, scenario.hidden
        self.names = () if hidden is None else hidden.names
        shape = len(scenario.prompts), len(self.names)
        self.states, self.counts = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        if hidden is not None:
            starts = np.flatnonzero((hidden.start_chances > 0) & (hidden.state_classes >= 0))
            prompts, places = np.nonzero(scenario.prompt_states[:, None] == hidden.seen.observations[starts])
            pairs = prompts, hidden.state_classes[starts[places]]
            self.states[pairs] = starts[places]
            np.add.at(self.counts, pairs, 1)

    def state(self, prompt: int | None, value: object, name: str = "class") -> int:
        """The state of the world in which a trace starts when a class sends a prompt.

        Args:
            prompt: The prompt's number, in [0, N), or None if none was asked for.
            value: The class's name or number.
            name: What the class is called in messages.

        Raises:
            ValueError: Prompts have no hidden classes, there is no such class, no prompt was asked for, the class never
                sends it, or it does so from more than one state of the world.
            TypeError: It is neither a name nor a number.
        """
        number = self._number(value, name)
        if prompt is None:
            raise ValueError(f"{name} must go with a prompt, got {value!r} without one")
        count = self.counts[prompt, number]
        if count == 0:
            senders = (self.names[k] for k in np.flatnonzero(self.counts[prompt]))
            raise ValueError(
                f"{name} must be one that sends prompt {prompt}, which are {listing(senders)}, got {value!r}"
            )
        if count > 1:
            raise ValueError(
                f"{name} must send prompt {prompt} from one state of the world, got {value!r}, which has {count}"
            )
        return int(self.states[prompt, number])

    def _number(self, value: object, name: str) -> int:
        """The number of a class that is given by name or number."""
        if not self.names:
            raise ValueError(
                f"{name} must be left out where prompts have no hidden classes, got {value!r} in {self._id}"
            )
        if isinstance(value, str):
            number = self.names.index(value) if value in self.names else -1
        elif isinstance(value, Integral) and not isinstance(value, bool):
            number = int(value)
        else:
            raise TypeError(f"{name} must be a name or a number, got {value!r} of type {type(value).__name__}")
        if not 0 <= number < len(self.names):
            raise ValueError(
                f"{name} must be one of {listing(self.names)} or its number in [0, {len(self.names) - 1}], "
                f"got {value!r} in {self._id}"
            )
        return number
