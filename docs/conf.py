"""How Sphinx builds these pages. `make docs` runs it with every warning as an error, and needs no network."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

from pipelinejobs import __version__  # noqa: E402 - the line above says where it is

project = "PipelineJobs Manager"
version = release = __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["lifecycle.css"]
html_title = f"{project} {__version__}"
html_copy_source = False
html_show_copyright = False
default_role = "literal"  # docstrings have names in single backquotes
highlight_language = "text"
smartquotes = False  # what is pasted from here must be what was written
nitpicky = True
# What the client's signatures name of the standard library; its own documentation is elsewhere, and so not asked.
nitpick_ignore_regex = [("py:.*", r"(?!pipelinejobs\b).*")]
autodoc_member_order = "bysource"
autoclass_content = "both"
napoleon_use_ivar = True
