"""Plans, and which plan a dose was computed for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

# (fraction group number, beam number): beam numbers are unique in a plan, fraction groups share it.
BeamKey = tuple[int, int]

PLAN, MULTI_PLAN, BEAM = "PLAN", "MULTI_PLAN", "BEAM"
EFFECTIVE = "EFFECTIVE"


@dataclass(frozen=True, slots=True)
class PlannedBeam:
    """One beam of a fraction group; dose (Gy) and meterset are those of one fraction."""

    number: int
    name: str
    dose_gy: float | None
    meterset: float | None
    treats: bool


@dataclass(frozen=True, slots=True)
class FractionGroup:
    """Beams that are given together, `fractions` times (None: the plan does not say)."""

    number: int
    fractions: int | None
    beams: tuple[PlannedBeam, ...]
    brachy_setups: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an RT Plan says about the dose that is computed for it (PS3.3 A.20).

    `prescriptions_gy` are the prescribed doses of its targets, the highest first.
    """

    sop_instance_uid: str
    label: str
    name: str
    approval_status: str
    prescriptions_gy: tuple[float, ...]
    fraction_groups: tuple[FractionGroup, ...]
    structure_set_uid: str | None
    dose_uids: tuple[str, ...] = ()

    def prescription(self) -> str:
        """The prescription in words: "14 Gy in 7 fractions"; "" where the plan has none."""
        doses = " and ".join(f"{gray:g} Gy" for gray in self.prescriptions_gy)
        counts = [str(g.fractions) for g in self.fraction_groups if g.fractions]
        fractions = f"{' + '.join(counts)} fraction{'' if counts == ['1'] else 's'}"
        return " in ".join(part for part in (doses, fractions if counts else "") if part)

    def treatment_beams(self) -> frozenset[BeamKey]:
        """Every beam that gives dose; beams for imaging at setup give none."""
        return frozenset(
            (group.number, beam.number)
            for group in self.fraction_groups
            for beam in group.beams
            if beam.treats
        )

    def has_brachytherapy(self) -> bool:
        """Whether part of the dose comes from sources and not from beams."""
        return any(group.brachy_setups for group in self.fraction_groups)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The plan that `to_json` wrote."""
        groups = tuple(
            FractionGroup(**{**group, "beams": tuple(PlannedBeam(**b) for b in group["beams"])})
            for group in values["fraction_groups"]
        )
        lists = {name: tuple(values[name]) for name in ("prescriptions_gy", "dose_uids")}
        return cls(**{**values, **lists, "fraction_groups": groups})


@dataclass(frozen=True, slots=True)
class DoseOrigin:
    """What a dose grid is the dose of.

    `summation_type` is Dose Summation Type (3004,000A) and `dose_type` Dose Type (3004,0004);
    `beams` are those a BEAM dose was computed for. `instance_uids` are the RT Dose instances it
    was made of: several where BEAM doses were summed to the dose of their plan. `description` is
    what the sender calls it, Series Description (0008,103E): a made-up dose may say so there.
    """

    summation_type: str
    dose_type: str
    plan_uids: tuple[str, ...]
    beams: tuple[BeamKey, ...] = ()
    instance_uids: tuple[str, ...] = ()
    description: str = ""

    def words(self, plans: Iterable[Plan]) -> str:
        """The plan and its prescription: "Plan B1, 14 Gy in 7 fractions"."""
        known = {plan.sop_instance_uid: plan for plan in plans}
        mine = [known[uid] for uid in self.plan_uids if uid in known]
        named = " + ".join(_plan_words(plan) for plan in mine)
        if len(mine) < len(self.plan_uids) or not mine:
            named = f"{named} + a plan that did not come" if named else "Plan not received"
        kind = "" if self.summation_type in {PLAN, MULTI_PLAN} else f", {self.summation_type} dose"
        made = (
            f", sum of {len(self.instance_uids)} beam doses" if len(self.instance_uids) > 1 else ""
        )
        effective = ", effective (RBE-weighted) dose" if self.dose_type == EFFECTIVE else ""
        return f"{named}{kind}{made}{effective}"

    def limits(self) -> tuple[str, ...]:
        """What a figure on this dose is not, a sentence each."""
        found = []
        if self.summation_type not in {PLAN, MULTI_PLAN}:
            kind = self.summation_type
            found.append(f"The dose is of a part of the plan ({kind}), not of the whole plan.")
        if self.dose_type == EFFECTIVE:
            found.append("The dose is effective (RBE-weighted), not physical.")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The origin that `to_json` wrote."""
        return cls(
            summation_type=values["summation_type"],
            dose_type=values["dose_type"],
            plan_uids=tuple(values["plan_uids"]),
            beams=tuple((int(group), int(beam)) for group, beam in values["beams"]),
            instance_uids=tuple(values["instance_uids"]),
            description=values.get("description", ""),
        )


def _plan_words(plan: Plan) -> str:
    status = "" if plan.approval_status == "APPROVED" else f" ({plan.approval_status.lower()})"
    prescription = f", {plan.prescription()}" if plan.prescription() else ""
    return f"Plan {plan.label}{status if plan.approval_status else ''}{prescription}"
