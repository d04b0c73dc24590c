"""What of a request is refused before any handler sees it."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.routing import IntegerConverter, Map

LARGEST_ROW = 2**31 - 1


def install(app: Flask) -> None:
    """Let `app` take JSON and numbers in addresses only as far as we can hold them.

    Call it before any route is added.
    """
    # Flask-Security puts its own in its place, made from this class.
    app.json_provider_class = _Json
    app.url_map.converters["int"] = _Row


class _Json(DefaultJSONProvider):
    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


class _Row(IntegerConverter):
    """The number of a row; a larger one is no page, as one that is not there."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST_ROW)
