"""What a node still needs before it can help anybody, in plain words and with where to do it."""

from __future__ import annotations

from dataclasses import dataclass

from core.structures import is_drawn
from review_ui.context import Desk
from review_ui.roles import May, roles_that


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do; `where` is a command or a key of config.yaml, `link` a page."""

    what: str
    why: str
    where: str = ""
    link: str = ""


def still_to_do(room: Desk) -> list[Task]:
    """What is left, in the order in which it is best done; empty when the node is ready."""
    return [*_people(room), *_peers(room), *_structures(room)]


def _people(room: Desk) -> list[Task]:
    if room.store.accounts.names_with(roles_that(May.APPROVE)):
        return []
    return [
        Task(
            "Make an account for a physician",
            "Nobody may approve a contour yet.",
            link="/users/",
        )
    ]


def _peers(room: Desk) -> list[Task]:
    """Until something came, and something arrived, nobody knows that the addresses are right."""
    found, dicom = [], room.settings.dicom
    if not room.store.cases.all():
        found.append(
            Task(
                "Push a planning CT to this node",
                f"Nothing has come yet. Enter {dicom.ae_title}, port {dicom.port}, as a "
                "destination in the treatment planning system.",
                where="config.yaml: dicom",
            )
        )
    arrived = {d.destination for d in room.store.deliveries.all(state="SENT")}
    named = {name for rule in room.settings.rules for name in rule.destinations}
    found += [
        Task(
            f"See that {peer.name} hears this node",
            f"Approved structure sets go to {peer.ae_title} at {peer.host}:{peer.port}; none has "
            "arrived there yet. The page Status asks it by a button.",
            where="config.yaml: peers",
            link="/status",
        )
        for peer in room.settings.peers
        if peer.name in named - arrived
    ]
    return found


def _structures(room: Desk) -> list[Task]:
    return [
        Task(
            f"Give {structure.name} a starting model",
            "Until it has one, it is contoured from scratch. The node learns by itself after two "
            "approved patients; a starting model of synthetic patients helps from the first on.",
            where="recontour train --cold-start",
            link="/models/",
        )
        if is_drawn(structure.name)
        else Task(
            f"Give {structure.name} a first model",
            "Until it has one, it is contoured from scratch. The node learns by itself after two "
            "approved patients, or from contours that you have.",
            where=f"recontour import-labels FOLDER --roi {structure.name}",
            link="/models/",
        )
        for structure in room.settings.structures
        if room.store.learning.released(structure.name) is None
    ]
