"""The DICOM conformance statement: network, objects and settings on one page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

from app.statement_samples import LONG_NAME, REVIEWER, Sample
from core.config import Settings
from dicom_node.network.conformance import network_statement, table
from dicom_node.objects import (
    contour_reader,
    ct_findings,
    ct_frames,
    ct_reader,
    hounsfield,
    localizer,
    pixels,
    rtdose_reader,
    rtplan_reader,
    rtstruct_reader,
)
from dicom_node.objects.attribute_tables import (
    Written,
    content_tree,
    read_attributes,
    written_attributes,
)
from dicom_node.objects.short_names import short_names

_READERS = {
    "CT Image, Enhanced CT Image": (
        ct_reader,
        ct_frames,
        ct_findings,
        hounsfield,
        localizer,
        pixels,
    ),
    "RT Dose": (rtdose_reader,),
    "RT Structure Set": (rtstruct_reader, contour_reader),
    "RT Plan": (rtplan_reader,),
}


def conformance_statement(settings: Settings) -> str:
    """The statement as Markdown, with the settings in force; the same settings, the same text."""
    with tempfile.TemporaryDirectory() as folder:
        samples = [Sample(Path(folder) / str(n), n, settings) for n in (0, 1)]
        sources = _sources(samples, settings)
        made = {
            "RT Structure Set": [s.structure_set() for s in samples],
            "Segmentation": [s.seg() for s in samples],
            "Comprehensive 3D SR": [s.report() for s in samples],
        }
        created = [
            (name, written_attributes(one, other, sources), one)
            for name, (one, other) in made.items()
        ]
    lines: list[str] = []
    for number, (name, attributes, ds) in enumerate(created, start=1):
        lines += ["", f"#### 8.1.{number} {name}", "", _created_table(attributes)]
        if content := content_tree(ds):
            lines += ["", "Content tree:", "", _content_table(content)]
    lines += ["", "### 8.2 Used attributes of received IODs", ""]
    lines += ["What the readers look at. An attribute that is missing where it is needed is named."]
    for number, (name, modules) in enumerate(_READERS.items(), start=1):
        rows = read_attributes(modules)
        lines += ["", f"#### 8.2.{number} {name}", "", table(("attribute", "tag", "VR"), rows)]
    return network_statement(settings) + "\n".join(lines) + "\n"


def _sources(samples: Iterable[Sample], settings: Settings) -> dict[str, str]:
    """Where values come from that were put in."""
    found = {REVIEWER: "USER", f"{REVIEWER}^": "USER", version("highdicom"): "AUTO"}
    structure = settings.structures[0]
    configured = [structure.name, structure.interpreted_type, *short_names([LONG_NAME])]
    configured += [LONG_NAME, "\\".join(map(str, structure.colour)), f"{structure.name} 1"]
    configured += [settings.dicom.ae_title]
    if structure.code is not None:
        configured += structure.code.model_dump().values()
    found |= dict.fromkeys(configured, "CONFIG")
    for sample in samples:
        copied = [*astuple(sample.ct.identity), sample.ct.geometry.frame_of_reference_uid]
        copied += [s.sop_instance_uid for s in sample.ct.slices]
        found |= dict.fromkeys((str(value) for value in copied if value), "COPY")
    return found


def _created_table(attributes: Sequence[Written]) -> str:
    rows = [
        (">" * a.depth + a.name, a.tag, a.vr, a.value, a.presence, a.source) for a in attributes
    ]
    return table(("attribute", "tag", "VR", "value", "presence", "source"), rows)


def _content_table(content: Sequence[tuple[int, str, str, str]]) -> str:
    rows = [(">" * depth + name, kind, how) for depth, how, kind, name in content]
    return table(("concept", "value type", "relationship"), rows)
