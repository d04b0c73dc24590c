"""Whether the node knows when it is wrong, on synthetic patients that no model learned from.

    python -m benchmarks.uncertainty [--model FOLDER] [--folder OUT] [--calibration N]
                                     [--measured N]

FOLDER is a model version (models/<version>); without it a small starting model is trained first,
in about four minutes of one processor. The calibration is made on 480 patients and measured on 480
others: with 120 and 240, one draw in five left 85 to 95 % by chance, with these one in a hundred.
Half of them are spoilt on purpose: noise, streaks, opaque lung, a scan that ends within the
heart. Patients and doses are synthetic, so the figures say that the method works, and nothing about
patients. OUT keeps what was computed, the plots, and goes on after an interruption. The last line
is JSON; `holds` asks for an AUC of 0.85 or more for the worst fifth and for 85 to 95 % coverage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.cold_start import ORIGIN
from app.judging import network_config
from app.odd_patients import FIRST_CALIBRATION_SEED, FIRST_MEASURED_SEED, odd_patient
from app.phantom import EDITION
from app.room import SOFTWARE_VERSION
from app.synthetic_cases import FIRST_SEED, synthetic_case
from core.config import Settings, load_settings
from core.files import read_json, write_json, write_whole
from model.calibration import Calibration, Outcome, calibrate
from model.cascade import Run, loaded_cascade, torch_run
from model.conformal import Interval
from model.outcomes import outcome_of
from model.registry import LoadedModel, ModelDescription, load, publish
from model.train import train_round
from review_ui.marks import Curve, Dot, Line
from review_ui.plots import QUIET, Axis, Words, plot

SMALL_PATIENTS, SMALL_STEPS = 12, 500
WORST = 0.2
LEAST_AUC = 0.85
COVERAGE = (0.85, 0.95)
ROI = "Heart"


def main() -> int:
    """Measure, print the table and the verdict; 0 when the claim holds."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a model version")
    parser.add_argument("--folder", type=Path, default=Path("data/uncertainty"))
    parser.add_argument("--calibration", type=int, default=480)
    parser.add_argument("--measured", type=int, default=480)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    settings = load_settings(Path("config.yaml"))
    model = _model(wanted.model, settings, wanted.folder)
    folder = wanted.folder / model.version[:12]
    made = calibrate(
        model.version,
        [o for _, o in _outcomes(model, folder, FIRST_CALIBRATION_SEED, wanted.calibration)],
    )
    if made is None:
        return _say({"holds": None, "why": "too few calibration patients for an interval"})
    measured = list(_outcomes(model, folder, FIRST_MEASURED_SEED, wanted.measured))
    found = _measure(made, measured)
    _plot(folder, made, measured)
    _tell(f"plots in {folder}")
    return _say({"model": model.version[:12], "small_model": wanted.model is None, **found})


def _measure(made: Calibration, measured: Sequence[tuple[str, Outcome]]) -> dict[str, Any]:
    """The figures; what has no interval is ranked by what its signs point to."""
    truth = np.array([o.dice for _, o in measured])
    expected = [made.expected(o.estimates) for _, o in measured]
    ranks = np.array([made.guess(o.estimates) for _, o in measured])
    raw = np.array([o.estimates.expected_dice for _, o in measured])
    bad = truth <= np.quantile(truth, WORST)
    known = [(t, e) for t, e in zip(truth, expected, strict=True) if e is not None]
    errors = [
        (o.dose_error_gy, e)
        for _, o in measured
        if o.dose is not None and o.dose_error_gy is not None
        if (e := made.expected_dose_error(o.estimates, o.dose)) is not None
    ]
    for (name, o), e in zip(measured, expected, strict=True):
        said = "no interval" if e is None else f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"
        _tell(f"{name:28} Dice {o.dice:.3f}   expected {said}")
    result = {
        "patients": len(measured),
        "calibrated_on": made.cases,
        "dice_min_mean_max": [round(float(f(truth)), 3) for f in (np.min, np.mean, np.max)],
        "auc_worst_fifth": round(auc(ranks, bad), 3),
        "auc_of_expected_soft_dice_alone": round(auc(raw, bad), 3),
        "without_interval": sum(e is None for e in expected),
        "dice_coverage": round(coverage(known), 3),
        "dice_width": round(float(np.mean([e.high - e.low for _, e in known])), 3),
        "dice_mean_error": round(float(np.mean([abs(t - e.value) for t, e in known])), 3),
        "dose_cases": len(errors),
        "dose_coverage": round(coverage(errors), 3),
        "dose_width_gy": round(float(np.mean([e.high - e.low for _, e in errors])), 2),
    }
    low, high = COVERAGE
    covered = all(low <= coverage(k) <= high for k in (known, errors))
    return {**result, "holds": covered and auc(ranks, bad) >= LEAST_AUC}


