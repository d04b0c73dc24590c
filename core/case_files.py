"""What a case keeps on disk beside its instances: volume, doses, masks, structure sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from core.boxed import Boxed, read_boxed, write_boxed
from core.errors import NoSuchCaseError, UnreadableObjectError
from core.files import array_digest, read_array, read_json, write_array, write_json, write_whole
from core.geometry import Box, Mask, VolumeGeometry
from core.mask_files import box_of_mask_file, read_mask, write_mask
from core.volume import CtVolume, SeriesIdentity, SliceReference, Volume


class CaseFiles:
    """Files of cases below `data_folder`/cases/<case id>. Everything appears whole."""

    def __init__(self, data_folder: Path) -> None:
        self._root = data_folder / "cases"

    def folder(self, case_id: str) -> Path:
        """The folder of a case; ids are 32 hex digits."""
        if len(case_id) != 32 or not set(case_id) <= set("0123456789abcdef"):
            raise NoSuchCaseError("A case id has 32 hex digits. Open the case from the worklist.")
        return self._root / case_id

    def write_ct(self, case_id: str, assembly: str, ct: CtVolume) -> None:
        """Keep the assembled volume, first the voxels, last the description that makes it count."""
        folder = self.folder(case_id)
        write_array(folder / f"ct-{assembly[:16]}.npy", ct.volume.values)
        write_json(
            folder / f"ct-{assembly[:16]}.json",
            {
                "geometry": ct.geometry.to_json(),
                "slices": [asdict(s) for s in ct.slices],
                "identity": asdict(ct.identity),
                "findings": ct.findings,
                "digest": array_digest(ct.volume.values),
            },
        )

    def read_ct(self, case_id: str, assembly: str) -> CtVolume:
        """The volume of one assembly, memory-mapped."""
        folder = self.folder(case_id)
        try:
            facts = read_json(folder / f"ct-{assembly[:16]}.json")
            values = read_array(folder / f"ct-{assembly[:16]}.npy")
        except FileNotFoundError as error:
            raise UnreadableObjectError(
                "The case's volume is not on disk. Send the CT again, or restore the backup."
            ) from error
        return CtVolume(
            volume=Volume(values, VolumeGeometry.from_json(facts["geometry"])),
            slices=tuple(SliceReference(**s) for s in facts["slices"]),
            identity=SeriesIdentity(**facts["identity"]),
            findings=tuple(facts.get("findings", ())),
        )

    def require_whole_ct(self, case_id: str, assembly: str) -> None:
        """Raise `UnreadableObjectError` unless the volume is there and its voxels are as written.

        Volumes written before digests were kept are only read.
        """
        values = self.read_ct(case_id, assembly).volume.values
        digest = read_json(self.folder(case_id) / f"ct-{assembly[:16]}.json").get("digest")
        if digest is not None and array_digest(values) != digest:
            raise UnreadableObjectError(
                f"ct-{assembly[:16]}.npy is not what was assembled; restore it from the backup."
            )

    def write_dose(self, case_id: str, instance_id: int, dose: Volume) -> None:
        """Keep a dose grid in Gy on its own geometry."""
        folder = self.folder(case_id)
        write_array(folder / f"dose-{instance_id}.npy", dose.values)
        write_json(folder / f"dose-{instance_id}.json", dose.geometry.to_json())

    def read_dose(self, case_id: str, instance_id: int) -> Volume:
        """A dose grid in Gy."""
        folder = self.folder(case_id)
        geometry = VolumeGeometry.from_json(read_json(folder / f"dose-{instance_id}.json"))
        return Volume(read_array(folder / f"dose-{instance_id}.npy"), geometry)

    def write_mask(self, case_id: str, name: str, mask: Mask) -> str:
        """Keep a mask under `name` (prediction-<id>, correction-<id> ...); returns its digest."""
        return write_mask(self.folder(case_id) / f"{name}.mask", mask)

    def read_mask(self, case_id: str, name: str, *, digest: str | None = None) -> Mask:
        """The mask kept under `name`; raises `UnreadableObjectError` unless it has `digest`."""
        return read_mask(self.folder(case_id) / f"{name}.mask", digest=digest)

    def mask_box(self, case_id: str, name: str) -> Box | None:
        """The smallest box around the mask kept under `name`, unread; None for an empty one."""
        return box_of_mask_file(self.folder(case_id) / f"{name}.mask")

    def write_probability(self, case_id: str, prediction_id: str, boxed: Boxed) -> None:
        """Keep how probable the structure is in each voxel of the CT, in 1/255."""
        write_boxed(self._probability_path(case_id, prediction_id), boxed)

    def read_probability(self, case_id: str, prediction_id: str) -> Boxed | None:
        """What `write_probability` kept; None where a prediction came without."""
        path = self._probability_path(case_id, prediction_id)
        return read_boxed(path) if path.is_file() else None

    def _probability_path(self, case_id: str, prediction_id: str) -> Path:
        return self.folder(case_id) / f"probability-{prediction_id}.box"

    def structure_set_path(self, case_id: str, source_id: str) -> Path:
        """Where the RTSTRUCT of a prediction or correction lies."""
        return self.folder(case_id) / f"RS.{source_id}.dcm"

    def write_structure_set(self, case_id: str, source_id: str, content: bytes) -> Path:
        """Keep an RTSTRUCT; returns its path."""
        path = self.structure_set_path(case_id, source_id)
        write_whole(path, content)
        return path

    def derived_path(self, case_id: str, kind: str, source_id: str) -> Path:
        """Where the SEG or SR (`kind`) of a prediction or correction lies."""
        return self.folder(case_id) / f"{kind}.{source_id}.dcm"

    def write_derived(self, path: Path, content: bytes) -> Path:
        """Keep an object at its `derived_path`; returns it."""
        write_whole(path, content)
        return path


def reference_name(instance_id: int | str, assembly: str | None) -> str:
    """Name of the mask that a structure set of the TPS amounts to on one assembly."""
    return f"reference-{instance_id}-{(assembly or '')[:16]}"
