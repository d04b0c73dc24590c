"""C-STORE of 189 CT slices: this node beside Orthanc and DCMTK's storescp.

    python -m benchmarks.receive

The node runs two receivers and keeps each instance durably (file synced, row committed) before
Success. Orthanc runs with its default configuration. storescp --fork syncs nothing and keeps no
index: its figure is the ceiling. Everybody sends with Nagle's algorithm off (TCP_NODELAY=1 for
DCMTK and Orthanc). Clients are DCMTK's storescu, one process an association, each with its share
of the slices. In turn, in one run; the last line is JSON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from core.config import load_settings
from core.store import open_store

REPOSITORY = Path(__file__).parents[1]
SLICES, SIZE = 189, 512
ASSOCIATIONS = (1, 4, 10)
ROUNDS = 5
AT_LEAST = {1: 1.0, 4: 0.8, 10: 0.8}
ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}
NODE, ORTHANC, STORESCP = "recontour", "orthanc", "storescp"
# UIDs in the files: a prefix, what each round changes, the kind, the slice.
UID_PREFIX, HEAD_BYTES = b"1.2.826.0.1.3680043.8.498.77.", 2000
UID_IN_FILES = re.compile(re.escape(UID_PREFIX) + rb"\d{13}")


def main() -> int:
    """Run all in turn, print the table and the verdict; 0 when the claim holds."""
    rates: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="receive-") as name, ExitStack() as servers:
        folder = Path(name)
        slices = _slices(folder / "outgoing")
        ports = {
            NODE: servers.enter_context(_node(folder / NODE)),
            ORTHANC: servers.enter_context(_orthanc(folder / ORTHANC)),
            STORESCP: servers.enter_context(_storescp(folder / STORESCP)),
        }
        for _ in range(ROUNDS):
            for associations in ASSOCIATIONS:
                for server, port in ports.items():
                    _renew(slices)
                    rate = SLICES / _send(slices, port, associations)
                    rates.setdefault((server, associations), []).append(rate)
        kept = len(open_store(load_settings(folder / NODE / "config.yaml")).instances.paths())
    return _say(rates, kept)


def _say(rates: dict[tuple[str, int], list[float]], kept: int) -> int:
    medians = {key: statistics.median(values) for key, values in rates.items()}
    found: dict[str, float] = {}
    faster: dict[str, dict[str, float]] = {"Orthanc": {}, "storescp": {}}
    holds = kept == ROUNDS * len(ASSOCIATIONS) * SLICES
    table = [f"{'associations':>12} {NODE:>10} {ORTHANC:>8} {STORESCP:>8}   instances/s, median"]
    for n in ASSOCIATIONS:
        ours, orthanc, storescp = (medians[s, n] for s in (NODE, ORTHANC, STORESCP))
        table.append(f"{n:>12} {ours:>10.1f} {orthanc:>8.1f} {storescp:>8.1f}")
        found |= {f"{server}_{n}_per_s": medians[server, n] for server in (NODE, ORTHANC, STORESCP)}
        # Of each round by itself: what else the machine does then meets both.
        ratios = [a / b for a, b in zip(rates[NODE, n], rates[ORTHANC, n], strict=True)]
        faster["Orthanc"][f"{n} at once"] = round(statistics.median(ratios), 3)
        faster["storescp"][f"{n} at once"] = round(ours / storescp, 3)
        holds = holds and statistics.median(ratios) >= AT_LEAST[n]
    rounded = {name: round(rate, 1) for name, rate in found.items()}
    verdict = {"times_as_fast": faster, **rounded, "kept": kept, "holds": holds}
    sys.stdout.write("\n".join([*table, json.dumps(verdict), ""]))
    return 0 if holds else 1


def _slices(folder: Path) -> list[Path]:
    """A CT series on disk, its UIDs still to be written."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    paths = [folder / f"{k:03}.dcm" for k in range(SLICES)]
    for k, path in enumerate(paths):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
        ds.SOPInstanceUID = _uid(1, k)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(2), _uid(3)
        ds.FrameOfReferenceUID = _uid(4)
        ds.PatientID, ds.PatientName = "BENCH", "Bench^Mark"
        ds.StudyDate, ds.StudyTime, ds.SeriesNumber = "20260105", "120000", "1"
        ds.InstanceNumber = str(k + 1)
        ds.ImagePositionPatient = [-250, -250, 2.0 * k]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [0.9766, 0.9766], 2
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        ds.Rows = ds.Columns = SIZE
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PixelData = rng.integers(0, 4096, (SIZE, SIZE), np.uint16).tobytes()
        ds.save_as(path, enforce_file_format=True)
    return paths


def _uid(kind: int, k: int = 0) -> str:
    return f"{UID_PREFIX.decode()}{'1' * 8}{kind:02}{k:03}"


def _renew(slices: list[Path]) -> None:
    """New UIDs, of the same length: what a server knows already would cost it less."""
    fresh = str(10**7 + uuid.uuid4().int % 10**7).encode()
    for path in slices:
        with path.open("r+b") as file:
            head = file.read(HEAD_BYTES)
            for old in set(UID_IN_FILES.findall(head)):
                # The kind of UID and the slice stay; the round changes.
                head = head.replace(old, UID_PREFIX + fresh + old[-5:])
            file.seek(0)
            file.write(head)


def _send(slices: list[Path], port: int, associations: int) -> float:
    """Seconds until everything was accepted."""
    shares = [slices[n::associations] for n in range(associations)]
    started = time.perf_counter()
    senders = [
        subprocess.Popen(  # noqa: S603 (DCMTK's client)
            [
                _program("storescu"),
                "-aet",
                "BENCH",
                "-aec",
                "ANY-SCP",
                "127.0.0.1",
                str(port),
                *share,
            ],
            env=ENVIRONMENT,
        )
        for share in shares
    ]
    codes = [sender.wait() for sender in senders]
    seconds = time.perf_counter() - started
    if any(codes):
        raise RuntimeError(f"storescu ended with {codes}.")
    return seconds


@contextmanager
def _node(folder: Path) -> Iterator[int]:
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    port = _free_port()
    values["data_folder"] = str(folder / "data")
    values["dicom"] |= {
        "ae_title": "ANY-SCP",
        "port": port,
        "receivers": 2,
        "maximum_associations_per_address": 10,
    }
    values["peers"][0]["ae_title"] = "BENCH"
    folder.mkdir()
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(values))
    with _running([sys.executable, "-m", "app.node", str(config)], port, folder):
        yield port


@contextmanager
def _orthanc(folder: Path) -> Iterator[int]:
    port = _free_port()
    folder.mkdir()
    config = folder / "orthanc.json"
    values = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": _free_port(),
        "DicomPort": port,
        "Plugins": [],
    }
    config.write_text(json.dumps(values))
    with _running(["Orthanc", str(config)], port, folder):
        yield port


@contextmanager
def _storescp(folder: Path) -> Iterator[int]:
    port = _free_port()
    folder.mkdir()
    with _running(["storescp", "--fork", "-od", str(folder), str(port)], port, folder):
        yield port


@contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (the servers named above)
            [_program(command[0]), *command[1:]], env=ENVIRONMENT, stdout=log, stderr=log
        )
    try:
        _wait_until(lambda: _answers(port))
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; see scripts/install-peers.")
    return found


def _answers(port: int) -> bool:
    echo = [_program("echoscu"), "-aet", "BENCH", "-aec", "ANY-SCP", "127.0.0.1", str(port)]
    done = subprocess.run(echo, check=False, capture_output=True)  # noqa: S603 (DCMTK's client)
    return done.returncode == 0


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("A server did not start.")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
