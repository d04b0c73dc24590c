"""What computes a prediction: PyTorch, or OpenVINO on a CPU where it is installed and agrees."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import structlog
import torch

from core.config import ModelSettings
from core.errors import ConfigError
from model.cascade import STAGES, Cascade, Run, torch_run
from model.preprocess import Values
from model.unet import UNet

log = structlog.get_logger()

# Probabilities of both; float32 rounds that finely in another order of sums.
MOST_APART = 1e-4
_PROBE = (35, 44, 51)  # sides that no level of the network divides


def run_of(cascade: Cascade, settings: ModelSettings) -> Run:
    """How to run `cascade`: by the configured engine, if it answers as PyTorch does.

    Raises `ConfigError` where OpenVINO is asked for and not installed. An engine that answers
    otherwise is not used, and the log says so.
    """
    in_torch = torch_run(cascade)
    if settings.engine == "torch":
        return in_torch
    compiled = {name: _compiled(net, settings) for name, net in cascade.stages().items()}
    in_openvino: Run = lambda stage, values: compiled[stage](values)  # noqa: E731
    apart = largest_difference(in_torch, in_openvino)
    if apart > MOST_APART:
        log.warning("engine.disagrees", engine="openvino", apart=round(apart, 6))
        return in_torch
    return in_openvino


def largest_difference(one: Run, other: Run) -> float:
    """The largest difference in probability of both networks, on noise."""
    noise = np.random.default_rng(0).uniform(-1, 1, _PROBE).astype(np.float32)
    return max(float(np.abs(one(stage, noise) - other(stage, noise)).max()) for stage in STAGES)


def _compiled(network: UNet, settings: ModelSettings) -> Callable[[Values], Values]:
    # Without its telemetry it runs as well, and reports to nobody.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigError(
            "model.engine: openvino is not installed. Run make setup, which installs it, or set it "
            "to torch."
        ) from None
    example = torch.zeros((1, 1, *_PROBE))
    shape = (1, 1, -1, -1, -1)
    with warnings.catch_warnings():
        # The way OpenVINO reads a network is on its way out of PyTorch; it is pinned in the lock.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(network.cpu().eval(), example_input=example, input=[shape])
    how: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": settings.threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(model, "CPU", how)

    def run(values: Values) -> Values:
        logits = compiled(np.asarray(values, np.float32)[None, None])[0][0, 0]
        return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)

    return run
