"""How Sphinx builds this site; `scripts/docs` runs it.

Nothing is fetched when the site is built or looked at: no intersphinx, no badges, no fonts, and MathJax, scripts and
styles are copied into it. `scripts/docs_check.py` holds the built pages to that.
"""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "_extensions"))

project = "CliffGym"
author = "The CliffGym authors"
copyright = author
version = release = metadata.version("cliffgym")

extensions = [
    "array_types",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx-mathjax-offline",
    "public_names",
    "docstrings",
    "explorer",
    "kept_results",
    "sections",
]
exclude_patterns = ["_extensions", "_static", "**/.ipynb_checkpoints"]
nitpicky = True
# Types of other projects, whose own documentation is not on this machine, and those within ours that nobody names.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(collections|gymnasium|matplotlib|numpy|os|pathlib|sb3_contrib|sqlite3|stable_baselines3|torch|types|typing)\..*",
    ),
    (r"py:.*", r"Axes|BaseAlgorithm|BaseCallback|Figure|ResetNeeded"),  # the same, imported for the type checker alone
    (r"py:class", r"cliffgym.*\._\w+"),
    (r"py:class", r"Found|cliffgym\.analysis\.weights\.Weighted|cliffgym_agents\.tabular_q_policy\.QTable"),
]

# Pages

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"  # where, kept_results says
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds for one cell
nb_execution_in_temp = True  # pages read and write nothing in the checkout
nb_merge_streams = True
nb_ipywidgets_js = {}  # the default loads them from another host

# API reference

default_role = "public"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_use_ivar = True  # attributes are described by their class
napoleon_attr_annotations = False  # whose signature has their types
napoleon_use_rtype = False
napoleon_custom_sections = [("Info", "params_style")]

# Looks

html_theme = "furo"
html_title = f"CliffGym {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.output) > div.highlight pre"  # code, not what it prints
copybutton_copy_empty_lines = False  # of examples with prompts, where they stand for what was printed
