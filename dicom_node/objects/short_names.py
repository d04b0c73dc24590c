"""Names as treatment planning systems take them: at most 16 characters, each once."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 16


def plain(text: str, longest: int) -> str:
    """`text` as one value of at most `longest` characters (PS3.5 6.2, LO and SH)."""
    # A backslash would make two values of one; control characters are not allowed.
    one = text.replace("\\", "/")
    return "".join(c for c in one if c.isprintable()).strip()[:longest].rstrip()


def short_names(names: Sequence[str]) -> list[str]:
    """For each name one of at most 16 characters that no other has, upper or lower case alike.

    A name that fits is kept. A longer one is cut at its end; where the cut name is taken, the end
    gives way to ~2, ~3 and so on, in the order of `names`. A name that is there twice is numbered
    too. Equal input gives equal names.
    """
    cleaned = [plain(name, len(name)) for name in names]
    kept = {name.casefold() for name in cleaned if len(name) <= LONGEST}
    found: list[str] = []
    for name in cleaned:
        taken = {other.casefold() for other in found}
        keep = len(name) <= LONGEST and name.casefold() not in taken
        found.append(name if keep else _free(name, taken | kept))
    return found


def _free(name: str, taken: set[str]) -> str:
    short, number = plain(name, LONGEST), 1
    while short.casefold() in taken:
        number += 1
        end = f"~{number}"
        short = plain(name, LONGEST - len(end)) + end
    return short
