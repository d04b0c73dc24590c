"""The review page in a browser without a GPU: slices, brush, first image, memory.

    python -m benchmarks.review_page [--small]

A synthetic CT of 512 x 512 x 189 is served over loopback to a headless Chromium with
`--disable-gpu`. Real wheel turns and a real brush of 30 mm are timed in the page: the handlers, the
picture of all views that changed, and reading it back, so that nothing is left to be drawn. Waiting
for the next screen refresh is not counted, and told beside it; nor are the first 20 of each kind.
First image: from the request that opens the case to the middle slice on the screen. The heap counts
arrays of voxels. The last line is JSON.

The figures of Cornerstone3D 5.14 beside them are of another day: the same size of CT, the same kind
of browser, a machine of two cores under other load. They are here for the order of magnitude.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from core.config import Settings
from core.geometry import VolumeGeometry
from core.store import Store, open_store
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.browser import launch, log_in
from tests.support.review_case import PASSWORD, put_case
from tests.support.serving import served
from tests.support.settings import settings_for

SHAPE, SMALL = (189, 512, 512), (40, 128, 128)
SPACING_MM = (2.0, 0.98, 0.98)
TURNS, SEGMENTS = 140, 60
WARM_UP = 20
"""Turns and segments that are not counted: a browser compiles what it has run some times."""
BRUSH_MM = 30.0

LIMITS = {
    "slice_ms": 16.0,
    "slice_with_dose_and_outline_ms": 33.0,
    "brush_ms": 33.0,
    "first_image_s": 0.6,
    "heap_mb": 400.0,
}
CORNERSTONE3D = {"slice_ms": 1014, "brush_ms": 2255, "first_image_s": 6.0, "heap_mb": 207}
"""Medians of `slice_ms` and `brush_ms`; beside the heap its GPU process held 563 MB."""

# Our handler runs between these two listeners, and the page's picture between our two frames.
TIMER = """(kind) => {
  window.timers?.abort();
  window.timers = new AbortController();
  const { signal } = window.timers;
  window.times = [];
  let started = 0, frameAt = 0, handled = 0;
  const views = [...document.querySelectorAll("canvas")];
  window.addEventListener(kind, () => {
    started = performance.now();
    requestAnimationFrame(() => { frameAt = performance.now(); });
  }, { capture: true, signal });
  window.addEventListener(kind, () => {
    handled = performance.now();
    requestAnimationFrame(() => {
      for (const view of views) view.getContext("2d").getImageData(9, 9, 1, 1);
      const done = performance.now();
      window.times.push([handled - started + done - frameAt, done - started]);
    });
  }, { signal });
}"""
# The slice that is shown comes first; it is on the screen after the frame that follows.
FIRST_IMAGE = """document.addEventListener("DOMContentLoaded", () => {
  const words = document.getElementById("loading-text");
  const first = new MutationObserver(() => {
    if (!words.textContent.startsWith("Loading slices")) return;
    first.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.firstImage = performance.now(); }));
  });
  if (words) first.observe(words, { childList: true, characterData: true, subtree: true });
});"""


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the verdict; 0 when every limit is kept."""
    shape = SMALL if "--small" in arguments else SHAPE
    with (
        tempfile.TemporaryDirectory() as folder,
        _site(Path(folder), shape) as (url, case_id),
        sync_playwright() as driver,
    ):
        browser = launch(driver)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        figures = _measured(page, url, case_id)
        browser.close()
    load = os.getloadavg()[0]
    lines = [
        f"CT {shape[2]} x {shape[1]} x {shape[0]}, load {load:.1f} on {os.cpu_count()} processors",
        f"{'':32}{'median':>9}{'p95':>9}{'limit':>9}   Cornerstone3D, of another day",
    ]
    for name, limit in LIMITS.items():
        found = figures[name]
        median = found["median"] if isinstance(found, dict) else found
        theirs = CORNERSTONE3D.get(name, "")
        lines.append(f"{name:32}{median:9.2f}{_worst(found):9.2f}{limit:9.2f}   {theirs}")
    kept = {name: _worst(figures[name]) <= limit for name, limit in LIMITS.items()}
    # A limit for the whole size says nothing of a smaller one.
    holds = all(kept.values()) if shape == SHAPE else None
    verdict = {"shape": shape, "load": load, **figures, "kept": kept, "holds": holds}
    verdict["cornerstone3d_of_another_day"] = CORNERSTONE3D
    sys.stdout.write("\n".join([*lines, json.dumps(verdict)]) + "\n")
    return 1 if holds is False else 0


def _worst(found: dict[str, float] | float) -> float:
    return found["p95"] if isinstance(found, dict) else found


