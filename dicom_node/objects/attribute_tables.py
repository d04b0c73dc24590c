"""Which attributes our objects hold, and which we read: what a conformance statement lists.

Nothing is typed here by hand. What is written is told by objects that the writers made, what is
read by the keywords in the readers' own code.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from pydicom.datadict import dictionary_description, dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_LONGEST_SHOWN = 48
# A tree of its own, of which `content_tree` tells.
_CONTENT = "ContentSequence"
_BULK = frozenset({"PixelData", "ContourData"})


@dataclass(frozen=True, slots=True)
class Written:
    """An attribute of an object we make; `depth` counts the sequences around it.

    `presence` and `source` are in the words of PS3.2: ALWAYS, EMPTY, VNAP (always there, its value
    may be absent), ANAP (not always there); FIXED, AUTO, or what `sources` says of its values.
    """

    depth: int
    name: str
    tag: str
    vr: str
    value: str
    presence: str
    source: str


def written_attributes(one: Dataset, other: Dataset, sources: Mapping[str, str]) -> list[Written]:
    """The attributes of two objects that one writer made from different input, in tag order.

    `sources` says of values that were put in where they come from (COPY, CONFIG, USER). Of the
    others, what is equal in both objects is fixed, what differs was made.
    """
    return list(_written([one], [other], sources, depth=0))


def content_tree(ds: Dataset) -> list[tuple[int, str, str, str]]:
    """(depth, relationship, value type, concept) of each kind of content item of an SR."""
    return list(dict.fromkeys(_content(ds, 0)))


def read_attributes(modules: Sequence[ModuleType]) -> list[tuple[str, str, str]]:
    """(name, tag, VR) of the attributes that the code of `modules` names, in tag order."""
    named: set[str] = set()
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            elif isinstance(node, ast.Attribute):
                named.add(node.attr)
    tags = sorted(tag for word in named if word[:1].isupper() and (tag := tag_for_keyword(word)))
    return [(dictionary_description(tag), _shown(tag), dictionary_VR(tag)) for tag in tags]


def _written(
    ones: Sequence[Dataset], others: Sequence[Dataset], sources: Mapping[str, str], *, depth: int
) -> Iterator[Written]:
    """One line for each attribute of any of these items, which are all of one kind."""
    for tag in sorted(set().union(*(set(item.keys()) for item in (*ones, *others)))):
        mine = [item[tag] for item in ones if tag in item]
        its = [item[tag] for item in others if tag in item]
        everywhere = len(mine) == len(ones) and len(its) == len(others)
        elements = [*mine, *its]
        value, presence, source = _described(elements, sources)
        yield Written(
            depth,
            elements[0].name,
            _shown(tag),
            elements[0].VR,
            value,
            presence if everywhere else "ANAP",
            source,
        )
        if elements[0].VR == "SQ" and elements[0].keyword != _CONTENT:
            below = [[item for element in side for item in element.value] for side in (mine, its)]
            yield from _written(below[0], below[1], sources, depth=depth + 1)


def _described(elements: Sequence[DataElement], sources: Mapping[str, str]) -> tuple[str, str, str]:
    if elements[0].VR == "SQ":
        return "", "ALWAYS", "AUTO"
    values = {_text(element) for element in elements}
    if values == {""}:
        return "", "EMPTY", ""
    presence = "VNAP" if "" in values else "ALWAYS"
    filled = values - {""}
    known = {sources.get(value, "") for value in filled}
    if "" not in known:
        return "", presence, known.pop() if len(known) == 1 else "AUTO"
    if len(filled) == 1 and len(elements) > 1 and elements[0].keyword not in _BULK:
        (value,) = filled
        return value if len(value) <= _LONGEST_SHOWN else "", presence, "FIXED"
    return "", presence, "AUTO"


def _text(element: DataElement) -> str:
    if element.value is None:
        return ""
    if isinstance(element.value, bytes):
        return element.value.hex()
    return "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)


def _content(ds: Dataset, depth: int) -> Iterator[tuple[int, str, str, str]]:
    for item in ds.get(_CONTENT) or []:
        concept = item.get("ConceptNameCodeSequence")
        name = concept[0].CodeMeaning if concept else ""
        yield depth, item.RelationshipType, item.ValueType, name
        yield from _content(item, depth + 1)


def _shown(tag: int) -> str:
    found = Tag(tag)
    return f"({found.group:04X},{found.element:04X})"
