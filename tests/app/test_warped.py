"""Real CTs as virtual patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.clinic_contours import write_contours
from app.clinic_dicom import Called, write_phantom
from app.experiment.sizes import SIZES, stream_of
from app.phantom import Phantom
from app.warped import Scan, called_after, scans_in, warped
from core.errors import ImportRefusedError, UnreadableObjectError
from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dicom_node.objects.ct_reader import read_ct
from tests.support.shared_data import shared_data

GEOMETRY = VolumeGeometry((40, 60, 60), (-90.0, -90.0, 5.0), (4.0, 3.0, 3.0), "2.25.1")
SPACING_MM = (3.0, 3.0, 3.0)


def ball(geometry: VolumeGeometry, radius_mm: float) -> Mask:
    at = np.indices(geometry.shape)
    away = [
        (index - (n - 1) / 2) * step
        for index, n, step in zip(at, geometry.shape, geometry.spacing_mm, strict=True)
    ]
    return np.asarray(sum(a**2 for a in away) <= radius_mm**2)


@pytest.fixture(scope="module")
def scan() -> Scan:
    """A ball of 300 HU in air; what is contoured is the ball."""
    mask = ball(GEOMETRY, 45.0)
    return Scan(2, 1, Volume(np.where(mask, 300, -3024).astype(np.int16), GEOMETRY), mask)


def test_the_contour_goes_where_the_image_goes(scan: Scan) -> None:
    made = warped(scan, 5, spacing_mm=SPACING_MM)
    assert made.volume.geometry.spacing_mm == (4.0, 3.0, 3.0)  # no thinner than the scan
    half_hu = made.volume.values - (300 - 1024) / 2
    clear = np.abs(half_hu) > 1.0  # beyond what rounding to whole HU can turn over
    np.testing.assert_array_equal(made.heart[clear], half_hu[clear] > 0)
    assert made.volume.values.min() == -1024


def test_bends_differ_from_the_scan_and_from_each_other_and_keep_its_size(scan: Scan) -> None:
    made = [warped(scan, seed, spacing_mm=SPACING_MM).heart for seed in range(6)]
    volumes = [one.sum() / scan.mask.sum() for one in made]
    assert 0.75 < min(volumes) < max(volumes) < 1.35
    first, *others = made
    for other in others:
        assert 0.5 < 2 * (first & other).sum() / (first.sum() + other.sum()) < 0.97


def test_the_same_seed_gives_the_same_bend(scan: Scan) -> None:
    first, again = (warped(scan, 5, spacing_mm=SPACING_MM) for _ in range(2))
    np.testing.assert_array_equal(first.volume.values, again.volume.values)
    assert first.volume.geometry == again.volume.geometry


def test_all_bends_of_a_scan_are_of_one_patient_and_each_is_a_study_of_its_own(
    scan: Scan, tmp_path: Path
) -> None:
    identities = []
    for seed in (5, 6):
        bend = warped(scan, seed, spacing_mm=(20.0, 6.0, 6.0))
        written = write_phantom(tmp_path / str(seed), bend, called_after(bend))
        ct = read_ct(list(written.ct_paths))
        np.testing.assert_array_equal(ct.volume.values, bend.volume.values)
        identities.append(ct.identity)
    assert {i.patient_id for i in identities} == {"SCAN-01"}
    assert len({i.study_instance_uid for i in identities}) == 2


def test_two_cts_of_one_patient_are_of_one_patient_and_those_of_nobody_are_not(
    tmp_path: Path,
) -> None:
    mask = np.zeros((6, 20, 20), bool)
    mask[1:5, 5:15, 5:15] = True
    for number, patient in enumerate(("REAL-7", "REAL-8", "REAL-7", "", "")):
        geometry = VolumeGeometry(
            mask.shape, (0.0, 0.0, 0.0), (5.0, 4.0, 4.0), f"2.25.{number + 7}"
        )
        made = Phantom(Volume(np.where(mask, 40, -900).astype(np.int16), geometry), mask, {})
        called = Called(f"scan {number}", patient, "Real^Name")
        written = write_phantom(tmp_path / f"{number}", made, called)
        ct = read_ct(list(written.ct_paths))
        write_contours(written.dose_path.with_name("RS.dcm"), ct, mask, "Heart")
    assert [scan.patient for scan in scans_in(tmp_path, ["Heart"])] == [0, 1, 0, 3, 4]


def test_unevenly_spaced_slices_are_refused(scan: Scan) -> None:
    offsets = tuple(float(z * 4 + (z > 7)) for z in range(40))
    geometry = VolumeGeometry(
        (40, 60, 60), GEOMETRY.origin_mm, (4.0, 3.0, 3.0), "2.25.1", slice_offsets_mm=offsets
    )
    uneven = Scan(0, 0, Volume(scan.volume.values, geometry), scan.mask)
    with pytest.raises(UnreadableObjectError, match="evenly spaced"):
        warped(uneven, 1, spacing_mm=SPACING_MM)


def test_a_real_ct_with_its_silver_contour_can_be_bent() -> None:
    (scan,) = scans_in(shared_data("chest-totalsegmentator-aorta") / "rt", ["Heart"])
    made = warped(scan, 3, spacing_mm=(5.0, 3.0, 3.0))
    cc, own_cc = (
        made.volume.geometry.volume_cc(made.heart),
        scan.volume.geometry.volume_cc(scan.mask),
    )
    assert 0.75 < cc / own_cc < 1.35
    inside, own = made.volume.values[made.heart], scan.volume.values[scan.mask]
    assert np.median(inside) == pytest.approx(np.median(own), abs=20)


def test_a_ct_without_the_contour_is_refused(tmp_path: Path, scan: Scan) -> None:
    with pytest.raises(UnreadableObjectError, match="No CT series"):
        scans_in(tmp_path, ["Heart"])
    bend = warped(scan, 5, spacing_mm=(20.0, 6.0, 6.0))
    write_phantom(tmp_path, bend, called_after(bend))
    with pytest.raises(ImportRefusedError):
        scans_in(tmp_path, ["Heart"])


def test_a_quarter_of_the_stream_are_bends_where_there_are_scans() -> None:
    size = SIZES["small"]
    alone, joined = stream_of(size, 3), stream_of(size, 3, scans=2)
    assert all(p.scan is None for p in alone)
    assert [(p.seed, p.tumour) for p in alone] == [(p.seed, p.tumour) for p in joined]
    bends = [p.scan for p in joined if p.scan is not None]
    assert len(bends) == round(len(joined) / 4)
    assert {bends.count(0), bends.count(1)} == {6}
