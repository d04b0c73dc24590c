"""A contour as another system would send it: the TPS of the synthetic clinic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from core.geometry import Mask
from core.volume import CtVolume
from dicom_node.objects.rtstruct_writer import WrittenRoi, write_structure_set
from dicom_node.objects.uids import derived_uid

DRAWN_AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def write_contours(
    path: Path, ct: CtVolume, mask: Mask, roi_name: str, *, label: str = "TPS"
) -> Path:
    """An RTSTRUCT of `mask` on `ct`, as another system would send it."""
    made = (path.name, ct.identity.series_instance_uid, roi_name)
    content = write_structure_set(
        ct,
        [WrittenRoi(roi_name, mask, "ORGAN", (255, 0, 0))],
        sop_instance_uid=derived_uid("reference", *made),
        series_instance_uid=derived_uid("reference series", *made),
        label=label,
        made_at=DRAWN_AT,
        approval=None,
        software_versions=("1",),
        series_description="Reference",
    )
    path.write_bytes(content)
    return path
