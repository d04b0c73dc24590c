"""Another engine is used only where it answers as PyTorch does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import ModelSettings
from model.cascade import STAGES, Cascade, fresh_cascade, torch_run
from model.engines import MOST_APART, largest_difference, run_of
from model.registry import NetworkConfig
from tests.support.settings import REPOSITORY


@pytest.fixture
def cascade(config: NetworkConfig) -> Cascade:
    """Random networks whose norms have seen something."""
    made = fresh_cascade(config, seed=1)
    generator = torch.Generator().manual_seed(1)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    return made.eval()


def test_openvino_answers_as_pytorch_does_on_every_size(
    cascade: Cascade, settings: ModelSettings
) -> None:
    in_torch = torch_run(cascade)
    in_openvino = run_of(cascade, settings.model_copy(update={"engine": "openvino"}))
    rng = np.random.default_rng(0)
    for shape in ((16, 24, 20), (17, 9, 30)):
        values = rng.uniform(-1, 1, shape).astype(np.float32)
        for stage in STAGES:
            ours = in_torch(stage, values)
            assert ours.std() > 1e-3
            np.testing.assert_allclose(in_openvino(stage, values), ours, atol=MOST_APART)


def test_engines_that_differ_are_told_apart(cascade: Cascade, config: NetworkConfig) -> None:
    other = torch_run(fresh_cascade(config, seed=2).eval())
    assert largest_difference(torch_run(cascade), torch_run(cascade)) == 0.0
    assert largest_difference(torch_run(cascade), other) > MOST_APART


def test_an_engine_that_answers_otherwise_is_not_used(
    cascade: Cascade, settings: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.engines.MOST_APART", -1.0)  # nothing agrees that well
    used = run_of(cascade, settings.model_copy(update={"engine": "openvino"}))
    values = np.zeros((16, 16, 16), np.float32)
    np.testing.assert_array_equal(used("fine", values), torch_run(cascade)("fine", values))


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    """Its telemetry package comes with an ordinary installation; it must not even be loaded."""
    package = tmp_path / "openvino_telemetry"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('telemetry was loaded')")
    code = (
        "from core.config import load_settings; from pathlib import Path\n"
        "from model.cascade import fresh_cascade; from model.engines import run_of\n"
        "from tests.support.settings import config_of, small_model\n"
        "shipped = load_settings(Path('config.yaml')).model\n"
        "model = type(shipped).model_validate(small_model() | {'engine': 'openvino'})\n"
        "run_of(fresh_cascade(config_of(model), seed=0).eval(), model)\n"
        "print('ran')"
    )
    paths = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ran"), done.stderr
