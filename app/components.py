"""What the node is made of: every package that it runs with, its version and its licence."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import Distribution, distribution
from typing import Any, cast

from packaging.requirements import Requirement

OURSELVES = "recontour"
# What rt-utils asks for and nobody here has (docs/adr/0010).
LEFT_OUT = frozenset({"opencv-python", "dataclasses"})


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """One package as it is installed here; the licence in the words of its authors."""

    name: str
    version: str
    licence: str


def components() -> list[Component]:
    """Whatever is imported at run time, ourselves first and then by name; not what tests need.

    Raises `PackageNotFoundError` where something that is needed is not installed.
    """
    ourselves = distribution(OURSELVES)
    found: dict[str, Component] = {}
    waiting = list(_needs(ourselves, frozenset()))
    while waiting:
        need = waiting.pop()
        name = _canonical(need.name)
        if name in found or name in LEFT_OUT:
            continue
        package = distribution(need.name)
        found[name] = Component(name, package.version, _licence(package))
        waiting.extend(_needs(package, frozenset(need.extras)))
    first = Component(OURSELVES, ourselves.version, _licence(ourselves))
    return [first, *sorted(found.values())]


def as_cyclonedx(found: list[Component]) -> str:
    """A bill of materials in CycloneDX 1.6, the same text for the same packages."""
    described = [_described(one) for one in found]
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(described))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{name}",
        "version": 1,
        "metadata": {"component": {**described[0], "type": "application"}},
        "components": described[1:],
    }
    return json.dumps(bill, indent=2)


def _described(one: Component) -> dict[str, Any]:
    purl = f"pkg:pypi/{one.name}@{one.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": one.name,
        "version": one.version,
        "purl": purl,
        "licenses": [{"license": {"name": one.licence}}],
    }


def _needs(package: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in package.requires or ():
        need = Requirement(line)
        asked = [{"extra": extra} for extra in extras | {""}]
        if need.marker is None or any(need.marker.evaluate(each) for each in asked):
            yield need


def _licence(package: Distribution) -> str:
    told = cast(Message, package.metadata)
    if expression := told.get("License-Expression"):
        return str(expression)
    classes = [c for c in told.get_all("Classifier", []) if c.startswith("License ::")]
    if classes:
        return "; ".join(c.rpartition(":: ")[2] for c in classes)
    return str(told.get("License", "")).strip().partition("\n")[0]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