def auc(ranks: np.ndarray, bad: np.ndarray) -> float:
    """How often a bad case ranks below a good one; ties count half."""
    pairs = [(a < b) + 0.5 * (a == b) for a in ranks[bad] for b in ranks[~bad]]
    return float(np.mean(pairs))


def coverage(known: Sequence[tuple[float, Interval]]) -> float:
    """Share of truths within their interval; 0 without any."""
    if not known:
        return 0.0
    return float(np.mean([e.low <= truth <= e.high for truth, e in known]))


def _outcomes(
    model: LoadedModel, folder: Path, first_seed: int, count: int
) -> Iterator[tuple[str, Outcome]]:
    """Outcomes of the model on odd patients, kept in `folder`."""
    run: Run | None = None
    settings = load_settings(Path("config.yaml")).model
    config = model.description.config
    for seed in range(first_seed, first_seed + count):
        path = folder / f"outcomes.edition{EDITION}" / f"{seed}.json"
        if not path.is_file():
            if run is None:
                cascade = loaded_cascade(config, model.weights, torch.device("cpu"))
                run = torch_run(cascade)
            case = odd_patient(seed, settings)
            outcome = outcome_of(run, config, case)
            write_json(path, {"name": case.case_id, "outcome": outcome.to_json()})
            sys.stderr.write(f"\r{seed - first_seed + 1} of {count}")
        kept = read_json(path)
        yield str(kept["name"]), Outcome.from_json(kept["outcome"])


def _model(folder: Path | None, settings: Settings, work: Path) -> LoadedModel:
    if folder is not None:
        return load(folder.resolve().parent, folder.resolve().name)
    _tell(f"No --model: a small one learns {SMALL_STEPS} steps from {SMALL_PATIENTS} patients.")
    start = time.process_time()
    known = [synthetic_case(work, settings.model, FIRST_SEED + n) for n in range(SMALL_PATIENTS)]
    config = network_config(settings, ROI)
    candidate = train_round(
        known,
        [],
        start=None,
        settings=settings.model,
        config=config,
        training=settings.training,
        rng=np.random.default_rng(0),
        progress=lambda _: None,
        should_stop=lambda: False,
        steps=SMALL_STEPS,
    )
    _tell(f"trained in {time.process_time() - start:.0f} CPU seconds")
    description = ModelDescription(
        ROI, config, SOFTWARE_VERSION, None, (), {"origin": ORIGIN}, "1970-01-01T00:00:00+00:00"
    )
    return load(work / "models", publish(work / "models", candidate.weights, description))


def _plot(folder: Path, made: Calibration, measured: Sequence[tuple[str, Outcome]]) -> None:
    """Reliability: what was expected against what came out, each with its interval's ends."""
    below = f"{len(measured)} synthetic patients, {made.cases} others for the interval"
    expected = [(name, o, made.expected(o.estimates)) for name, o in measured]
    dots = [
        Dot(0.0 if e is None else e.value, o.dice, f"{name}: {o.dice:.3f}", hollow=e is None)
        for name, o, e in expected
    ]
    bars = [Curve([(e.value, e.low), (e.value, e.high)], colour=QUIET) for _, _, e in expected if e]
    axis = Axis.around("expected Dice (hollow: nothing promised)", [0.0, 1.0])
    picture = plot(
        Words("Expected and true Dice, with 90 % intervals", below),
        axis,
        Axis("true Dice", axis.low, axis.high),
        [Line((0.0, 0.0), (1.0, 1.0), "as expected"), *bars, *dots],
    )
    write_whole(folder / "reliability_dice.svg", picture.encode())
    errors = [
        (name, o.dose_error_gy, e)
        for name, o in measured
        if o.dose is not None and o.dose_error_gy is not None
        if (e := made.expected_dose_error(o.estimates, o.dose)) is not None
    ]
    most = max((max(e.high, truth) for _, truth, e in errors), default=1.0)
    axis = Axis.around("expected |mean dose error| (Gy)", [0.0, most])
    picture = plot(
        Words("Expected and true mean dose error, with 90 % intervals", below),
        axis,
        Axis("true |mean dose error| (Gy)", axis.low, axis.high),
        [
            Line((0.0, 0.0), (most, most), "as expected"),
            *(Curve([(e.value, e.low), (e.value, e.high)], colour=QUIET) for _, _, e in errors),
            *(Dot(e.value, truth, f"{name}: {truth:.2f} Gy") for name, truth, e in errors),
        ],
    )
    write_whole(folder / "reliability_dose.svg", picture.encode())


def _say(result: dict[str, Any]) -> int:
    _tell(json.dumps(result))
    return 0 if result["holds"] else 1


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
