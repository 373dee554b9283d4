"""The API reference from `__all__`: a directive that describes a module's names, and a role that links to them.

`.. public-module:: cliffgym.solvers` gives the module's docstring, a table of its names, and an entry for each that is
not described elsewhere. No name can be left out, and a new one appears by itself.
"""

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from docutils import nodes
from public_api import MODULES, description, every_name, home, is_data, public_names
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)


def summary(module: str, name: str) -> str:
    """The first paragraph on a name."""
    text = description(module, name)
    if not text:
        logger.warning("nothing says what %s.%s is", module, name)
    return " ".join(text.split("\n\n")[0].split())


def entry(module: str, name: str) -> Iterator[str]:
    """The lines that describe one name."""
    thing = getattr(import_module(module), name)
    if inspect.isclass(thing):
        yield from (f".. autoclass:: {module}.{name}", "   :members:", "")
    elif is_data(thing):
        short = isinstance(thing, (str, int, float)) or (isinstance(thing, tuple) and all(map(_plain, thing)))
        yield from (f".. autodata:: {module}.{name}", *([] if short else ["   :no-value:"]), "")
    else:
        yield from (f".. autofunction:: {module}.{name}", "")


def reference(module: str) -> Iterator[str]:
    """The lines that describe a module."""
    yield from (f".. automodule:: {module}", "", ".. list-table::", "   :class: public-names", "")
    names = public_names(module)
    for name in names:
        yield f"   * - :py:obj:`~{home(module, name)}`"
        yield f"     - {summary(module, name)}"
    yield ""
    for name in names:
        if home(module, name) == f"{module}.{name}":
            yield from entry(module, name)


def _plain(value: object) -> bool:
    return isinstance(value, (str, int, float))


class PublicModule(SphinxDirective):
    """`.. public-module:: NAME`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes."""
        (module,) = self.arguments
        if module not in MODULES:
            raise self.error(f"module must be one of {', '.join(MODULES)}, got {module}")
        return self.parse_text_to_nodes("\n".join(reference(module)))


class PublicRole(SphinxRole):
    """Code between single backticks, which docstrings have everywhere; names that are public link to their entry.

    Words such as `soft` or `incomplete_reward` are as often a component or a key of `info`, and stay what they are.
    """

    targets: dict[str, str] = {}  # noqa: RUF012

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The nodes."""
        literal = nodes.literal(self.text, self.text)
        target = self.targets.get(self.text.removesuffix("()"))
        if target is None:
            return [literal], []
        options: dict[str, Any] = {"refdomain": "py", "reftype": "obj", "reftarget": target, "refexplicit": True}
        return [pending_xref(self.text, literal, refdoc=self.env.docname, refwarn=True, **options)], []


def link_targets() -> dict[str, str]:
    """What between backticks links where: full names, and short ones of classes and constants."""
    full = dict(every_name())
    short = {name.rsplit(".", 1)[1]: target for name, target in full.items()}
    return full | {name: target for name, target in short.items() if name != name.lower()}


def add_aliases(_app: Sphinx, env: BuildEnvironment) -> Sequence[str]:
    """Lets every public name be referred to, and found in the inventory, wherever it is described."""
    objects = env.domains.python_domain.objects
    for name, target in every_name():
        if name != target and target in objects:
            found = objects[target]
            objects[name] = ObjectEntry(found.docname, found.node_id, found.objtype, True)
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    PublicRole.targets = link_targets()
    app.add_directive("public-module", PublicModule)
    app.add_role("public", PublicRole())
    app.connect("env-updated", add_aliases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
