"""The API as OpenAPI: what every answer is, what a request must carry, how refusals look."""

from __future__ import annotations

from typing import Any

from apiflask import APIFlask

OCTETS, PAGE = "application/octet-stream", "text/html"
MEDIA = {
    "/healthz": "text/plain",
    "/readyz": "text/plain",
    "/metrics": "text/plain",
    "/cases/{case_id}/rtstruct": "application/dicom",
    "/report/dose.csv": "text/csv",
    "/report/returned.csv": "text/csv",
    **{
        f"/api/cases/{{case_id}}/{name}": OCTETS
        for name in ("ct", "dose", "prediction", "uncertainty", "reference")
    },
    "/api/observations/{observation_id}/ct": OCTETS,
}
"""Answers that are neither JSON (below /api) nor a page."""

OPEN = frozenset({"/healthz", "/readyz"})
"""Of nobody: for supervisors."""

REFUSAL = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["kind", "message"],
            "properties": {"kind": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
LOGIN = {"type": "apiKey", "in": "cookie", "name": "recontour"}
TOKEN = {"type": "apiKey", "in": "header", "name": "X-CSRFToken"}


def install(app: APIFlask) -> None:
    """Complete the schema that `app` makes of its routes."""
    app.spec_processor(completed)  # type: ignore[arg-type]  # a string only for YAML


def completed(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` with the answers, refusals and logins of every operation."""
    components = spec.setdefault("components", {})
    components["securitySchemes"] = {"login": LOGIN, "token": TOKEN}
    components.setdefault("schemas", {})["Refusal"] = REFUSAL
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            operation["responses"] = _answers(path, method)
            if path not in OPEN:
                operation["security"] = [{"login": []} if method == "get" else _BOTH]
    return spec


_BOTH: dict[str, list[str]] = {"login": [], "token": []}


def _answers(path: str, method: str) -> dict[str, Any]:
    to_api = path.startswith("/api/")
    media = MEDIA.get(path, "application/json" if to_api else PAGE)
    answers: dict[str, Any] = {"200": {"description": "As asked.", "content": {media: {}}}}
    if path in OPEN:
        return {**answers, "503": {"description": "Not now.", "content": {media: {}}}}
    if not to_api:
        answers["3XX"] = {"description": "Done, or not logged in: go there."}
    told = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    refused = told if to_api else {PAGE: {}, media: {}}
    answers["4XX"] = {"description": "Refused, and why.", "content": refused}
    if method == "post":
        answers["413"] = {"description": "The body is too large.", "content": refused}
    return answers
