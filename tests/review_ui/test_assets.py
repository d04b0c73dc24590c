"""Scripts under addresses that change with them, and what a page needs of them."""

from __future__ import annotations

import re

import numpy as np
import sqlalchemy as sa

from core.store import Store
from core.volume import Volume
from review_ui.assets import FOLDER, modules_of
from tests.support.review_case import Reviewer, box_mask, put_case, small_geometry


def test_a_page_names_all_its_scripts_and_each_of_them_comes(anna: Reviewer, store: Store) -> None:
    geometry = small_geometry()
    case_id = put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    page = anna.get(f"/cases/{case_id}").text
    named = re.findall(r'rel="modulepreload"[^>]* href="([^"]+)"', page)
    assert {name.rpartition("/")[2] for name in named} >= {"review.js", "brush.js", "api.js"}
    for address in named:
        assert anna.get(address).status_code == 200
    # Of another version there is nothing: two of them never run together.
    assert anna.get(re.sub(r"/static/\w+/", "/static/0123/", named[0])).status_code == 404


def test_a_script_costs_no_look_into_the_database(anna: Reviewer, store: Store) -> None:
    page = anna.get("/").text
    script = next(iter(re.findall(r'href="(/static/[^"]+\.css)"', page)))
    asked: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *each: asked.append(each[2]))
    anna.get("/status")
    assert asked != []
    asked.clear()
    assert anna.get(script).status_code == 200
    assert asked == []


def test_what_scripts_import_is_found_and_nothing_else() -> None:
    found = modules_of("review.js")
    assert len(found) == len(set(found))
    for name in found:
        text = (FOLDER / "js" / name).read_text()
        imported = re.findall(r'^(?:import|export|\}) .*from "\./([^"]+)"', text, re.MULTILINE)
        assert set(imported) <= set(found), name
    assert "worklist.js" not in found


def test_a_review_begins_in_the_middle_of_the_prediction(anna: Reviewer, store: Store) -> None:
    geometry = small_geometry()
    ct = Volume(np.zeros(geometry.shape, np.int16), geometry)
    slices, rows, columns = geometry.shape
    heart = box_mask(geometry, (slice(0, 2), slice(1, 4), slice(2, 3)))
    starts = [
        anna.get(f"/api/cases/{case_id}").json["start"]  # type: ignore[index]
        for case_id in (
            put_case(store, ct, prediction=heart),
            put_case(store, ct, prediction=np.zeros(geometry.shape, bool)),
            put_case(store, ct),
        )
    ]
    middle = [columns // 2, rows // 2, slices // 2]
    assert starts == [[2, 2, 0], middle, middle]
