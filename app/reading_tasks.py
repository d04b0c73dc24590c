"""What the sandbox's reader does with files from outside. Runs confined, in a process of its own.

Every task takes paths as text and plain values, writes what is large below the case's folder, and
returns plain values. It sees no database and no settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.case_files import CaseFiles
from core.plans import BEAM
from core.structure_files import write_structures
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtplan_reader import read_plan
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.summing import sum_of_doses


def series(paths: Sequence[str], *, data_folder: str, case_id: str, assembly: str) -> Any:
    """Write the volume of a CT series; returns its geometry and findings."""
    ct = read_ct([Path(path) for path in paths])
    CaseFiles(Path(data_folder)).write_ct(case_id, assembly, ct)
    return {"geometry": ct.geometry.to_json(), "findings": ct.findings}


def dose(paths: Sequence[str], *, data_folder: str, case_id: str, instance_id: int) -> Any:
    """Write a dose grid that is shown by itself; returns what it is of, shape, and DVHs."""
    read = read_dose(Path(paths[0]))
    # A beam's dose is only shown as part of a sum, which is made from the instances.
    if read.origin.summation_type != BEAM:
        CaseFiles(Path(data_folder)).write_dose(case_id, instance_id, read.volume)
    return {
        "origin": read.origin.to_json(),
        "shape": read.volume.geometry.shape,
        "dvhs": None if read.dvhs is None else read.dvhs.to_json(),
    }


def sum_doses(paths: Sequence[str], *, data_folder: str, case_id: str, instance_id: int) -> Any:
    """Write the sum of dose grids."""
    # One after the other: they may be large.
    total = sum_of_doses(read_dose(Path(path)).volume for path in paths)
    CaseFiles(Path(data_folder)).write_dose(case_id, instance_id, total)


def plan(paths: Sequence[str]) -> Any:
    """What a plan says of its dose."""
    return read_plan(Path(paths[0])).to_json()


def structures(paths: Sequence[str], *, frame_of_reference_uid: str | None, folder: str) -> None:
    """Write a structure set into `folder`."""
    found = read_structure_set(Path(paths[0]), frame_of_reference_uid=frame_of_reference_uid)
    write_structures(Path(folder), found)


TASKS: dict[str, Callable[..., Any]] = {
    "series": series,
    "dose": dose,
    "sum_doses": sum_doses,
    "plan": plan,
    "structures": structures,
}
