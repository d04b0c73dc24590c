"""Records that the rooms hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.case import CaseState, Split
from core.geometry import VolumeGeometry

RECOVERED = "RECOVERED"
"""Calling AE title of an instance whose row was made again from its file."""


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What the node must know of an instance in order to keep and to join it.

    `referenced_uids` are SOP Instance UIDs this object refers to (RTDOSE -> plan, structure set;
    RTPLAN -> structure set; RTSTRUCT -> series). `expected_count` is how many instances the sender
    says the series has (0020,1209). Identity fields are never logged.
    """

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    frame_of_reference_uid: str | None = None
    referenced_uids: tuple[str, ...] = ()
    patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    study_date: str = ""
    study_description: str = ""
    series_description: str = ""
    protocol_name: str = ""
    body_part_examined: str = ""
    study_time: str = ""
    study_id: str = ""
    accession_number: str = ""
    series_number: str = ""
    instance_number: str = ""
    expected_count: int | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One kept instance; `path` is relative to the data folder."""

    id: int
    header: InstanceHeader
    path: str
    sha256: str
    size_bytes: int
    calling_ae_title: str
    received_at: datetime
    kept_aside: bool


@dataclass(frozen=True, slots=True)
class Routing:
    """What the rules decided for a series when it was assembled.

    `because` says which rule fired and why; `priority` is urgent, normal or low; `group` is whose
    the case is (core.group_store), empty: everybody's.
    """

    rule: str
    structures: tuple[str, ...]
    destinations: tuple[str, ...]
    priority: str
    because: str
    group: str = ""


ASSISTED, MANUAL, OBSERVER = "assisted", "manual", "observer"
"""How a contour comes about: on what is proposed, from scratch, by a second observer."""


@dataclass(frozen=True, slots=True)
class Case:
    """One planning series and what is known of its way.

    `assembly` names the set of instances the volume was built from; it changes when slices arrive
    late, and everything made on an older assembly is void. `findings` are what was noticed about
    the series, one sentence each. `under_review` is the structure of the rule that is reviewed now
    (None: the first), and `state` is where that one stands. `arm` is ASSISTED or MANUAL: what is
    proposed for a manual case is shown to nobody before it is closed.
    """

    id: str
    series_instance_uid: str
    study_instance_uid: str
    state: CaseState
    reason: str
    created_at: datetime
    updated_at: datetime
    patient_id: str
    patient_name: str
    patient_birth_date: str
    study_date: str
    description: str
    frame_of_reference_uid: str | None = None
    assembly: str | None = None
    assembled_count: int = 0
    geometry: VolumeGeometry | None = None
    split: Split | None = None
    findings: tuple[str, ...] = ()
    routing: Routing | None = None
    under_review: str | None = None
    assigned_to: str | None = None
    expected_impact_gy: float | None = None
    arm: str = ASSISTED


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a released model proposed for one ROI of a case.

    `doubts` is what it gave away about itself: `sentences`, `odd` (their kinds), `estimates`, the
    expected `dice` (value, low, high, or None), the `calibration` behind it, and for each `dose`
    what was expected of the mean. Empty for a prediction from before doubts were kept.
    """

    id: str
    case_id: str
    assembly: str
    roi_name: str
    model_version: str
    mask_digest: str
    expected_dice: float
    seconds: float
    created_at: datetime
    doubts: dict[str, Any] = field(default_factory=dict)


REVIEWED, RETURNED, IMPORTED, STROKES = "review", "returned", "imported", "strokes"


@dataclass(frozen=True, slots=True)
class Correction:
    """What teaches of a structure: as a rule what a physician approved on which prediction.

    `origin` is REVIEWED for our page, RETURNED for a structure set edited in the TPS: then
    `approved_by` is the AE title that sent it, and `approved_at` when it came. IMPORTED: drawn
    elsewhere, `approved_by` imported it; it trains and goes nowhere. STROKES: nobody approved;
    what was painted up to `journal_seq` is all there is, and `mask_digest` is empty.
    """

    id: str
    case_id: str
    assembly: str
    roi_name: str
    prediction_id: str | None
    approved_by: str
    approved_at: datetime
    mask_digest: str
    slices_seen: tuple[int, ...]
    journal_seq: int
    origin: str = REVIEWED


