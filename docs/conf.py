"""Sphinx configuration: `make docs` builds the site into docs/_build/html, warnings are errors.

Pages are MyST Markdown. Python cells are executed by myst-nb and cached, commands by extensions/commands.py. The CLI
and API references are generated from the program itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import mien  # noqa: E402

project = "mien"
author = "the mien authors"
copyright = "2026, the mien authors. Code and weights: Apache-2.0"  # noqa: A001
version = release = mien.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_copybutton",
    "commands",
    "references",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints", "extensions"]
source_suffix = {".md": "myst-nb"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "executed")
nb_execution_in_temp = True
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_number_source_lines = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 88
autodoc_preserve_defaults = True
autodoc_mock_imports = ["ray", "faiss"]
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "mien"
html_static_path = ["static"]
html_css_files = ["mien.css"]
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6b5d", "color-brand-content": "#0b6b5d"},
    "dark_css_variables": {"color-brand-primary": "#5fd3bf", "color-brand-content": "#5fd3bf"},
    "footer_icons": [],
}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
suppress_warnings = ["myst.strikethrough"]
