"""The site that `make docs` builds: complete, without a warning, and without another host."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a built page loads, where it leads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag in LOADS and LOADS[tag] in values:
            self.loads.append(values[LOADS[tag]])
        if tag == "a" and "href" in values:
            self.leads.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        ["make", "--no-print-directory", "docs", f"SITE={folder}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in site.rglob("*.html")}


def test_every_page_is_in_the_site_and_can_be_searched(site: Path, built: dict[Path, Page]) -> None:
    names = {path.relative_to(REPOSITORY).with_suffix("") for path in PAGES}
    assert names <= {path.relative_to(site).with_suffix("") for path in built}
    index = (site / "searchindex.js").read_text()
    assert [name for name in names if f'"{name}"' not in index] == []


def test_every_link_of_the_site_leads_to_a_file_and_an_anchor(built: dict[Path, Page]) -> None:
    dead = []
    for path, page in built.items():
        for link in page.leads:
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if "://" in link or (anchor == "" and target.is_file()):
                continue
            if target not in built or anchor not in built[target].anchors:
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_the_site_loads_nothing_from_another_host(site: Path, built: dict[Path, Page]) -> None:
    foreign = {load for page in built.values() for load in page.loads if re.match(r"\w*:?//", load)}
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert foreign | set(re.findall(r"(?:url\(|@import)\s*['\"]?(\w+:)?//", styles)) == set()


def test_the_site_has_a_light_and_a_dark_look(site: Path) -> None:
    text = (site / "docs" / "index.html").read_text()
    assert "theme-toggle" in text
    styles = "".join(path.read_text() for path in (site / "_static" / "styles").glob("*.css"))
    assert "prefers-color-scheme:dark" in styles.replace(" ", "")
