"""The page of all benchmarks: ratios to the peers first, then every figure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.page.outcome import Outcome, Verdict

# What a benchmark calls its figures that hold it against a peer.
_RATIO = re.compile(r"^times_(as_fast|the_time|the_memory)\b")
_STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
color:#1d242b}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{border-bottom:1px solid #cfd6dc;padding:.2rem .8rem .2rem 0;text-align:left;
vertical-align:top}
pre{background:#f2f4f6;padding:.5rem;white-space:pre-wrap}
[data-verdict]{font-weight:700}
[data-verdict=holds]{color:#17612f}
[data-verdict=failed],[data-verdict="does not hold"]{color:#a02015}
"""
_MEANING = {
    Verdict.HOLDS: "what it claims is so",
    Verdict.DOES_NOT_HOLD: "what it claims is not so, here and now",
    Verdict.NOT_MEASURED: "a peer or data that it needs is not here",
    Verdict.FAILED: "it ended without a result",
}


def as_page(outcomes: Sequence[Outcome], machine: Mapping[str, str]) -> str:
    """The page, self-contained."""
    described = "".join(
        f"<tr><th>{escape(name.capitalize())}</th><td>{escape(told)}</td></tr>"
        for name, told in machine.items()
    )
    meanings = "; ".join(f"{verdict}: {meaning}" for verdict, meaning in _MEANING.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Benchmarks</title>'
        f"<style>{_STYLE}</style></head><body><h1>Benchmarks of Recontour</h1>"
        f"<table>{described}</table>"
        "<p>Seconds of one machine say little about another, and less where it had other work: "
        "read ratios: times as fast as a peer, more is better; times its time or memory, less is. "
        "Several runs stand as median (lowest to highest).</p>"
        f"<p>{escape(meanings.capitalize())}.</p>"
        f"<h2>Beside the peers</h2>{_summary(outcomes)}"
        f"{''.join(map(_section, outcomes))}</body></html>\n"
    )


def ratios_of(outcome: Outcome) -> dict[str, str]:
    """The figures that hold it against a peer."""
    return {name: told for name, told in outcome.figures().items() if _RATIO.search(name)}


def _summary(outcomes: Sequence[Outcome]) -> str:
    lines = "".join(
        f'<tr data-benchmark="{escape(each.name)}"><td><a href="#{escape(each.name)}">'
        f"{escape(each.name)}</a></td><td>{escape(each.about)}</td>{_verdict(each)}"
        f"<td>{_ratios(each)}</td></tr>"
        for each in outcomes
    )
    head = "<tr><th>Benchmark</th><th>What</th><th>Verdict</th><th>Ratios</th></tr>"
    return f"<table>{head}{lines}</table>"


def _ratios(outcome: Outcome) -> str:
    found = ratios_of(outcome).items()
    return "<br>".join(f"{escape(_named(name))}: {escape(told)}" for name, told in found)


def _verdict(outcome: Outcome) -> str:
    return f'<td data-verdict="{outcome.verdict}">{outcome.verdict}</td>'


def _section(outcome: Outcome) -> str:
    took = ", ".join(f"{run.seconds:g} s" for run in outcome.runs)
    loads = ", ".join(f"{run.load:g}" for run in outcome.runs)
    figures = "".join(
        f"<tr><td>{escape(_named(name))}</td><td>{escape(told)}</td></tr>"
        for name, told in outcome.figures().items()
    )
    said = "".join(f"<pre>{escape(run.said)}</pre>" for run in outcome.runs if run.said)
    name = escape(outcome.name)
    return (
        f'<h2 id="{name}">{name}</h2><p>{escape(outcome.about)}</p>'
        f"<p>{escape(outcome.date)}. Took {took}; load of the machine when it began: {loads}.</p>"
        f"<table>{figures}</table>{said}"
    )


def _named(figure: str) -> str:
    return figure.replace("_", " ").replace(".", ", ")
