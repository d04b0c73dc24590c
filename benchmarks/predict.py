"""A prediction from the CT in memory to the mask on its grid, 512 x 512 x 189 voxels.

    python -m benchmarks.predict

The shipped settings with untrained networks, whose coarse one is made to find a heart-sized piece:
what is computed does not depend on what was learned. Each run is a process of its own, in turn with
its peer: the same fine network in one pass over the whole scan, which is what a cascade spares. The
last line is JSON. Bar: at most 5 s of wall time with two threads and 1.5 GB at the peak.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

RUNS = 3
MOST_S, MOST_GB = 5.0, 1.5
CONFIG = Path(__file__).parents[1] / "config.yaml"
COMMON = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
import torch
from core.config import load_settings
from core.geometry import VolumeGeometry
from core.volume import Volume
from model.cascade import fresh_cascade, probabilities
from model.preprocess import normalise, tissue_on_working_grid
from model.registry import LoadedModel, ModelDescription, NetworkConfig
from model.predict import Predictor

settings = load_settings(Path(sys.argv[1]))
model = settings.model.model_copy(update={"device": "cpu", "threads": 2})
config = NetworkConfig.of(model, settings.structures[0])
shape, spacing_mm = (189, 512, 512), (2.0, 0.98, 0.98)
geometry = VolumeGeometry(shape, (-250.0, -250.0, -190.0), spacing_mm, "2.25.1")
values = np.full(shape, -1000, np.int16)
values[:, 100:412, 60:452] = -80
values[75:120, 180:280, 240:330] = 45  # 780 cc, as large as a heart
rng = np.random.default_rng(0)
for k in range(len(values)):
    values[k] += rng.normal(0, 12, shape[1:]).astype(np.int16)
volume = Volume(values, geometry)
cascade = fresh_cascade(config, seed=0)
with torch.no_grad():
    for parameter in cascade.parameters():
        parameter.mul_(1e-3)
    for network in cascade.stages().values():
        # Channel 0 carries brightness + 1 past every block, the head compares it with soft tissue.
        network.stem.weight[0] = 0.0
        network.stem.weight[0, 0, 1:3, 1:3, 1:3] = 1 / 8
        network.stem.bias[0] = 1.0
        network.head.weight[:, 0] = 60.0
        network.head.bias.fill_(-60.0 * 0.75)
cascade.eval()
base_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
torch.set_num_threads(2)
"""
OURS = """
loaded = LoadedModel("0" * 64, cascade.state_dict(), ModelDescription(
    "Heart", config, "", None, (), {}, ""))
predictor = Predictor(model)
start = time.perf_counter()
mask = predictor.predict(volume, loaded).mask
seconds = time.perf_counter() - start
cc = geometry.volume_cc(mask)
"""
PEER = """
start = time.perf_counter()
tissue = tissue_on_working_grid(volume, config.fine.spacing_mm)
inside = probabilities(cascade.fine, normalise(tissue.values, config.window_hu)) > 0.5
seconds = time.perf_counter() - start
cc = tissue.geometry.volume_cc(inside)
"""
TELL = """
gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({"seconds": seconds, "gb": gb, "base_gb": base_gb, "cc": cc}))
"""


def main() -> int:
    """Run both in turn, print the figures and the verdict; 0 when the bar holds."""
    ours, peer = [], []
    for _ in range(RUNS):
        ours.append(_run(COMMON + OURS + TELL))
        peer.append(_run(COMMON + PEER + TELL))
    seconds, peer_s = (statistics.median(r["seconds"] for r in rows) for rows in (ours, peer))
    gb, peer_gb = (max(r["gb"] for r in rows) for rows in (ours, peer))
    contoured = min(r["cc"] for r in ours)
    _tell(f"ours            {seconds:6.2f} s  {gb:5.2f} GB at the peak, {contoured:.0f} cc")
    _tell(f"one fine pass   {peer_s:6.2f} s  {peer_gb:5.2f} GB at the peak")
    figures: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "peak_gb": round(gb, 3),
        "of_it_before_the_prediction_gb": round(max(r["base_gb"] for r in ours), 3),
        "times_the_time": {"one fine pass": round(seconds / peer_s, 3)},
        "times_the_memory": {"one fine pass": round(gb / peer_gb, 3)},
        # A prediction of nothing would be fast and say nothing.
        "holds": seconds <= MOST_S and gb <= MOST_GB and 300 < contoured < 1500,
    }
    _tell(json.dumps(figures))
    return 0 if figures["holds"] else 1


def _run(code: str) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code, str(CONFIG)], capture_output=True, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
