"""Codes that say which organ a ROI is, whatever its name."""

from __future__ import annotations

from pydicom.dataset import Dataset

# Foundational Model of Anatomy, as TG-263 lists it; ROI names without regard to case.
_FMA = {"heart": ("7088", "Heart")}


def identification_code(roi_name: str) -> Dataset | None:
    """Item of RT ROI Identification Code Sequence (3006,0086), None for a name without a code.

    With the context group Eclipse writes itself: without its version it drops the code.
    """
    known = _FMA.get(roi_name.strip().casefold())
    if known is None:
        return None
    item = Dataset()
    item.CodeValue, item.CodeMeaning = known
    item.CodingSchemeDesignator = "FMA"
    item.CodingSchemeVersion = "3.2"
    item.MappingResource = "99VMS"
    item.ContextGroupVersion = "20161209"
    item.ContextIdentifier = "VMS011"
    item.ContextUID = "1.2.246.352.7.2.11"
    item.MappingResourceUID = "1.2.246.352.7.1.1"
    item.MappingResourceName = "Varian Medical Systems"
    return item
