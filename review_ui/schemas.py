"""Bodies that browsers send. An unknown field or a wrong type is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from review_ui.border import LARGEST_ROW

Count = Annotated[int, Field(ge=0, le=LARGEST_ROW)]
"""As large as the database can hold."""
TabId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{8,64}$")]
"""Names one browser tab; made by it at random."""
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,31}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TabBody(_Body):
    """Which tab speaks."""

    tab: TabId


class OpenBody(TabBody):
    """Which tab wants a case; `take_over` where it is somebody else's."""

    take_over: bool = False


StructureName = Annotated[str, Field(min_length=1, max_length=64)]
"""The structure that a page is of: another may be under review meanwhile."""


class TakeBackBody(TabBody):
    """Whose approval is taken back, and which tab goes on."""

    roi: StructureName


class RejectBody(TabBody):
    """Why a case gets no structure set."""

    roi: StructureName
    reason: Annotated[str, Field(max_length=500)]


class PassOnBody(TabBody):
    """Who goes on with a case."""

    to: Annotated[str, Field(min_length=1, max_length=64)]


class TurnBody(_Body):
    """Which structure of a case is reviewed next."""

    roi: StructureName


class ReopenBody(_Body):
    """Why a closed case is taken up again."""

    roi: StructureName
    reason: Annotated[str, Field(max_length=500)]


Action = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,31}$")]
Key = Annotated[str, StringConstraints(pattern=r"^(ctrl\+)?(shift\+)?(\+|[^\s+]{1,20})$")]


class KeysBody(_Body):
    """Keys of the review page by action, where they are not those it comes with."""

    keys: Annotated[
        dict[Action, Annotated[list[Key], Field(min_length=1, max_length=4)]],
        Field(max_length=200),
    ]


class JournalBody(_Body):
    """The next entry of a journal. A stroke tells which voxels changed, and by what tool."""

    tab: TabId
    seq: Annotated[Count, Field(ge=1)]
    kind: Literal["stroke", "undo", "redo"]
    tool: Literal["add", "remove", "erase"] | None = None
    plane: Literal["axial", "sagittal", "coronal"] | None = None
    slice: Count | None = None
    runs: str | None = None
    radius_mm: Annotated[float, Field(gt=0, le=500)] | None = None
    name: Word | None = None
    removes: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = {n for n in (*STROKE_NEEDS, *STROKE_MAY_HAVE) if getattr(self, n) is not None}
        if self.kind == "stroke" and not given.issuperset(STROKE_NEEDS):
            raise ValueError(f"a stroke needs {', '.join(STROKE_NEEDS)}")
        if self.kind != "stroke" and given:
            raise ValueError(f"{self.kind} carries nothing but its number")
        if self.removes is not None and self.tool != "add":
            raise ValueError("only a step that adds removes voxels beside that")
        return self

    def payload(self) -> dict[str, Any]:
        """What is kept beside number and kind."""
        if self.kind != "stroke":
            return {}
        named = {name: getattr(self, name) for name in (*STROKE_NEEDS, *STROKE_MAY_HAVE)}
        return {name: value for name, value in named.items() if value is not None}


STROKE_NEEDS = ("tool", "plane", "slice", "runs")
STROKE_MAY_HAVE = ("radius_mm", "name", "removes")


class ApproveBody(_Body):
    """What the page shows at the moment of approval; the node's replay must come to the same."""

    tab: TabId
    seq: Count
    voxels: Count
    crc32: Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
    slices_seen: Annotated[list[Count], Field(max_length=10000)]


Said = Annotated[str, StringConstraints(max_length=64)]
Told = bool | int | float | Said | Annotated[list[float], Field(max_length=4)]


def _of_our_time(at: datetime) -> datetime:
    """`at`, unless no browser's clock can say so; the first and last years have no time in UTC."""
    if not 2000 <= at.year < 9999:
        raise ValueError("a time since the year 2000 is expected")
    return at


class InteractionBody(_Body):
    """One thing the reviewer did."""

    at: Annotated[AwareDatetime, AfterValidator(_of_our_time)]
    kind: Word
    detail: Annotated[dict[Said, Told], Field(max_length=8)]


class EventsBody(_Body):
    """A batch of interactions."""

    events: Annotated[list[InteractionBody], Field(max_length=500)]

    def as_done(self) -> list[tuple[datetime, str, dict[str, Any]]]:
        """When, what and how of each."""
        return [(event.at, event.kind, dict(event.detail)) for event in self.events]
