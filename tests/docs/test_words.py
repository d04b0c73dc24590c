"""Terms of DICOM and of the field are spelled as the standard and their owners spell them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY, page, rows

TEMPLATES = sorted((REPOSITORY / "review_ui" / "templates").rglob("*.html"))
RIGHT = {
    r"Dicom|dicom(?!:)": "DICOM",
    r"DICOM-RT|DICOMRT|Dicom-RT": "DICOM RT",
    r"RT[- ]?[Ss]truct|RT-STRUCT|[Rr]tstruct|rt[- ]struct": "RTSTRUCT or RT Structure Set",
    r"RT[- ]Dose[- ]?[Gg]rid|RT-Dose|RTDose|RT-DOSE|[Rr]tdose": "RTDOSE or RT Dose",
    r"RT-Plan|RTPlan|RT-PLAN|[Rr]tplan": "RTPLAN or RT Plan",
    r"[Ss]tructure-[Ss]et|[Ss]tructureset": "structure set",
    r"C-(?:[Ss]tore|[Ff]ind|[Mm]ove|[Gg]et|[Ee]cho)|CSTORE|C STORE": "C-STORE, C-FIND ...",
    r"N-(?:[Aa]ction|[Ee]vent-[Rr]eport)": "N-ACTION, N-EVENT-REPORT",
    r"AE-[Tt]itle|AET|ae title|Ae title": "AE title",
    r"[Tt]ransfer-[Ss]yntax": "transfer syntax",
    r"SOP-[Cc]lass|SOP-[Ii]nstance|Sop": "SOP class, SOP instance",
    r"[Ff]rame-[Oo]f-[Rr]eference": "frame of reference",
    r"Uid|UID's": "UID, UIDs",
    r"Pacs|PACs": "PACS",
    r"Haus+dorf|Haussdorff": "Hausdorff",
    r"H\.U\.|Houns?field-|Hounsefield": "HU or Hounsfield units",
    r"gy|cgy|CGy": "Gy",
    "eclipse": "Eclipse",
    "Aria": "ARIA",
    "orthanc|ORTHANC": "Orthanc",
    "Dcmtk|dcmtk": "DCMTK",
    r"TG 263|TG263": "TG-263",
}
_CODE = re.compile(r"^```.*?^```$|`[^`]*`|\]\([^)]*\)|<https?:[^>]*>", re.DOTALL | re.MULTILINE)
_MARKUP = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<[^>]*>", re.DOTALL)


def misspelled(text: str) -> list[str]:
    """Every wrong spelling with what it should be."""
    return [
        f"{found[0]}: write {right}"
        for wrong, right in RIGHT.items()
        for found in re.finditer(rf"(?<![\w/.-])(?:{wrong})(?!\w)", text)
    ]


def test_a_wrong_spelling_is_found_and_code_is_let_be() -> None:
    text = "The RTStruct goes by C-Store; `rtstruct_reader` and [x](../dicom.md) are names."
    assert misspelled(_CODE.sub(" ", text)) == [
        "RTStruct: write RTSTRUCT or RT Structure Set",
        "C-Store: write C-STORE, C-FIND ...",
    ]


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: path.name)
def test_terms_are_spelled_as_the_standard_spells_them(path: Path) -> None:
    markup = _MARKUP if path.suffix == ".html" else _CODE
    assert misspelled(markup.sub(" ", path.read_text())) == []


def test_the_glossary_is_in_order_and_has_each_word_once() -> None:
    words = [word for row in rows(page("docs/glossary.md")) for word in row[0].split(", ")]
    assert len(set(words)) == len(words) > 50
    first = [row[0].lower() for row in rows(page("docs/glossary.md"))]
    assert first == sorted(first)
