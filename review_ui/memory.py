"""Volumes that a review asks for again and again, kept in memory for the cases last used.

Nothing here is the truth: a layer is replayed from the journal, and only entries that came since
are applied. Several web processes may each have their own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from core.case import CaseState
from core.errors import UnreadableObjectError
from core.geometry import Mask, VolumeGeometry
from core.journal import CorrectionLayer
from core.records import MANUAL, Case, Prediction
from core.rules import structure_under_review
from core.store import Store
from dose.metrics import RoiDose, roi_dose

KEPT_CASES = 4
"""A clinical case takes about 150 MB here."""


@dataclass(slots=True)
class RememberedCase:
    """One case's masks; `lock` is held while they change."""

    geometry: VolumeGeometry
    prediction_id: str | None
    prediction: Mask | None
    layer: CorrectionLayer
    lock: threading.Lock = field(default_factory=threading.Lock)
    # (dose instance id, journal entry): figures of the correction as it stood then.
    measured: tuple[tuple[int, int], RoiDose] | None = None
    # dose instance id: figures of the prediction, which never changes.
    measured_prediction: tuple[int, RoiDose] | None = None


class CaseMemory:
    """The cases used last, each with the structure under review; else `roi_name`."""

    def __init__(self, store: Store, roi_name: str) -> None:
        self._store = store
        self._default_roi = roi_name
        self._cases: OrderedDict[tuple[str | None, ...], RememberedCase] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, current: Case) -> RememberedCase:
        """The case's masks, from memory or from disk; the layer may lag behind the journal."""
        geometry = require_geometry(current)
        roi_name = structure_under_review(current, self._default_roi)
        shown = shown_prediction(self._store, current, roi_name)
        # A rule may come later and name another structure: strokes of one are never another's.
        key = (current.id, current.assembly, roi_name, shown.id if shown else None)
        with self._lock:
            if key not in self._cases:
                self._cases[key] = self._load(current, geometry, shown)
            self._cases.move_to_end(key)
            while len(self._cases) > KEPT_CASES:
                self._cases.popitem(last=False)
            return self._cases[key]

    def layer_of(self, current: Case, remembered: RememberedCase) -> CorrectionLayer:
        """The correction layer with every kept entry applied. Call it with the lock held."""
        layer = remembered.layer
        roi_name = structure_under_review(current, self._default_roi)
        layer.apply_all(self._store.reviews.entries(current.id, roi_name, after=layer.last_seq))
        return layer

    def _load(
        self, current: Case, geometry: VolumeGeometry, shown: Prediction | None
    ) -> RememberedCase:
        mask = None
        if shown is not None:
            mask = self._store.files.read_mask(
                current.id, f"prediction-{shown.id}", digest=shown.mask_digest
            )
        return RememberedCase(
            geometry=geometry,
            prediction_id=shown.id if shown else None,
            prediction=mask,
            layer=CorrectionLayer(geometry.shape),
        )


def require_geometry(current: Case) -> VolumeGeometry:
    """The grid of the case; raises `UnreadableObjectError` before its volume is assembled."""
    if current.geometry is None:
        raise UnreadableObjectError(
            "The case has no volume yet. Wait until its series is complete."
        )
    return current.geometry


def shown_prediction(store: Store, current: Case, roi_name: str) -> Prediction | None:
    """The prediction a reviewer sees: the newest, until the first opening fixes one.

    None for a case in the arm MANUAL.
    """
    if current.state in {CaseState.ASSEMBLED, CaseState.PREDICTED}:
        if current.arm == MANUAL:
            return None
        return store.cases.latest_prediction(current, roi_name)
    fixed = store.reviews.base_prediction(current.id, roi_name)
    return None if fixed is None else store.cases.prediction(fixed)


def measure(
    memory: CaseMemory, current: Case, dose_id: int, store: Store
) -> tuple[RoiDose | None, RoiDose]:
    """(prediction, correction as the journal stands) on one dose grid."""
    remembered = memory.recall(current)
    dose = store.files.read_dose(current.id, dose_id)
    with remembered.lock:
        if remembered.prediction is not None and (
            remembered.measured_prediction is None or remembered.measured_prediction[0] != dose_id
        ):
            figures = roi_dose(dose, remembered.prediction, remembered.geometry)
            remembered.measured_prediction = (dose_id, figures)
        layer = memory.layer_of(current, remembered)
        key = (dose_id, layer.last_seq)
        if remembered.measured is None or remembered.measured[0] != key:
            mask = layer.corrected(remembered.prediction)
            remembered.measured = (key, roi_dose(dose, mask, remembered.geometry))
        predicted = remembered.measured_prediction
        return (predicted[1] if predicted else None), remembered.measured[1]


def start_of(store: Store, current: Case, shown: Prediction | None) -> tuple[int, int, int]:
    """(column, row, slice) where a review begins: the middle of the structure or of the volume."""
    box = None if shown is None else store.files.mask_box(current.id, f"prediction-{shown.id}")
    if box is None:
        slices, rows, columns = require_geometry(current).shape
        return columns // 2, rows // 2, slices // 2
    z, y, x = ((one.start + one.stop - 1) // 2 for one in box)
    return x, y, z
