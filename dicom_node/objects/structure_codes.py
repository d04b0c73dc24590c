"""Codes that say which organ a ROI is, whatever its name."""

from __future__ import annotations

from pydicom.dataset import Dataset

from core.config import CodeSettings


def identification_code(code: CodeSettings) -> Dataset:
    """Item of RT ROI Identification Code Sequence (3006,0086).

    With the whole context group: Eclipse drops a code that comes without its version.
    """
    item = Dataset()
    item.CodeValue, item.CodeMeaning = code.value, code.meaning
    item.CodingSchemeDesignator = code.scheme
    item.CodingSchemeVersion = code.scheme_version
    item.MappingResource = code.mapping_resource
    item.ContextGroupVersion = code.context_group_version
    item.ContextIdentifier = code.context_identifier
    item.ContextUID = code.context_uid
    item.MappingResourceUID = code.mapping_resource_uid
    item.MappingResourceName = code.mapping_resource_name
    return item
