"""Configuration of Sphinx."""

import re

import fastgd

project = "fastgd"
author = "fastgd developers"
project_copyright = "2025, fastgd developers"
version = release = fastgd.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say the types, with shapes and ranges
autosummary_generate = False  # numpydoc loads autosummary; the pages of docs/api are written by hand
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"fastgd {release}"
html_static_path = ["_static"]

QUOTED_OR_SHAPE = re.compile(r"(``.*?``|`.*?`)|\(\*(?=\w)")


def escape_shapes(app, what, name, obj, options, lines):
    """Keep the star of a bare shape such as (*batch, n) from opening an emphasis."""
    for k, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[k] = QUOTED_OR_SHAPE.sub(lambda m: m.group(1) or r"(\*", line)


def setup(app):
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)
