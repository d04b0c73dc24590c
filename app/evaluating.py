"""`recontour evaluate`: a model against contours that people made, case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.checking import check_what_is_new
from app.import_folder import FoundSeries, contour_in, series_in
from app.room import Room
from core.case import Split
from core.config import ModelSettings
from core.errors import EvaluationError, RecontourError
from core.geometry import Mask
from core.records import Case, Correction
from core.surfaces import surface_distances
from core.volume import CtVolume, Volume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtdose_reader import read_dose
from dose.difference import dice
from dose.metrics import RoiDose, roi_dose
from model.predict import Prediction, Predictor
from model.registry import LoadedModel

Row = dict[str, Any]
TOLERANCES_MM = (2.0, 3.0)
FOLDER_ORIGIN = "folder"
NOTHING = "nothing predicted"


@dataclass(frozen=True, slots=True)
class Reference:
    """A contour that a model is held against; `mask` lies on the CT, `dose` in Gy may be absent."""

    ct: CtVolume
    mask: Mask
    dose: Volume | None


@dataclass(frozen=True, slots=True)
class Subject:
    """One case, to be read when its turn comes.

    `origin` is that of its correction, or FOLDER_ORIGIN; `split` its set, "" without one; `taught`
    the corrections of it that rounds learn from.
    """

    name: str
    origin: str
    split: str
    taught: frozenset[str]
    read: Callable[[], Reference]


def approved_subjects(room: Room, roi_name: str) -> list[Subject]:
    """What was approved, came back or was imported, training first; raises `EvaluationError`.

    What looks wrong and waits for a second person is not among them.
    """
    check_what_is_new(room, roi_name)
    known = room.store.learning.learning_set(roi_name)
    subjects = [
        Subject(
            made.case_id,
            made.origin,
            *_taught(room, room.store.cases.get(made.case_id), roi_name),
            _reader_of(room, made),
        )
        for made in (*known.train, *known.validation)
    ]
    if not subjects:
        raise EvaluationError(
            f"No {roi_name} has been approved; approve cases, or name a folder with --data."
        )
    return subjects


def folder_subjects(room: Room | None, folder: Path, names: tuple[str, ...]) -> list[Subject]:
    """The CT series of a folder with contours of one of `names`, our own name first.

    `room` knows whether a series was learned from. Raises `EvaluationError` where there is none.
    """
    found = series_in(folder)
    if not found:
        raise EvaluationError(f"No CT instance is in {folder}; name the folder of the CT.")
    subjects = []
    for series in found:
        uid = series.header.series_instance_uid
        current = None if room is None else room.store.teaching.case_of_series(uid)
        split, taught = _taught(room, current, names[0])
        subjects.append(
            Subject(series.name, FOLDER_ORIGIN, split, taught, _reader_in(series, names))
        )
    return subjects


def _taught(room: Room | None, current: Case | None, roi_name: str) -> tuple[str, frozenset[str]]:
    """The set of a case, and the corrections of it that rounds learn from."""
    if room is None or current is None or current.split is None:
        return "", frozenset()
    if current.split is not Split.TRAIN:
        return current.split, frozenset()
    made = room.store.teaching.corrections(current.id, roi_name)
    return current.split, frozenset(c.id for c in made)


def evaluate(
    subjects: list[Subject],
    model: LoadedModel,
    settings: ModelSettings,
    told: Callable[[int], None],
) -> Iterator[Row]:
    """A row for each subject; one that cannot be read has a note and no figures."""
    predictor = Predictor(settings)
    for done, subject in enumerate(subjects, start=1):
        row: Row = {"case": subject.name, "origin": subject.origin, "split": subject.split}
        try:
            reference = subject.read()
            proposed = predictor.predict(reference.ct.volume, model)
        except RecontourError as error:
            row |= dict.fromkeys(FIGURES) | {"learned_from": None, "flags": "", "note": str(error)}
        else:
            learned = not subject.taught.isdisjoint(model.description.training_set)
            row |= {"learned_from": learned, **_figures(reference, proposed), "note": ""}
        yield row
        told(done)


FIGURES = (
    "dice",
    "surface_dice_2mm",
    "surface_dice_3mm",
    "hausdorff_95_mm",
    "predicted_cc",
    "reference_cc",
    "predicted_mean_gy",
    "reference_mean_gy",
    "mean_difference_gy",
    "expected_dice",
    "seconds",
)


def _figures(reference: Reference, proposed: Prediction) -> Row:
    geometry = reference.ct.geometry
    apart = surface_distances(proposed.mask, reference.mask, geometry.spacing_mm)
    there = _dose(reference, proposed.mask)
    truth = _dose(reference, reference.mask)
    found = bool(proposed.mask.any())
    flags = [] if found else [NOTHING]
    if truth is not None and truth.coverage < 1.0:
        flags.append("the dose grid does not cover all of it")
    if geometry.slice_offsets_mm is not None:
        flags.append("distances on uneven slices are rough")
    return {
        "dice": dice(proposed.mask, reference.mask),
        "surface_dice_2mm": apart.surface_dice(TOLERANCES_MM[0]),
        "surface_dice_3mm": apart.surface_dice(TOLERANCES_MM[1]),
        "hausdorff_95_mm": apart.hausdorff_95_mm() if found else None,
        "predicted_cc": geometry.volume_cc(proposed.mask),
        "reference_cc": geometry.volume_cc(reference.mask),
        "predicted_mean_gy": there and there.mean_gy,
        "reference_mean_gy": truth and truth.mean_gy,
        "mean_difference_gy": _difference(there, truth),
        "expected_dice": proposed.expected_dice,
        "seconds": proposed.seconds,
        "flags": ", ".join(flags),
    }


def _dose(reference: Reference, mask: Mask) -> RoiDose | None:
    if reference.dose is None:
        return None
    return roi_dose(reference.dose, mask, reference.ct.geometry)


def _difference(predicted: RoiDose | None, truth: RoiDose | None) -> float | None:
    """Predicted minus reference, Gy."""
    if predicted is None or truth is None or predicted.mean_gy is None or truth.mean_gy is None:
        return None
    return predicted.mean_gy - truth.mean_gy


def _reader_of(room: Room, made: Correction) -> Callable[[], Reference]:
    def read() -> Reference:
        files = room.store.files
        primary = room.store.doses.primary(made.case_id)
        return Reference(
            ct=files.read_ct(made.case_id, made.assembly),
            mask=files.read_mask(made.case_id, f"correction-{made.id}", digest=made.mask_digest),
            dose=None if primary is None else files.read_dose(made.case_id, primary.instance_id),
        )

    return read


def _reader_in(series: FoundSeries, names: tuple[str, ...]) -> Callable[[], Reference]:
    def read() -> Reference:
        ct = read_ct(series.ct)
        contour = contour_in(series, ct, names)
        return Reference(ct, contour.mask, _whole_dose(series))

    return read


def _whole_dose(series: FoundSeries) -> Volume | None:
    """The first dose that is of a whole plan, physical."""
    for path in series.doses:
        found = read_dose(path)
        if not found.origin.limits():
            return found.volume
    return None
