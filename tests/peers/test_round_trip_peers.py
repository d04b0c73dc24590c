"""Our structure sets before two foreign readers: one fills polygons, one counts crossings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.geometry import Mask
from core.rasterise import mask_of_contours
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.dicom_node.structure_sets import ct_on_disk, structure_set_bytes
from tests.support.hard_shapes import EVEN_SERIES, UNEVEN, dice, hard_ct, hard_masks
from tests.support.oracles import by_dcmrtstruct2nii, by_plastimatch, folder_of
from tests.support.synthetic_dicom import ct_series, encoded, rtstruct, written

pytestmark = pytest.mark.peer

Reader = Callable[[Path, Path, Path], dict[str, Mask]]
READERS: list[Reader] = [by_plastimatch, by_dcmrtstruct2nii]
LEAST_DICE = 0.999


def _require_found(found: dict[str, Mask], masks: dict[str, Mask]) -> None:
    overlaps = {name: dice(found[name], mask) for name, mask in masks.items()}
    assert min(overlaps.values()) >= LEAST_DICE, overlaps


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("series", EVEN_SERIES)
def test_a_foreign_reader_finds_the_same_voxels(
    series: str, reader: Reader, tmp_path: Path
) -> None:
    ct, _ = hard_ct(series, tmp_path / "ct")
    masks = hard_masks(ct.geometry)
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    _require_found(reader(tmp_path / "rs.dcm", tmp_path / "ct", tmp_path / "out"), masks)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("zone", [slice(0, 5), slice(4, 9)], ids=["5 mm", "2.5 mm"])
def test_contours_on_uneven_slices_lie_where_a_foreign_reader_sees_each_zone(
    zone: slice, reader: Reader, tmp_path: Path
) -> None:
    """Neither reads uneven slices, but each zone is an even series for itself."""
    ct, paths = hard_ct(UNEVEN, tmp_path / "ct")
    masks = {name: np.zeros_like(mask) for name, mask in hard_masks(ct.geometry).items()}
    for name, mask in hard_masks(ct.geometry).items():
        masks[name][zone] = mask[zone]
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    wanted = {slice_.sop_instance_uid for slice_ in ct.slices[zone]}
    part = folder_of((p for p in paths if p.stem in wanted), tmp_path / "part")
    found = reader(tmp_path / "rs.dcm", part, tmp_path / "out")
    _require_found(found, {n: m[zone] for n, m in masks.items() if m.any()})


def test_a_sieve_with_islands_keeps_its_hundreds_of_holes_for_both(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path / "ct", shape=(4, 40, 40))
    sieve = np.zeros(ct.geometry.shape, np.bool_)
    sieve[1:3, 3:37, 3:37] = True
    sieve[1:3, 6:34:4, 6:34:4] = False
    sieve[1, 15:25, 15:25] = False
    sieve[1, 18:22, 18:22] = True
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, {"Heart": sieve}))
    for reader in READERS:
        found = reader(tmp_path / "rs.dcm", tmp_path / "ct", tmp_path / reader.__name__)
        _require_found(found, {"Heart": sieve})


def test_plastimatch_fills_a_hole_that_is_a_contour_of_its_own(tmp_path: Path) -> None:
    """Why we write keyholes: as two contours it is a hole for the other two alone."""
    series = ct_series(shape=(3, 20, 20), spacing_mm=(3.0, 1.0, 1.0))
    ct = read_ct(written(series, tmp_path / "ct"))
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    contours = [(square * half_mm, None) for half_mm in (8.0, 4.0)]
    (tmp_path / "rs.dcm").write_bytes(encoded(rtstruct(series, {"Ring": contours})))
    (ring,) = read_structure_set(tmp_path / "rs.dcm").rois
    ours = mask_of_contours([c.points_mm for c in ring.contours], ct.geometry).mask
    filled, counted = (
        reader(tmp_path / "rs.dcm", tmp_path / "ct", tmp_path / reader.__name__)["Ring"]
        for reader in READERS
    )
    assert (ours.sum(), counted.sum(), filled.sum()) == (256 - 64, 256 - 64, 256)
