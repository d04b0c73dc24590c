"""The published recipe in the stream: a user's box, strokes, a trainer that goes on and on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.experiment.physician import Corrected
from benchmarks.stream.budget import seconds_a_step
from benchmarks.stream.patients import SimulatedPatient
from benchmarks.stream.sizes import Size, Spacing
from core.case import Split, next_split
from core.files import read_array, write_array
from core.geometry import Mask
from core.volume import Volume
from model.checkpoint import read_checkpoint, write_checkpoint
from model.paper.network import OursAsPair, PaperNetwork
from model.paper.predict import predict_in_box
from model.paper.recipe import Annotated, PaperRecipe
from model.paper.trainer import Network, PaperTrainer
from model.preprocess import mask_on_ct, mask_to_working_grid, tissue_on_working_grid
from model.unet import fresh_network

# Of a working voxel, this much must be painted: strokes are thin.
PAINTED_SHARE = 0.25
FOREGROUND, BACKGROUND = 1, 2


class Published:
    """The recipe on our network at our spacing, or on its own network at the CT's voxels."""

    def __init__(
        self, folder: Path, size: Size, *, seed: int, loss: str, own_network: bool
    ) -> None:
        self._folder, self._size, self._seed = folder, size, seed
        self._own = own_network
        self._spacing_mm: Spacing | None = None if own_network else (size.fine_mm,) * 3
        self._recipe = PaperRecipe(
            patch_voxels=size.paper_patch if own_network else size.fine_patch,
            loss="corrected" if loss == "corrected" else "published",
        )
        self._trainer = self._fresh(seed)
        self._sets: dict[Split, list[Annotated]] = {Split.TRAIN: [], Split.VALIDATION: []}
        self._best: Network | None = None

    def version(self) -> str | None:
        """The step at which the newest model was saved."""
        saved = self._trainer.saved_at
        return None if saved is None else str(saved)

    def propose(self, patient: SimulatedPatient) -> Mask:
        """Within the user's box; nothing outside of it."""
        found = np.zeros_like(patient.heart)
        if self._best is None:
            return found
        box = patient.user_box()
        cut = Volume(patient.volume.values[box], patient.volume.geometry.cut(box))
        seen = self._seen(cut)
        mask = predict_in_box(self._best, seen.values, self._recipe.patch_voxels)
        if self._spacing_mm is not None:
            probability = Volume(mask.astype(np.float32), seen.geometry)
            mask = mask_on_ct(probability, cut.geometry, lambda whole: whole)
        found[box] = mask
        return found

    def learn(self, number: int, patient: SimulatedPatient, corrected: Corrected) -> dict[str, Any]:
        """Strokes within the box are all that is learned."""
        image = self._annotated(patient, corrected)
        write_array(self._path(number), _packed(image))
        split = self._join(image)
        train, validation = self._sets[Split.TRAIN], self._sets[Split.VALIDATION]
        cost = seconds_a_step(self._size_folder, self._key, self._throw_away(train))
        steps = max(1, round(self._size.training_s / cost))
        before = self.version()
        start = time.process_time()
        self._trainer.learn(train, validation, steps=steps)
        cpu_s = time.process_time() - start
        if self.version() != before:
            self._best = self._trainer.best_network()
        return {
            "split": str(split),
            "steps": self._trainer.steps,
            "training_s": steps * cost,
            "cpu_s": cpu_s,
            "saved_at": self._trainer.saved_at,
            "dice_on_paint": self._trainer.best_dice,
            "restarts": self._trainer.restarts,
        }

    def keep(self, patients: int) -> None:
        """The trainer with its momentum; the one before stays until the next."""
        tensors, values = self._trainer.state()
        values["key"] = f"{self._key}-{patients}"
        write_checkpoint(self._checkpoint(patients), tensors, values)
        self._checkpoint(patients - 2).unlink(missing_ok=True)

    def restore(self, done: list[dict[str, Any]]) -> None:
        """Images and trainer as they were after the last of `done`."""
        for number in range(len(done)):
            self._join(_unpacked(f"{number:03d}", np.asarray(read_array(self._path(number)))))
        if done:
            key = f"{self._key}-{len(done)}"
            kept = read_checkpoint(self._checkpoint(len(done)), key=key)
            if kept is None:
                raise FileNotFoundError(f"{self._checkpoint(len(done))} is missing or damaged")
            self._trainer.restore(kept.tensors, kept.values)
            self._best = self._trainer.best_network()

    @property
    def _key(self) -> str:
        network = f"own{self._size.paper_width}" if self._own else "ours"
        return f"{self._recipe.loss}-{network}"

    @property
    def _size_folder(self) -> Path:
        return self._folder.parent.parent

    def _path(self, number: int) -> Path:
        return self._folder / "images" / f"{number:03d}.npy"

    def _checkpoint(self, patients: int) -> Path:
        return self._folder / f"trainer-{patients:03d}.safetensors"

    def _fresh(self, seed: int) -> PaperTrainer:
        size = self._size

        def build(network_seed: int) -> Network:
            if not self._own:
                return OursAsPair(fresh_network(size.widths, seed=network_seed))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(network_seed)
                return PaperNetwork(size.paper_width)

        return PaperTrainer(self._recipe, build, seed=1000 * (seed + 1))

    def _throw_away(self, train: list[Annotated]) -> Callable[[int], object]:
        trainer = self._fresh(self._seed + 500)
        return lambda steps: trainer.learn(train, [], steps=steps)

    def _seen(self, cut: Volume) -> Volume:
        if self._spacing_mm is None:
            return cut
        return tissue_on_working_grid(cut, self._spacing_mm)

    def _annotated(self, patient: SimulatedPatient, corrected: Corrected) -> Annotated:
        box = patient.user_box()
        geometry = patient.volume.geometry.cut(box)
        seen = self._seen(Volume(patient.volume.values[box], geometry))
        red, green = corrected.red[box], corrected.green[box]
        if self._spacing_mm is not None:
            red, green = (
                mask_to_working_grid(m, geometry, self._spacing_mm, share=PAINTED_SHARE)
                for m in (red, green)
            )
        values = np.rint(seen.values).astype(np.int16)
        return Annotated(f"{len(self._all()):03d}", values, red, green & ~red)

    def _join(self, image: Annotated) -> Split:
        split = next_split(len(self._sets[Split.TRAIN]), len(self._sets[Split.VALIDATION]))
        self._sets[split].append(image)
        return split

    def _all(self) -> list[Annotated]:
        return [image for images in self._sets.values() for image in images]


def _packed(image: Annotated) -> np.ndarray[Any, np.dtype[np.int16]]:
    labels = np.where(image.foreground, FOREGROUND, np.where(image.background, BACKGROUND, 0))
    return np.stack([image.image, labels.astype(np.int16)])


def _unpacked(case_id: str, packed: np.ndarray[Any, np.dtype[np.int16]]) -> Annotated:
    values, labels = packed
    return Annotated(case_id, values, labels == FOREGROUND, labels == BACKGROUND)
