"""Scripts and style sheets: addresses that change with their content, and which a page needs."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, send_from_directory

FOLDER = Path(__file__).parent / "static"
_IMPORTED = re.compile(r'\bfrom "\./(\w+\.js)"')


def install(app: Flask) -> None:
    """Serve scripts and style sheets; templates find them by `url_for("static", filename=...)`."""
    current = _version()

    def static(version: str, filename: str) -> Response:
        if version != current:
            abort(404)
        return send_from_directory(FOLDER, filename)

    def with_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["version"] = current

    app.add_url_rule("/static/<version>/<path:filename>", view_func=static)
    app.url_defaults(with_version)
    app.add_template_global(modules_of)


def _version() -> str:
    """Another one when any file is another.

    So a browser may keep them for ever, and never runs scripts of two versions together.
    """
    content = hashlib.sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        content.update(f"{path.relative_to(FOLDER)}\0".encode())
        content.update(path.read_bytes())
    return content.hexdigest()[:12]


@lru_cache
def modules_of(name: str) -> tuple[str, ...]:
    """The script `name` and all that it imports, directly or not, in the order they are found."""
    found = [name]
    for each in found:
        imported = _IMPORTED.findall((FOLDER / "js" / each).read_text())
        found += [other for other in dict.fromkeys(imported) if other not in found]
    return tuple(found)
