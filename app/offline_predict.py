"""Prediction on a CT from files alone, without a running node; the only offline part with torch."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from app.dose_rows import Row
from app.offline import read_ct_folder
from app.room import Room, software_versions
from app.writing import UNREVIEWED_LABEL
from core.config import Settings
from core.errors import ModelUnavailableError
from core.files import write_whole
from core.store import open_store
from core.volume import CtVolume
from dicom_node.objects.ct_reader import ct_paths_in
from dicom_node.objects.round_trip import verify_structure_set
from dicom_node.objects.rtstruct_writer import WrittenRoi, write_structure_set
from dicom_node.objects.uids import derived_uid
from model.predict import Prediction, Predictor
from model.registry import LoadedModel, load


def predict_command(
    ct_folder: Path,
    out: Path,
    *,
    settings: Settings,
    roi_name: str,
    model: Path | None,
    made_at: datetime | None = None,
) -> list[Row]:
    """Contour `roi_name` on the CT in `ct_folder` and write it to `out` as RTSTRUCT, UNAPPROVED.

    `model` is the folder of one model version; None takes the one in service in the data folder
    of `settings`. The RTSTRUCT is read back by two readers before it appears. Raises
    `ModelUnavailableError` where there is no such model.
    """
    loaded = model_for(settings, roi_name, model)
    ct = read_ct_folder(ct_folder)
    proposed = Predictor(settings.model).predict(ct.volume, loaded)
    roi = _written_roi(settings, roi_name, proposed)
    content = _structure_set(ct, roi, loaded.version, made_at or datetime.now().astimezone())
    with TemporaryDirectory() as folder:
        trial = Path(folder) / "RS.dcm"
        trial.write_bytes(content)
        verify_structure_set(trial, ct, {roi_name: roi.mask}, ct_paths=ct_paths_in(ct_folder))
    write_whole(out, content)
    return [_row(ct, roi_name, loaded, proposed)]


def model_for(settings: Settings, roi_name: str, folder: Path | None) -> LoadedModel:
    """The model version in `folder`, or the one in service; raises `ModelUnavailableError`."""
    if folder is None:
        return _model_in_service(settings, roi_name)
    path = folder.resolve()
    loaded = load(path.parent, path.name)
    if loaded.description.roi_name != roi_name:
        raise ModelUnavailableError(
            f"The model contours {loaded.description.roi_name}, not {roi_name}; name the structure "
            "with --roi or another model with --model."
        )
    return loaded


def _model_in_service(settings: Settings, roi_name: str) -> LoadedModel:
    # Asking must not leave an empty store behind.
    if settings.data_folder.is_dir():
        room = Room(settings, open_store(settings))
        released = room.store.learning.released(roi_name)
        if released is not None:
            return load(room.models_folder, released.version)
    raise ModelUnavailableError(
        f"No model of {roi_name} has been released in {settings.data_folder}; approve cases so "
        "that one is trained, or name the folder of a model with --model."
    )


def _written_roi(settings: Settings, roi_name: str, proposed: Prediction) -> WrittenRoi:
    structure = settings.structure_named(roi_name)
    return WrittenRoi(
        roi_name, proposed.mask, structure.interpreted_type, structure.colour, structure.code
    )


def _structure_set(ct: CtVolume, roi: WrittenRoi, version: str, made_at: datetime) -> bytes:
    # The moment is part of the UID: two runs are two objects, for their dates differ.
    made = (ct.identity.series_instance_uid, version, roi.name, made_at.isoformat())
    return write_structure_set(
        ct,
        [roi],
        sop_instance_uid=derived_uid("offline prediction", *made),
        series_instance_uid=derived_uid("offline prediction series", *made),
        label=UNREVIEWED_LABEL,
        made_at=made_at,
        approval=None,
        software_versions=software_versions(version),
        series_description="Prediction, not reviewed",
    )


def _row(ct: CtVolume, roi_name: str, loaded: LoadedModel, proposed: Prediction) -> Row:
    voxels = int(proposed.mask.sum())
    return {
        "roi_name": roi_name,
        "volume_cc": ct.geometry.volume_cc(proposed.mask),
        "expected_dice": proposed.expected_dice,
        "model_version": loaded.version,
        "seconds": proposed.seconds,
        "note": "" if voxels else "The model found nothing; the structure is empty.",
    }
