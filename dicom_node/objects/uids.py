"""UIDs of objects this node makes."""

from __future__ import annotations

import hashlib


def derived_uid(*parts: str) -> str:
    """A UID that depends on `parts` alone, so that a job done twice makes one object.

    2.25 followed by a 120 bit number (PS3.5 B.2 allows 128): at most 42 characters.
    """
    # Joined with lengths: ("ab", "c") and ("a", "bc") must not meet.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    digest = hashlib.sha256(text.encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"
