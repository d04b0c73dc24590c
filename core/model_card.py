"""The card of a model version: what an auditor asks of it, as plain values, without a patient."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.records import ModelState, ModelVersion, ShadowPrediction
from core.store import Store

LIMITS = (
    "Not a medical device. Nobody has cleared it for clinical use.",
    "Every contour must be checked by a physician before anything is done with it.",
    "It was judged on few cases of this site; elsewhere it may do worse.",
    "Axial CT without tilt. Other scans were never tried.",
)
ORIGIN_NONE = "corrections made at this site"


def training_set_hash(lines: Iterable[str]) -> str:
    """SHA-256 of what was learned from, one line an item, in whatever order they come."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def card(store: Store, found: ModelVersion) -> dict[str, Any]:
    """The card of a version, from the rows of the store."""
    promoted = store.learning.round_of(found.version)
    detail, figures = found.detail, {} if promoted is None else promoted.figures
    versions, state = store.learning.versions(found.roi_name), store.models.state(found.roi_name)
    return {
        "not_a_medical_device": True,
        "version": found.version,
        "structure": found.roi_name,
        "standing": standing_of(found, state),
        "released_at": found.released_at.isoformat(),
        "origin": found.scores.get("origin", ORIGIN_NONE),
        "parent": found.parent,
        "chain": chain_of(found, versions),
        "validation_dice": found.validation_dice,
        "learned_from": detail.get("learned_from", {}),
        "training_set": [hashed(each) for each in found.training_set],
        "training_set_hash": detail.get("training_set_hash", ""),
        "config": detail.get("config", {}),
        "code_version": detail.get("code_version", ""),
        "scores": {
            kind: _by_hash(found.scores[kind])
            for kind in ("validation", "synthetic")
            if kind in found.scores
        },
        "gate": {
            "verdict": "" if promoted is None else promoted.verdict,
            "figures": figures.get("figures", {}),
            "scores": {who: _by_hash(s) for who, s in figures.get("scores", {}).items()},
        },
        "shadow": shadow_figures(store.shadows.of(found.version)),
        "limits": list(LIMITS),
        "reproduce": {
            "made_by": detail.get("made_by", ""),
            "steps": found.scores.get("steps"),
            "seed": detail.get("seed", []),
            "device": detail.get("device", ""),
            "threads": detail.get("threads"),
            "goes_on_from": found.parent,
        },
    }


def standing_of(found: ModelVersion, state: ModelState) -> str:
    """Where a version stands, in words."""
    if state.in_service == found.version:
        return "in service, pinned" if state.pinned else "in service"
    shadow = ", runs in shadow" if state.shadow == found.version else ""
    words = {"released": "earlier", "waits": "waits", "withdrawn": "rolled back"}
    return f"{words[found.status]}{shadow}"


def chain_of(found: ModelVersion, versions: Sequence[ModelVersion]) -> list[str]:
    """The version and what it goes back to, oldest first."""
    parents = {v.version: v.parent for v in versions}
    chain: list[str] = []
    at: str | None = found.version
    while at is not None and at not in chain:
        chain.insert(0, at)
        at = parents.get(at)
    return chain


def shadow_figures(shadows: Sequence[ShadowPrediction]) -> dict[str, Any]:
    """Means over the cases a version predicted in shadow, and over those approved since."""
    done = [s for s in shadows if not s.error]
    return {
        "cases": len(done),
        "failures": len(shadows) - len(done),
        **{
            of: _means([s.figures[of] for s in done if of in s.figures])
            for of in ("against_served", "against_approved", "served_against_approved")
        },
    }


def hashed(name: str) -> str:
    """A name of ours that leads nowhere outside the store."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _means(found: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """Mean Dice, mean absolute differences of volume and mean dose, and how many there are."""
    doses = [abs(f["mean_gy"]) for f in found if f["mean_gy"] is not None]
    count = len(found)
    return {
        "cases": count,
        "dice": sum(f["dice"] or 0.0 for f in found) / count if count else None,
        "volume_cc": sum(abs(f["volume_cc"] or 0.0) for f in found) / count if count else None,
        "mean_gy": sum(doses) / len(doses) if doses else None,
    }


def _by_hash(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {hashed(case): score for case, score in scores.items()}
