"""The structures that the store holds corrections or models of, configured or not."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from core.database import reading
from core.errors import ConfigError
from core.model_tables import model_version
from core.tables import correction


def kept_structures(engine: sa.Engine) -> tuple[str, ...]:
    """Their names as the store knows them, sorted."""
    query = sa.union(sa.select(correction.c.roi_name), sa.select(model_version.c.roi_name))
    with reading(engine) as connection:
        return tuple(sorted(connection.scalars(query)))


def require_kept_spelling(engine: sa.Engine, configured: Iterable[str]) -> None:
    """Raise `ConfigError` where a name differs from a kept one in case or spaces alone.

    To the store it would be another structure: what was learned and approved would be left behind.
    """
    kept = kept_structures(engine)
    for name in configured:
        # A space at an end was permitted once; nobody can write such a name any more.
        meant = [k for k in kept if _letters(k) == _letters(name) and k == k.strip()]
        if meant and name not in meant:
            known = " or ".join(map(repr, meant))
            raise ConfigError(
                f"structures: {name!r} is in config.yaml; corrections or models of it are kept as "
                f"{known}, and would be left behind. Write {known} there, and in rules."
            )


def _letters(name: str) -> str:
    return "".join(name.casefold().split())
