"""Which cases wait for a rule to decide on them."""

from __future__ import annotations

import sqlalchemy as sa

from core.records import RECOVERED
from core.rules import FOR_TRAINING
from core.tables import case, instance


def waits_for_a_rule() -> sa.ColumnElement[bool]:
    """Cases assembled before there were rules, or imported to learn from and sent by a peer since.

    The latter is a patient who is planned after all: without a rule he would get no proposal.
    """
    told = sa.cast(case.c.routing, sa.Text)
    # JSON null in one database, SQL NULL in the other and in rows from before.
    unrouted = told.is_(None) | (told == "null")
    sent = sa.exists().where(
        instance.c.series_instance_uid == case.c.series_instance_uid,
        instance.c.calling_ae_title != RECOVERED,
    )
    return unrouted | (told.contains(FOR_TRAINING, autoescape=True) & sent)
