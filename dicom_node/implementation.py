"""How this implementation names itself to its peers (PS3.7 D.3.3.2)."""

from __future__ import annotations

from pydicom.uid import UID

IMPLEMENTATION_CLASS_UID = UID("2.25.262398771645092345071158906531467721011")
IMPLEMENTATION_VERSION_NAME = "RECONTOUR_01"
MANUFACTURER = "Recontour"
