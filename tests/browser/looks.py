"""Whether a page can be read and used: nothing cut, no serious finding of axe, focus seen."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.support.peers import missing
from tests.support.settings import REPOSITORY

AXE = REPOSITORY / "review_ui" / "node_modules" / "axe-core" / "axe.min.js"
TEXT = (
    "button, a, h1, h2, p, th, td, dt, dd, label, span, small, kbd, summary, li, figcaption, "
    "input[type=submit], .chip"
)
FIXED = "header.bar, header.bar > *, footer.bar, footer.bar > *, header nav > *"


def findings_of_axe(page: Page) -> list[str]:
    """Serious and critical findings, contrast among them, with the elements they are about."""
    if not AXE.is_file():
        missing("axe-core is not installed; scripts/install-typescript does it")
    # Evaluated by the debugger: the page's own security policy stays as it is.
    page.evaluate(AXE.read_text() + ";0")
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    return [
        f"{one['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else ''}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def cut_or_overflowing(page: Page) -> list[str]:
    """What is wider than the window, reaches out of it where it is fixed, or cuts its text."""
    return list(
        page.evaluate(
            """([text, fixed]) => {
              const words = (e) => e.textContent.trim().slice(0, 40);
              const name = (e) => `${e.tagName.toLowerCase()}#${e.id} "${words(e)}"`;
              const seen = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 1;
              const found = [];
              if (document.documentElement.scrollWidth > innerWidth) {
                found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
              }
              for (const e of [...document.querySelectorAll(fixed)].filter(seen)) {
                const box = e.getBoundingClientRect();
                const beyond = box.left < -0.5 || box.right > innerWidth + 0.5;
                if (beyond) found.push(`beyond the window: ${name(e)}`);
              }
              for (const e of [...document.querySelectorAll(text)].filter(seen)) {
                const style = getComputedStyle(e);
                if (style.display === "inline" || e.closest(".unseen")) continue;
                if (e.scrollWidth > e.clientWidth + 1) found.push(`cut: ${name(e)}`);
              }
              return found;
            }""",
            [TEXT, FIXED],
        )
    )


def overlapping(page: Page, selector: str) -> list[list[str]]:
    """Pairs of elements that share a part of the screen."""
    return list(
        page.evaluate(
            """(selector) => {
              const shown = [...document.querySelectorAll(selector)]
                .map((element) => [element, element.getBoundingClientRect()])
                .filter(([element, box]) => box.width > 0 && element.textContent.trim() !== "");
              const pairs = [];
              shown.forEach(([a, p], i) => shown.slice(i + 1).forEach(([b, q]) => {
                const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
                const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
                const names = [a, b].map((element) => element.id || element.textContent.trim());
                if (across > 0.5 && down > 0.5) pairs.push(names);
              }));
              return pairs;
            }""",
            selector,
        )
    )


def without_visible_focus(page: Page) -> list[str]:
    """What can be reached by key and does not show that it has been."""
    return list(
        page.evaluate(
            """() => {
              const reachable =
                "a[href], button:not(:disabled), input:not([type=hidden]), select, textarea";
              const shown = [...document.querySelectorAll(reachable)];
              return shown.filter((e) => e.checkVisibility()).filter((e) => {
                e.focus({ focusVisible: true });
                const style = getComputedStyle(e);
                return style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1;
              }).map((e) => e.id || e.textContent.trim());
            }"""
        )
    )
