"""The record as a page to print and to sign; every number on it is the record's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

_REHEARSAL = (
    "A rehearsal: small sizes and few cases. It shows that everything runs, and accepts nothing."
)
_LIMITS = (
    "Bodies, doses and patients are synthetic. What is said here holds for this machine, this "
    "configuration and this version; it says nothing of how well the model contours the patients "
    "of the site. Recontour is not a medical device."
)
_STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
color:#1d242b}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{border-bottom:1px solid #cfd6dc;padding:.25rem .5rem;text-align:left;vertical-align:top}
.about th{width:15rem}
.figure{white-space:nowrap}
td small{display:block;color:#55606a}
tr[data-state=fail] td{background:#fbe3e0}
tr[data-state="not run"] td{color:#55606a}
.verdict{font-weight:700;font-size:1.15rem}
.sign td{height:3rem;border:1px solid #1d242b;width:25%}
.sign th{border:1px solid #1d242b}
@page{margin:18mm}
@media print{body{margin:0;max-width:none;font-size:10pt}tr{break-inside:avoid}h2{break-after:avoid}
.sign{break-inside:avoid}tr[data-state=fail] td{outline:1px solid #000}}
"""


def as_page(record: Mapping[str, Any], digest: str) -> str:
    """The page, self-contained; `digest` is the SHA-256 of the record's file."""
    parts = [
        "<h1>Commissioning of Recontour</h1>",
        f'<p class="verdict" data-verdict>{escape(verdict(record))}</p>',
        _about(record, digest),
        *(
            f"<h2>{escape(group)}</h2>{_table(list(checks))}"
            for group, checks in groupby(record["checks"], key=lambda check: str(check["group"]))
        ),
        f"<p>{_LIMITS}</p>",
        _SIGN,
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Commissioning of Recontour</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def verdict(record: Mapping[str, Any]) -> str:
    """How it ended, in a sentence."""
    counts = record["counts"]
    said = f"{counts['pass']} checks passed, {counts['fail']} failed, {counts['not run']} not run."
    return f"{said} {_REHEARSAL}" if record["rehearsal"] else said


def _about(record: Mapping[str, Any], digest: str) -> str:
    models = [f"{name}: {version}" for name, version in record["models"].items()]
    rows = {
        "Site": record["site"] or "\u00a0",
        "Begun": f"{record['begun_at']}, took {record['took_s']} s",
        "Software": f"Recontour {record['software_version']}",
        "Models in service": "; ".join(models) or "none",
        "Configuration, SHA-256": record["config_sha256"],
        "This record, SHA-256": digest,
        **{name.capitalize(): told for name, told in record["machine"].items()},
    }
    lines = (f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
    return f'<table class="about">{"".join(lines)}</table>'


def _table(checks: Sequence[Mapping[str, Any]]) -> str:
    head = "<tr><th>Check</th><th>Tolerance</th><th>Found</th><th>Verdict</th></tr>"
    return f"<table>{head}{''.join(map(_row, checks))}</table>"


def _row(check: Mapping[str, Any]) -> str:
    value = "" if check["value"] is None else f"{check['value']} {check['unit']}"
    return (
        f'<tr data-check="{escape(check["name"])}" data-state="{escape(check["state"])}">'
        f"<td>{escape(check['name'])}</td>"
        f"<td>{escape(check['tolerance'])}<small>{escape(check['reason'])}</small></td>"
        f'<td><span class="figure">{escape(value)}</span>'
        f"<small>{escape(check['found'])}</small></td>"
        f"<td>{escape(check['state'])}</td></tr>"
    )


_SIGN = (
    '<h2>Signatures</h2><table class="sign"><tr><th>Role</th><th>Name</th><th>Date</th>'
    "<th>Signature</th></tr>"
    "<tr><td>Measured by (medical physicist)</td><td></td><td></td><td></td></tr>"
    "<tr><td>Checked by</td><td></td><td></td><td></td></tr>"
    "<tr><td>Released for use by</td><td></td><td></td><td></td></tr></table>"
)
