"""A delivered case, and the TPS that goes on with what it got."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from app import delivering
from app.clinic import running_tps
from app.room import Room
from core.geometry import Mask
from core.rasterise import contours_of_mask
from core.records import Case, Correction
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.settings import free_port
from tests.support.synthetic_dicom import ct_series, encoded, rtdose, written

SHAPE = (8, 30, 30)
SPACING_MM = (3.0, 2.0, 2.0)
SENT: Mask = np.zeros(SHAPE, bool)
SENT[2:6, 10:20, 8:20] = True
WIDER: Mask = SENT.copy()
WIDER[3, 10:20, 20:22] = True
"""Two columns more on one slice: 20 voxels of 2 x 2 x 3 mm, 0.24 cc."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A case whose heart was approved and accepted by the TPS at `structure_set`."""

    room: Room
    case_id: str
    approved: Correction
    structure_set: Path

    @property
    def case(self) -> Case:
        """The case as it stands."""
        return self.room.store.cases.get(self.case_id)

    def received_by_tps(self) -> Dataset:
        """What the TPS holds of us."""
        return dcmread(self.structure_set)

    def edited(self, mask: Mask) -> Dataset:
        """The structure set with another heart, as a TPS exports it: an object of its own."""
        ds = self.received_by_tps()
        geometry = self.case.geometry
        assert geometry is not None
        (series,) = (
            ds.ReferencedFrameOfReferenceSequence[0]
            .RTReferencedStudySequence[0]
            .RTReferencedSeriesSequence
        )
        contours = []
        for k, polygons in contours_of_mask(mask, geometry).items():
            for points_mm in polygons:
                contour = Dataset()
                contour.ContourImageSequence = [series.ContourImageSequence[k]]
                contour.ContourGeometricType = "CLOSED_PLANAR"
                contour.NumberOfContourPoints = len(points_mm)
                contour.ContourData = [f"{mm:.2f}" for mm in points_mm.ravel()]
                contours.append(contour)
        ds.ROIContourSequence[0].ContourSequence = contours
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.SeriesInstanceUID = generate_uid()
        ds.Manufacturer = "Varian Medical Systems"
        return ds

    def exported(self, ds: Dataset) -> Path:
        """`ds` as a file of the TPS."""
        path = self.structure_set.parent / f"back-{generate_uid()}.dcm"
        path.write_bytes(encoded(ds))
        return path

    def comes_back(self, ds: Dataset) -> None:
        """The TPS pushes `ds` to the node, which looks at it."""
        receive(self.room, [self.exported(ds)])
        bring_up_to_date(self.room)


def deliver_a_case(folder: Path, *, returning: str) -> Delivered:
    """A CT with a dose arrives, `SENT` is approved as its heart and delivered over the network."""
    port = free_port()
    room = open_room(folder, destination_port=port, returning=returning)
    ct = ct_series(shape=SHAPE, spacing_mm=SPACING_MM)
    dose = rtdose(
        lambda x, y, z: 20.0 + 0.2 * x, shape=(10, 14, 14), spacing_mm=(3.0, 5.0, 5.0), ct=ct[0]
    )
    receive(room, written([*ct, dose], folder / "pushed"))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    approved = approve_mask(room, case.id, SENT)
    with running_tps(folder / "tps", ae_title="TPS", port=port) as tps:
        for row in room.store.deliveries.due(now=room.now()):
            assert delivering.deliver(room, row.id) == "SENT"
    bring_up_to_date(room)
    (path,) = tps.received.values()
    return Delivered(room, case.id, approved, path)
