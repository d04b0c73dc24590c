"""How much synthetic patients look like real ones: shares of HU around the heart, and a picture.

    python -m benchmarks.likeness [--data FOLDER] [--out FOLDER]

--data holds the cases of ../shared/data (or RT_TEST_DATA): chest CTs with a silver contour of the
heart. In the box around the heart and 25 mm beside it, the share of voxels between given HU is
told for each real CT, for a bend of it, and for phantoms in the same phase of contrast medium. The
last line is JSON. Bar: no share of a real CT is further beyond what its phantoms show than the two
real CTs are from one another. With --out a picture is written: phantoms, real CTs, bends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from app.phantom import Phantom, make_phantom
from app.phantom_contrast import Phase
from app.warped import scans_in, warped
from core.geometry import Mask
from core.volume import Volume

EDGES_HU = (-700, -200, -70, 0, 60, 130)
CASES: dict[str, Phase] = {
    "chest-crlm-1006": "venous",
    "chest-totalsegmentator-aorta/rt": "arterial",
}
FIRST_SEED, PHANTOMS, DRAWN = 700_000, 16, 2
MARGIN_MM, SPACING_MM = 25.0, (3.0, 2.0, 2.0)
WINDOW_HU, TALL = (-160.0, 240.0), 200
CONTOUR = (255, 209, 102)

Shares = npt.NDArray[np.float64]
Found = tuple[str, Volume, Mask]


def main() -> int:
    """Measure, print the table and the verdict; 0 when the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--data", "--out"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    data = asked.data or Path(
        os.environ.get("RT_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data"
    )
    if not data.is_dir():
        _say(json.dumps({"needs": "the real cases", "holds": None}))
        return 0
    _say(
        f"{'% of voxels by HU':28}" + "".join(f"{'< ' + str(hu):>8}" for hu in EDGES_HU) + "  above"
    )
    beyond: dict[str, float] = {}
    drawn: list[Found] = []
    reals: list[Shares] = []
    for number, (case, phase) in enumerate(CASES.items(), 1):
        (scan,) = scans_in(data / case, ["Heart"])
        phantoms = [_of(f"{phase} phantom {n}", _phantom(n, phase)) for n in range(PHANTOMS)]
        bend = _of(f"bend of {number}", warped(scan, FIRST_SEED, spacing_mm=SPACING_MM))
        shares = np.stack([around_heart(volume, mask) for _, volume, mask in phantoms])
        least, most = shares.min(axis=0), shares.max(axis=0)
        real = around_heart(scan.volume, scan.mask)
        _row(f"{phase} phantoms, least", least)
        _row(f"{phase} phantoms, mean", shares.mean(axis=0))
        _row(f"{phase} phantoms, most", most)
        _row(f"real CT {number}, {phase}", real)
        _row(bend[0], around_heart(*bend[1:]))
        beyond[case] = round(max(0.0, float(np.maximum(least - real, real - most).max())), 1)
        reals.append(real)
        drawn += [*phantoms[:DRAWN], (f"real CT {number}", scan.volume, scan.mask), bend]
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        _picture(drawn).save(asked.out / "likeness.png", optimize=True)
    apart = round(float(np.abs(reals[0] - reals[1]).max()), 1)
    holds = max(beyond.values()) <= apart
    points = {"points_beyond_the_phantoms": beyond, "points_between_the_real_cts": apart}
    _say(json.dumps({**points, "holds": holds}))
    return 0 if holds else 1


def around_heart(volume: Volume, mask: Mask) -> Shares:
    """Percent of the voxels around a heart between the HU of `EDGES_HU`, lowest first."""
    voxels = np.argwhere(mask)
    margin = np.ceil(MARGIN_MM / np.asarray(volume.geometry.spacing_mm)).astype(int)
    low, high = np.maximum(voxels.min(0) - margin, 0), voxels.max(0) + margin + 1
    values = volume.values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    counts = np.bincount(np.digitize(values.ravel(), EDGES_HU), minlength=len(EDGES_HU) + 1)
    return np.asarray(100.0 * counts / counts.sum(), np.float64)


def _phantom(number: int, phase: Phase) -> Phantom:
    return make_phantom(FIRST_SEED + number, spacing_mm=SPACING_MM, contrast=phase)


def _of(name: str, made: Phantom) -> Found:
    return name, made.volume, made.heart


def _row(name: str, shares: Shares) -> None:
    _say(f"{name:28}" + "".join(f"{share:8.1f}" for share in shares))


def _picture(shown: Sequence[Found]) -> Image.Image:
    """Each scan where its heart is largest: axial above, coronal below, with the contour."""
    columns = [_column(*one) for one in shown]
    whole = Image.new("RGB", (sum(c.width for c in columns), columns[0].height + 18), "black")
    left = 0
    for column in columns:
        whole.paste(column, (left, 18))
        left += column.width
    words = "Phantoms are synthetic; contours of real CTs are silver. Not a medical device."
    ImageDraw.Draw(whole).text((4, 3), words, fill="white")
    return whole


def _column(name: str, volume: Volume, mask: Mask) -> Image.Image:
    slice_mm, row_mm, column_mm = volume.geometry.spacing_mm
    k, row = int(mask.sum((1, 2)).argmax()), int(mask.sum((0, 2)).argmax())
    axial = _tile(volume.values[k], mask[k], row_mm / column_mm)
    coronal = _tile(volume.values[::-1, row], mask[::-1, row], slice_mm / column_mm)
    both = Image.new("RGB", (max(axial.width, coronal.width) + 4, 2 * TALL + 16), "black")
    both.paste(axial, (0, 16))
    both.paste(coronal, (0, 16 + TALL))
    ImageDraw.Draw(both).text((4, 2), name, fill="white")
    return both


def _tile(values: npt.NDArray[np.int16], mask: Mask, ratio: float) -> Image.Image:
    low, high = WINDOW_HU
    grey = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1) * 255
    size = (round(TALL * grey.shape[1] / (grey.shape[0] * ratio)), TALL)
    how = Image.Resampling.BILINEAR
    inside = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, how)) > 127
    core = np.logical_and.reduce([np.roll(inside, s, a) for a in (0, 1) for s in (-1, 1)])
    picture = np.stack([np.asarray(Image.fromarray(grey).resize(size, how))] * 3, axis=-1)
    picture[inside & ~core] = CONTOUR
    return Image.fromarray(picture.astype(np.uint8))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
