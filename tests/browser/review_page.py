"""The review page as a test drives it: real mouse, real keys, read-only data attributes."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import FloatRect, Page

from core.geometry import Mask, VolumeGeometry
from core.records import JournalEntry
from tests.browser.conftest import Site

# Index axes (slice 0, row 1, column 2): fixed, to the right, along the height, upside down.
PLANES = {"axial": (0, 2, 1, False), "sagittal": (2, 1, 0, True), "coronal": (1, 2, 0, True)}

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One open review page."""

    page: Page
    geometry: VolumeGeometry

    @classmethod
    def open(cls, page: Page, site: Site, case_id: str, geometry: VolumeGeometry) -> ReviewPage:
        """Open a case and wait until everything has come."""
        page.goto(f"{site.url}/cases/{case_id}")
        opened = cls(page, geometry)
        opened.wait(ready="true")
        return opened

    def wait(self, **values: str | int) -> None:
        """Wait until <body> carries these data attributes."""
        selector = "".join(f'[data-{name}="{value}"]' for name, value in values.items())
        self.page.wait_for_selector(f"body{selector}", state="attached")

    def data(self, name: str) -> str:
        """One of the data attributes of <body>."""
        return self.page.get_attribute("body", f"data-{name}") or ""

    def data_of(self, plane: str, name: str) -> str:
        """One of the data attributes of a view."""
        return self.page.get_attribute(f"#{plane}", f"data-{name}") or ""

    @property
    def voxels(self) -> int:
        """Voxels of the corrected structure as the page counts them."""
        return int(self.data("voxels"))

    def middle(self, plane: str) -> Point:
        """The middle of a view, in whole pixels of the window."""
        box = self._box(plane)
        return round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)

    def drag(self, start: Point, end: Point, *, button: str = "left") -> None:
        """Press, move and release; a click where both are the same."""
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down(button=button)  # type: ignore[arg-type]  # a Literal there
        if end != start:
            mouse.move(*end)
        mouse.up(button=button)  # type: ignore[arg-type]  # a Literal there

    def saved(self, seq: int) -> None:
        """Wait until the server has entry `seq` and nothing waits."""
        self.wait(seq=seq, pending=0)

    def slice_of(self, plane: str) -> int:
        """Index of the slice a view shows."""
        return int(self.page.get_attribute(f"#{plane}", "data-slice") or -1)

    def voxel_at(self, plane: str, point: Point) -> tuple[int, int, int]:
        """(slice, row, column) under a pixel of the window; evenly spaced slices only."""
        normal, across, down, flipped = PLANES[plane]
        mm = self.to_mm(plane, point)
        voxel = [0, 0, 0]
        voxel[normal] = self.slice_of(plane)
        for axis, place_mm in zip((across, down), mm, strict=True):
            voxel[axis] = int(place_mm / self.geometry.spacing_mm[axis])
        if flipped:
            voxel[down] = self.geometry.shape[down] - 1 - voxel[down]
        return voxel[0], voxel[1], voxel[2]

    def disc(self, plane: str, start: Point, end: Point, radius_mm: float) -> Mask:
        """Voxels whose centre lies within `radius_mm` of the way of the mouse, by brute force."""
        normal, across, down, flipped = PLANES[plane]
        size = self.geometry.shape
        columns_mm, _ = self._centres_mm(across)
        rows_mm, height_mm = self._centres_mm(down)
        if flipped:
            rows_mm = height_mm - rows_mm
        a, b = self.to_mm(plane, start), self.to_mm(plane, end)
        points = np.stack(np.meshgrid(columns_mm, rows_mm, indexing="ij"), axis=-1) - a
        way = b - a
        length = float(way @ way)
        along = np.clip(points @ way / length, 0, 1) if length else np.zeros(points.shape[:2])
        near = np.linalg.norm(points - along[..., None] * way, axis=-1) <= radius_mm
        mask = np.zeros(size, bool)
        plane_view = np.moveaxis(mask, (normal, across, down), (0, 1, 2))
        plane_view[self.slice_of(plane)] = near
        return mask

    def _centres_mm(self, axis: int) -> tuple[np.ndarray, float]:
        """Voxel centres from the volume's edge, and how far the volume reaches, along an axis."""
        if axis == 0:
            thickness_mm = self.geometry.slice_thicknesses_mm()
            heights_mm = self.geometry.slice_positions_mm() + thickness_mm[0] / 2
            return heights_mm, float(thickness_mm.sum())
        spacing_mm = self.geometry.spacing_mm[axis]
        count = self.geometry.shape[axis]
        return (np.arange(count) + 0.5) * spacing_mm, count * spacing_mm

    def to_mm(self, plane: str, point: Point) -> np.ndarray:
        """Where a pixel of the window is, mm from the top left corner of the slice."""
        box = self._box(plane)
        left, top, scale = (
            float(self.page.get_attribute(f"#{plane}", f"data-{name}") or "nan")
            for name in ("left", "top", "scale")
        )
        return np.array([point[0] - box["x"] - left, point[1] - box["y"] - top]) / scale

    def _box(self, plane: str) -> FloatRect:
        box = self.page.locator(f"#{plane}").bounding_box()
        assert box is not None
        return box


def voxels_of(entry: JournalEntry, geometry: VolumeGeometry) -> Mask:
    """The voxels a kept stroke changed."""
    # Decoded here on its own: the test must not share a mistake with the node.
    pairs = np.frombuffer(base64.b64decode(entry.payload["runs"]), "<u4").reshape(-1, 2)
    flat = np.zeros(int(np.prod(geometry.shape)), bool)
    for start, length in pairs.astype(int):
        flat[start : start + length] = True
    return flat.reshape(geometry.shape)