def _measured(page: Page, url: str, case_id: str) -> dict[str, Any]:
    log_in(page, url, "anna", PASSWORD)
    page.add_init_script(FIRST_IMAGE)
    page.goto(f"{url}/cases/{case_id}")
    page.wait_for_selector('body[data-ready="true"][data-layers="dose"]', timeout=120_000)
    first_image_s = page.evaluate("window.firstImage") / 1000
    box = page.locator("#axial").bounding_box()
    if box is None:
        raise RuntimeError("The page shows no axial view.")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    slices = _turned(page)
    for key in ("d", "i"):
        page.keyboard.press(key)
    with_dose = _turned(page)
    for key in ("d", "i"):
        page.keyboard.press(key)
    return {
        "slice_ms": slices,
        "slice_with_dose_and_outline_ms": with_dose,
        "brush_ms": _painted(page, x, y),
        "first_image_s": first_image_s,
        "heap_mb": _heap_mb(page),
    }


def _turned(page: Page) -> dict[str, float]:
    """Axial slices by the wheel, to and fro around the middle of the heart."""
    page.evaluate(TIMER, "wheel")
    for turn in range(TURNS):
        page.mouse.wheel(0, -120 if turn // 10 % 2 else 120)
        _wait_for(page, turn + 1)
    return _summary(page)


def _painted(page: Page, x: float, y: float) -> dict[str, float]:
    """Segments of one stroke through the heart, so that all three views change."""
    while page.inner_text("#brush-label") != f"Brush radius {BRUSH_MM:.0f} mm":
        page.keyboard.press("]")
    page.mouse.move(x - 120, y)
    page.mouse.down()
    page.evaluate(TIMER, "pointermove")
    for segment in range(SEGMENTS):
        page.mouse.move(x - 120 + 4 * segment, y + 40 * np.sin(segment / 6))
        _wait_for(page, segment + 1)
    page.mouse.up()
    return _summary(page)


def _wait_for(page: Page, count: int) -> None:
    until = time.monotonic() + 30
    while page.evaluate("window.times.length") < count:
        if time.monotonic() > until:
            raise RuntimeError("The page drew nothing for 30 s.")


def _summary(page: Page) -> dict[str, float]:
    times = page.evaluate("window.times")[WARM_UP:]
    work, whole = (np.array([each[i] for each in times]) for i in (0, 1))
    return {
        "median": round(statistics.median(work), 2),
        "p95": round(float(np.percentile(work, 95)), 2),
        "p95_with_waiting": round(float(np.percentile(whole, 95)), 2),
    }


def _heap_mb(page: Page) -> float:
    """What scripts hold after a collection, arrays of voxels included."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return float(round((usage["usedSize"] + usage["backingStorageSize"]) / 1e6, 1))


@contextmanager
def _site(folder: Path, shape: tuple[int, int, int]) -> Iterator[tuple[str, str]]:
    """A running review room with one case, at an address."""
    settings: Settings = settings_for(folder)
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    try:
        with served(app) as url:
            yield url, _put_case(store, shape)
    finally:
        store.engine.dispose()


def _put_case(store: Store, shape: tuple[int, int, int]) -> str:
    geometry = VolumeGeometry(shape, (-250.0, -250.0, -190.0), SPACING_MM, "1.2.3.4")
    rng = np.random.default_rng(0)
    values = np.empty(shape, np.int16)
    heart = np.empty(shape, bool)
    rows, columns = (np.linspace(-1, 1, size) for size in shape[1:])
    radius = rows[:, None] ** 2 / 0.5 + columns[None, :] ** 2 / 0.8
    noise = rng.normal(0, 15, shape[1:])
    for number, height in enumerate(np.linspace(-1, 1, shape[0])):
        values[number] = np.where(radius < 1, 30, -1000) + np.roll(noise, number * 7, axis=1)
        heart[number] = radius + 3 * height**2 < 0.06
    dose_shape = (round(shape[0] * 0.8), round(shape[1] * 0.39), round(shape[2] * 0.39))
    dose_grid = VolumeGeometry(dose_shape, (-248.0, -248.0, -188.0), (2.5, 2.5, 2.5), "1.2.3.4")
    ramp = np.linspace(0, 50, dose_shape[2], dtype=np.float32)
    hill = np.sin(np.linspace(0, np.pi, dose_shape[1], dtype=np.float32))[:, None]
    dose = Volume(np.broadcast_to(ramp * hill, dose_shape).astype(np.float32), dose_grid)
    return put_case(store, Volume(values, geometry), prediction=heart, dose=dose)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
