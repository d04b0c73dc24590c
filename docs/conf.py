"""How the pages become a site: `make docs`. Their source is the whole repository."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent

project = "Recontour"
version = release = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
language = "en"

root_doc = "docs/index"
include_patterns = ["*.md", "docs/**"]
exclude_patterns = [
    ".*",
    "**/node_modules",
    *(path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name != "docs"),
    "docs/_build",
]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4  # the same anchors as on the pages of a repository's host
highlight_language = "none"
nitpicky = True

html_theme = "furo"  # light and dark; brings its own scripts, fetches nothing
html_title = f"Recontour {version}"
html_use_index = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b57a4", "color-brand-content": "#0b57a4"},
    "dark_css_variables": {"color-brand-primary": "#8ab8ff", "color-brand-content": "#8ab8ff"},
}
