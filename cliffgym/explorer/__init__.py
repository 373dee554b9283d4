"""The explorer: one HTML page on which a weight is dragged and the optimal policy snaps, or glides.

The page needs no server, no network and no library; its solvers run in the browser. `python -m cliffgym explore` writes
it; the one for all registered scenarios, at several sizes, comes ready-made with the package.
"""

from cliffgym.explorer.explorer import explorer_page, save_explorer
from cliffgym.explorer.learned import LearnedPolicy, save_policies
from cliffgym.explorer.tables import scenario_of_tables
from cliffgym.explorer.views import View

__all__ = ["LearnedPolicy", "View", "explorer_page", "save_explorer", "save_policies", "scenario_of_tables"]
