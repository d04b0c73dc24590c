"""The stream: the same patients for every recipe, as mixed as it says."""

import dataclasses
from collections import Counter

import numpy as np

from benchmarks.stream.patients import HELD_OUT, THICKNESSES_MM, patient_of, plans_of
from benchmarks.stream.sizes import FULL, TINY


def test_forty_patients_have_all_thicknesses_twelve_per_cent_tumours_and_half_have_contrast():
    for stream in FULL.seeds:
        plans = plans_of(stream, 40)
        counts = Counter(plan.thickness_mm for plan in plans)
        assert set(counts) == set(THICKNESSES_MM)
        assert min(counts.values()) >= 6
        assert sum(plan.tumour for plan in plans) == 5
        assert sum(plan.contrast for plan in plans) == 20


def test_no_held_out_patient_is_ever_in_a_stream():
    learned = {plan.seed for stream in FULL.seeds for plan in plans_of(stream, 40)}
    held_out = {plan.seed for plan in plans_of(HELD_OUT, 12)}
    assert len(learned) == 120
    assert len(held_out) == 12
    assert not learned & held_out


def test_a_patient_read_from_the_folder_is_the_one_that_was_drawn(tmp_path):
    plan = dataclasses.replace(plans_of(0, 3)[0], thickness_mm=5.0)
    drawn = patient_of(tmp_path, plan, TINY)
    again = patient_of(tmp_path, plan, TINY)
    assert np.array_equal(drawn.volume.values, again.volume.values)
    assert np.array_equal(drawn.heart, again.heart)
    assert drawn.volume.geometry == again.volume.geometry
    assert drawn.volume.geometry.spacing_mm == (5.0, 6.0, 6.0)
    assert 300 < drawn.volume.geometry.volume_cc(drawn.heart) < 1500


def test_the_user_s_box_is_the_heart_and_20_mm(tmp_path):
    patient = patient_of(tmp_path, plans_of(0, 3)[0], TINY)
    box = patient.user_box()
    outside = patient.heart.copy()
    outside[box] = False
    assert not outside.any()
    row_mm = patient.volume.geometry.spacing_mm[1]
    first = int(np.flatnonzero(patient.heart.any((0, 2)))[0])
    assert (first - box[1].start) * row_mm == 18.0  # 20 mm in whole voxels of 6 mm


def test_a_damaged_file_is_drawn_anew(tmp_path):
    plan = plans_of(0, 3)[1]
    heart = patient_of(tmp_path, plan, TINY).heart
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    assert np.array_equal(patient_of(tmp_path, plan, TINY).heart, heart)
