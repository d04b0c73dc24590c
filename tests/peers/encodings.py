"""Files in each transfer syntax the node takes, and how DCMTK is told to propose it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.encodings import in_syntax
from tests.support.peers import require_program
from tests.support.synthetic_dicom import written

_PROGRAMS = {
    ExplicitVRLittleEndian: ("dcmconv", "+te"),
    ImplicitVRLittleEndian: ("dcmconv", "+ti"),
    JPEGLosslessSV1: ("dcmcjpeg", "+e1"),
    JPEGLossless: ("dcmcjpeg", "+el", "+sv", "6"),
    JPEGLSLossless: ("dcmcjpls", "+el"),
    RLELossless: ("dcmcrle",),
}


def encoded_file(ds: Dataset, syntax: UID, folder: Path) -> Path:
    """A file of `ds`, which is uncompressed, encoded by DCMTK where it can."""
    if syntax == JPEG2000Lossless:  # DCMTK writes none
        return written([in_syntax(ds, syntax)], folder)[0]
    program, *options = _PROGRAMS[syntax]
    (plain,) = written([ds], folder / "plain")
    target = folder / plain.name
    subprocess.run([require_program(program), *options, plain, target], check=True)
    return target


def proposing(path: Path, folder: Path) -> tuple[str, str, str]:
    """Options that let storescu propose the syntax of a file, and no other."""
    ds = dcmread(path, stop_before_pixels=True)
    config = folder / f"{path.stem}.cfg"
    config.write_text(
        f"[[TransferSyntaxes]]\n[Own]\nTransferSyntax1 = {ds.file_meta.TransferSyntaxUID}\n"
        f"[[PresentationContexts]]\n[One]\nPresentationContext1 = {ds.SOPClassUID}\\Own\n"
        "[[Profiles]]\n[Default]\nPresentationContexts = One\n"
    )
    return "-xf", str(config), "Default"
