"""Whatever way the patient lay: what is drawn beside a letter lies to that side of the patient."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from dicom_node.objects.ct_reader import read_ct
from tests.support.peers import require_program
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ball_hu, ct_series, written

UI = Path(__file__).parents[2] / "review_ui"
HEART_MM = (8.0, -7.0, 6.0)
"""Left, in front and above the middle of the scan."""
TOWARDS_HEART = {"L": True, "A": True, "S": True, "R": False, "P": False, "I": False}

# The page's own modules, on each volume: where the bright pixels of each view's picture are.
PICTURES = """
import fs from "node:fs";
const js = process.argv[2];
const { Grid, PLANES } = await import(`${js}/geometry.js`);
const { paintCt } = await import(`${js}/slice_pixels.js`);
const { greyTable, WINDOWS } = await import(`${js}/window_level.js`);
const answer = JSON.parse(fs.readFileSync(0, "utf8")).map(({ dims, spacing, hu, at }) => {
  const grid = new Grid(dims, spacing);
  const arrived = new Uint8Array(dims[2]).fill(1);
  const table = greyTable({ ...WINDOWS[0], lowHu: 0, highHu: 50 });
  return Object.values(PLANES).map((plane) => {
    const [width, height] = grid.sizeOf(plane);
    const pixels = new Uint32Array(width * height);
    paintCt(plane, at[plane.normal], { grid, ct: Int16Array.from(hu), arrived }, table, pixels);
    const bright = [...pixels.keys()].filter((i) => (pixels[i] & 255) > 128);
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      plane: plane.name,
      right: mean(bright.map((i) => i % width)) - (width - 1) / 2,
      down: mean(bright.map((i) => Math.floor(i / width))) - (height - 1) / 2,
    };
  });
});
console.log(JSON.stringify(answer));
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, float]]]:
    """For each patient position and view, how far right and down of the middle the heart is."""
    folder = tmp_path_factory.mktemp("positions")
    volumes = []
    for position in PATIENT_POSITIONS:
        series = ct_series(
            shape=(12, 18, 16),
            spacing_mm=(3.0, 2.0, 2.0),
            patient_position=position,
            hu=ball_hu(HEART_MM, 6.0),
        )
        ct = read_ct(written(series, folder / position)).volume
        start, step = ct.geometry.origin_mm, ct.geometry.spacing_mm
        place = [round((HEART_MM[a] - start[a]) / step[2 - a]) for a in range(3)]
        volumes.append(
            {
                "dims": list(reversed(ct.values.shape)),
                "spacing": list(reversed(step)),
                "hu": ct.values.ravel().tolist(),
                "at": place,
            }
        )
    script = folder / "pictures.mjs"
    script.write_text(PICTURES)
    done = subprocess.run(
        [require_program("node"), script, UI / "static" / "js"],
        input=json.dumps(volumes),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    views = [{view["plane"]: view for view in each} for each in json.loads(done.stdout)]
    return dict(zip(PATIENT_POSITIONS, views, strict=True))


def letters() -> dict[str, tuple[str, str, str, str]]:
    """Left, right, top and bottom letter of each view, as the page has them."""
    text = (UI / "templates" / "review.html").read_text()
    found = re.findall(
        r'\("(axial|sagittal|coronal)", "\w+", "(\w)", "(\w)", "(\w)", "(\w)"\)', text
    )
    return {plane: sides for plane, *sides in found}


@pytest.mark.parametrize("position", PATIENT_POSITIONS)
def test_the_heart_is_drawn_towards_the_letters_it_lies_towards(
    pictures: dict[str, dict[str, dict[str, float]]], position: str
) -> None:
    assert set(letters()) == {"axial", "sagittal", "coronal"}
    for plane, (left, right, top, bottom) in letters().items():
        heart = pictures[position][plane]
        assert abs(heart["right"]) > 1
        assert abs(heart["down"]) > 1
        towards = right if heart["right"] > 0 else left
        upright = bottom if heart["down"] > 0 else top
        assert TOWARDS_HEART[towards], f"{plane}: drawn towards {towards}"
        assert TOWARDS_HEART[upright], f"{plane}: drawn towards {upright}"
        # Opposite letters are on opposite sides, whatever they are.
        assert {left, right} in ({"R", "L"}, {"A", "P"})
        assert {top, bottom} in ({"A", "P"}, {"S", "I"})
