"""How much of the benchmark is run."""

from __future__ import annotations

from dataclasses import dataclass

Spacing = tuple[float, float, float]
Voxels = tuple[int, int, int]

ALL_LOOKS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 35, 40)


@dataclass(frozen=True, slots=True)
class Size:
    """Patients of a stream, who is held out, and what the networks are.

    `training_s` are the CPU seconds of training that every recipe gets for each patient. The
    networks are smaller and coarser than those of a clinic, or no run would ever end on a CPU.
    `with_own_network`: whether the published recipe runs on its own network too, which saves its
    first model after 128 patches only.
    """

    name: str
    patients: int
    held_out: int
    seeds: tuple[int, ...]
    training_s: float
    in_plane_mm: float
    coarse_mm: float
    coarse_patch: Voxels
    fine_mm: float
    fine_patch: Voxels
    widths: tuple[int, ...]
    paper_width: int
    paper_patch: Voxels
    with_own_network: bool = True

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many patients the held-out ones are looked at."""
        return tuple(k for k in ALL_LOOKS if k <= self.patients)


FULL = Size(
    name="full",
    patients=40,
    held_out=12,
    seeds=(0, 1, 2),
    training_s=6.0,
    in_plane_mm=3.0,
    coarse_mm=8.0,
    coarse_patch=(24, 32, 32),
    fine_mm=4.0,
    fine_patch=(40, 40, 40),
    widths=(16, 32, 64),
    paper_width=8,
    paper_patch=(52, 68, 68),
)
SMALL = Size(
    name="small",
    patients=10,
    held_out=4,
    seeds=(0,),
    training_s=3.0,
    in_plane_mm=3.0,
    coarse_mm=8.0,
    coarse_patch=(24, 32, 32),
    fine_mm=5.0,
    fine_patch=(32, 32, 32),
    widths=(16, 32, 64),
    paper_width=8,
    paper_patch=(52, 68, 68),
    with_own_network=False,
)
TINY = Size(
    name="tiny",
    patients=3,
    held_out=2,
    seeds=(0,),
    training_s=0.3,
    in_plane_mm=6.0,
    coarse_mm=12.0,
    coarse_patch=(16, 24, 24),
    fine_mm=8.0,
    fine_patch=(16, 24, 24),
    widths=(8, 16),
    paper_width=2,
    paper_patch=(36, 36, 36),
)
SIZES = {size.name: size for size in (TINY, SMALL, FULL)}