@dataclass(frozen=True, slots=True)
class Returned:
    """A structure that came back after delivery, compared with what we sent.

    `matched_by` is how it was known to be ours: same_uid, predecessor or series_and_roi. Figures
    are of what came back against what was sent; `added_path_length_mm` as in core.path_length.
    `became` is the correction it became, if it did; `note` says in a sentence why it may not.
    """

    case_id: str
    roi_name: str
    instance_id: int
    matched_by: str
    compared_with: str
    dice: float
    sent_cc: float
    returned_cc: float
    added_path_length_mm: float
    note: str
    created_at: datetime
    became: str | None = None

    @property
    def unchanged(self) -> bool:
        """Whether it came back voxel for voxel as it was sent."""
        return self.dice == 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One approved structure set on its way to one destination.

    `commitment` is where its storage commitment stands (see core.asked_store), empty where the
    destination is not asked; `commitment_error` why it was not committed.
    """

    id: str
    case_id: str
    correction_id: str
    destination: str
    state: str
    attempts: int
    last_error: str
    sop_instance_uid: str | None
    created_at: datetime
    next_try_at: datetime
    begun_at: datetime | None
    sent_at: datetime | None
    commitment: str = ""
    commitment_error: str = ""
    roi_name: str = ""

    @property
    def is_held_back(self) -> bool:
        """Whether its approval may still be taken back: it was to wait, and has not begun."""
        never_tried = self.begun_at is None and self.attempts == 0 and self.state == "QUEUED"
        return never_tried and self.next_try_at > self.created_at


@dataclass(frozen=True, slots=True)
class DoseFigure:
    """Dose of one contour on one dose grid. `coverage` is the volume fraction inside the grid."""

    case_id: str
    roi_name: str
    source: str
    source_id: str
    dose_instance_id: int
    volume_cc: float
    mean_gy: float | None
    minimum_gy: float | None
    maximum_gy: float | None
    coverage: float
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What a correction changed of the prediction it began from, as edition `edition` measures it.

    Distances as in core.surfaces, None where one of both is empty; the path length as in
    core.path_length. `added_cc` and `removed_cc` are what is in one of both alone.
    """

    correction_id: str
    edition: int
    dice: float
    surface_dice_2mm: float
    surface_dice_3mm: float
    hausdorff_95_mm: float | None
    mean_surface_mm: float | None
    added_path_length_mm: float
    predicted_cc: float
    added_cc: float
    removed_cc: float
    created_at: datetime


RELEASED, WAITS, WITHDRAWN = "released", "waits", "withdrawn"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A model that passed the gate: its files are named after `version`, and what it scored.

    `status`: RELEASED into service, now or once; WAITS while another version is pinned; WITHDRAWN
    by a rollback. `detail` is what its card says besides (see core.model_card).
    """

    version: str
    roi_name: str
    parent: str | None
    validation_dice: float
    scores: dict[str, Any]
    training_set: tuple[str, ...]
    released_at: datetime
    status: str = RELEASED
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelState:
    """What is in service for a structure, whether it is pinned, and what runs in shadow.

    `changed_by_hand_at` is when a person last rolled back.
    """

    roi_name: str
    in_service: str | None = None
    pinned: bool = False
    shadow: str | None = None
    shadow_since: datetime | None = None
    changed_by_hand_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CorrectionCheck:
    """Whether a correction may be learned from: `suspicions` in words, `figures` they rest on.

    A suspicious one is not learned from until somebody else than who approved it has decided:
    `decision` is released, discarded or None.
    """

    correction_id: str
    case_id: str
    roi_name: str
    suspicions: tuple[str, ...]
    figures: dict[str, Any]
    checked_at: datetime
    decision: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ShadowPrediction:
    """What a version in shadow proposed on a case; `error` says why it could not.

    `figures` compare it with the prediction that was served and with what was approved.
    """

    id: str
    case_id: str
    roi_name: str
    assembly: str
    model_version: str
    mask_digest: str | None
    expected_dice: float | None
    seconds: float | None
    error: str
    created_at: datetime
    measured_against: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Round:
    """One training run from a set of corrections, going on from the version `parent`.

    `figures` are its kind where it is no ordinary round, its curve, and those of its verdict.
    """

    id: str
    roi_name: str
    corrections: tuple[str, ...]
    state: str
    step: int
    steps: int
    loss: float | None
    validation_dice: float | None
    verdict: str
    started_at: datetime
    finished_at: datetime | None
    version: str | None = None
    parent: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_challenger(self) -> bool:
        """Whether it began anew, where rounds from the model in service had led no further."""
        return self.figures.get("kind") == CHALLENGER


@dataclass(frozen=True, slots=True)
class Observation:
    """A second observer's contour of a structure; `mask_digest` once it is signed.

    Once it is `withdrawn_at` nobody asks for it any more. `assembly` is the volume it lies on,
    `tab` the browser tab that goes on with it.
    """

    id: str
    case_id: str
    roi_name: str
    assembly: str
    observer: str
    assigned_by: str
    assigned_at: datetime
    tab: str = ""
    signed_at: datetime | None = None
    mask_digest: str | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step of a review as the browser made it (see core.journal)."""

    seq: int
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
