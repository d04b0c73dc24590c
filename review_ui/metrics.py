"""For those who watch the node: whether it can work, and its figures for Prometheus."""

from __future__ import annotations

import shutil

from apiflask import APIBlueprint
from flask import Response, request

from core.metrics_store import Metric
from review_ui.context import desk

blueprint = APIBlueprint("metrics", __name__)

MEBIBYTE = 1_000_000
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@blueprint.get("/readyz")
def readyz() -> tuple[str, int, dict[str, str]]:
    """Whether the node can take and keep work: database and disk; 503 names what is missing."""
    room = desk()
    missing = [] if room.store.metrics.ready() else ["database"]
    if _free() < room.settings.disk_reserve_mb * MEBIBYTE:
        missing.append("disk")
    words = "ready" if not missing else f"not ready: {', '.join(missing)}"
    return words, 503 if missing else 200, {"Content-Type": "text/plain; charset=utf-8"}


@blueprint.get("/metrics")
def page() -> Response:
    """Figures on the node as a whole in Prometheus' text format; by a machine's key or a login."""
    room = desk()
    disk = [
        Metric("disk_free_bytes", "gauge", "Free in the data folder.", {"": float(_free())}),
        Metric(
            "disk_reserve_bytes",
            "gauge",
            "Below this nothing is taken.",
            {"": float(room.settings.disk_reserve_mb * MEBIBYTE)},
        ),
    ]
    found = [*room.store.metrics.all(now=room.now()), *disk]
    return Response("".join(map(_as_text, found)), content_type=TEXT)


def has_key() -> bool:
    """Whether a machine asks that has a key, `Authorization: Bearer ...`."""
    asked = request.authorization
    is_bearer = asked is not None and asked.type == "bearer" and asked.token
    return bool(is_bearer) and desk().store.keys.opens(str(asked.token if asked else ""))


def _free() -> int:
    return shutil.disk_usage(desk().settings.data_folder).free


def _as_text(metric: Metric) -> str:
    name = f"recontour_{metric.name}"
    lines = [f"# HELP {name} {metric.about}", f"# TYPE {name} {metric.kind}"]
    for value, number in sorted(metric.values.items()):
        label = f'{{{metric.label}="{_escaped(value)}"}}' if metric.label else ""
        lines.append(f"{name}{label} {number:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
