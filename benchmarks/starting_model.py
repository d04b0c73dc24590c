"""A starting model, which never saw a patient, on real CTs: Dice, distances, and pictures.

    python -m benchmarks.starting_model [--model FOLDER] [--data FOLDER] [--out FOLDER]

FOLDER of --model is a version in the registry (data/models/<version>); without it, the newest there
that learned from synthetic patients alone. --data holds the cases of
../shared/data (or RT_TEST_DATA). The masks are silver: drawn by hand for reference, 2 to 5 mm off,
not by physicians; no figure is a clinical accuracy. With --out pictures are written. The last line
is JSON. Bar: Dice 0.85 on both chest CTs, nothing or a doubt where no heart is in view.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from PIL import Image, ImageDraw

from app.cold_start import ORIGIN
from core.config import load_settings
from core.geometry import Mask, VolumeGeometry
from core.rasterise import mask_of_contours
from core.surfaces import surface_distances
from core.volume import Volume
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from model.postprocess import holes_filled
from model.predict import Prediction, Predictor
from model.preprocess import dice
from model.registry import LoadedModel, load, versions

BAR = 0.85
CONFIG = Path(__file__).parents[1] / "config.yaml"
CHESTS = {
    "chest-crlm-1006": ("CT", "rt/RS.silver.dcm"),
    "chest-totalsegmentator-aorta": ("rt/CT", "rt/RS.silver.dcm"),
}
ABDOMEN = "abdomen-totalsegmentator-examples/example_ct.nii.gz"
WINDOW_HU = (-125.0, 250.0)
PICTURES, TALL = 5, 220
PREDICTED, SILVER = (74, 163, 255), (255, 209, 102)


@dataclass(frozen=True, slots=True)
class Shown:
    """A scan with what was proposed on it, and the silver mask where there is one."""

    name: str
    volume: Volume
    found: Prediction
    silver: Mask | None


def main() -> int:
    """Predict on each scan, print the table and the verdict; 0 when the bar holds."""
    asked = _arguments()
    torch.set_num_threads(1)
    data = asked.data or Path(
        os.environ.get("RT_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data"
    )
    model = _model(asked.model)
    if model is None or not data.is_dir():
        needs = "a starting model (recontour train --cold-start, or --model) and the real cases"
        _say(json.dumps({"needs": needs, "holds": None}))
        return 0
    shown = _predicted(model, data)
    rows = [_row(one) for one in shown]
    _say(f"{'scan (silver masks)':32}{'Dice':>7}{'HD95 mm':>9}{'cc':>7}{'silver':>8}{'expects':>9}")
    for row in rows:
        _say(
            f"{row['scan']:32}{row['dice']:>7}{row['hausdorff_95_mm']:>9}{row['cc']:>7.0f}"
            f"{row['silver_cc']:>8}{row['expected_dice']:>9.2f}"
        )
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        for one in shown:
            _picture(one).save(asked.out / f"{one.name}.png", optimize=True)
    holds = all(row["dice"] >= BAR for row in rows[:-1]) and rows[-1]["cc"] == 0
    _say(json.dumps({"model": model.version, "scans": rows, "holds": holds}))
    return 0 if holds else 1


def _model(folder: Path | None) -> LoadedModel | None:
    if folder is None:
        return newest_starting_model(load_settings(CONFIG).data_folder / "models")
    return load(folder.resolve().parent, folder.resolve().name)


def newest_starting_model(models: Path) -> LoadedModel | None:
    """The newest version below `models` that learned from synthetic patients alone."""
    known = [load(models, version) for version in versions(models)]
    starts = [one for one in known if one.description.scores.get("origin") == ORIGIN]
    return max(starts, key=lambda one: one.description.created_at, default=None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--model", "--data", "--out"):
        parser.add_argument(name, type=Path)
    return parser.parse_args()


def _predicted(model: LoadedModel, data: Path) -> list[Shown]:
    settings = load_settings(CONFIG).model.model_copy(update={"device": "cpu"})
    predictor = Predictor(settings)
    shown = []
    for name, (ct, structure_set) in CHESTS.items():
        volume = read_ct(ct_paths_in(data / name / ct)).volume
        heart = read_structure_set(data / name / structure_set).roi_named("Heart")
        assert heart is not None
        contours = [c.points_mm for c in heart.contours]
        silver = mask_of_contours(contours, volume.geometry).mask
        shown.append(Shown(name, volume, predictor.predict(volume, model), silver))
    volume = _nifti(data / ABDOMEN)
    shown.append(Shown("abdomen, no heart", volume, predictor.predict(volume, model), None))
    return shown


def _nifti(path: Path) -> Volume:
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")  # type: ignore[no-untyped-call]
    values = sitk.GetArrayFromImage(image).astype(np.int16)
    x, y, z = image.GetOrigin()
    column_mm, row_mm, slice_mm = image.GetSpacing()
    return Volume(
        values, VolumeGeometry(values.shape, (x, y, z), (slice_mm, row_mm, column_mm), "2.25.1")
    )


def _row(one: Shown) -> dict[str, Any]:
    geometry, found = one.volume.geometry, one.found
    row: dict[str, Any] = {
        "scan": one.name,
        "dice": "-",
        "hausdorff_95_mm": "-",
        "silver_cc": "-",
        "cc": round(geometry.volume_cc(found.mask), 1),
        "expected_dice": round(found.expected_dice, 3),
        "seconds": round(found.seconds, 2),
    }
    if one.silver is not None:
        apart = surface_distances(found.mask, one.silver, geometry.spacing_mm)
        row["dice"] = round(dice(found.mask, one.silver), 3)
        row["hausdorff_95_mm"] = round(apart.hausdorff_95_mm(), 1)
        row["silver_cc"] = round(geometry.volume_cc(one.silver))
    return row


def _picture(one: Shown) -> Image.Image:
    """Axial slices from base to apex, and the coronal one: silver yellow, proposed blue."""
    mask = one.silver if one.silver is not None else one.found.mask
    voxels = np.argwhere(mask) if mask.any() else np.argwhere(np.ones_like(mask))
    low, high = voxels.min(0), voxels.max(0)
    spacing_mm = one.volume.geometry.spacing_mm
    tiles = [
        _tile(one, (int(k),), (spacing_mm[1], spacing_mm[2]))
        for k in np.linspace(low[0], high[0], PICTURES + 2)[1:-1]
    ]
    middle = int(voxels[:, 1].mean())
    tiles.append(_tile(one, (slice(None, None, -1), middle), (spacing_mm[0], spacing_mm[2])))
    whole = Image.new("RGB", (sum(t.width for t in tiles), TALL + 18), "black")
    left = 0
    for tile in tiles:
        whole.paste(tile, (left, 18))
        left += tile.width
    words = (
        f"{one.name}: proposed blue, silver mask yellow (not a physician's). Not a medical device."
    )
    ImageDraw.Draw(whole).text((4, 3), words, fill="white")
    return whole


def _tile(one: Shown, where: tuple[Any, ...], mm: tuple[float, float]) -> Image.Image:
    low, high = WINDOW_HU
    grey = np.clip((one.volume.values[where].astype(float) - low) / (high - low), 0, 1)
    size = (max(1, round(TALL * grey.shape[1] * mm[1] / (grey.shape[0] * mm[0]))), TALL)
    picture = np.stack([_sized(grey * 255, size, Image.Resampling.BILINEAR)] * 3, axis=-1)
    for mask, colour in ((one.silver, SILVER), (one.found.mask, PREDICTED)):
        if mask is not None:
            inside = _sized(mask[where] * 255.0, size, Image.Resampling.BILINEAR) > 127
            picture[inside & ~_inner(inside)] = colour
    return Image.fromarray(picture.astype(np.uint8))


def _sized(
    values: np.typing.NDArray[Any], size: tuple[int, int], how: Image.Resampling
) -> np.typing.NDArray[Any]:
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, how))


def _inner(inside: Mask) -> Mask:
    core = holes_filled(inside)
    for axis in (0, 1):
        for step in (-1, 1):
            core = core & np.roll(inside, step, axis)
    return core


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
