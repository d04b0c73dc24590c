"""Whatever a file does to its reader: bounded, told, and nobody else notices."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.clinic import wait_for
from app.sandbox import Sandbox
from app.sandbox_limits import Limits, limits_for
from core.case_files import CaseFiles
from core.errors import DamagedObjectError, IrregularSeriesError, UnreadableObjectError
from core.geometry import VolumeGeometry
from core.structure_files import read_structures
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support import bombs
from tests.support.settings import REPOSITORY
from tests.support.synthetic_dicom import ball_hu, ct_series, rtplan, rtstruct, written

CASE = "0" * 32
ASSEMBLY = "a" * 64
TIGHT = Limits(memory_mb=600, cpu_s=1, wall_s=20)
OTHER_MB = 60  # the interpreter and its libraries, which are there before


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


def _in_case(folder: Path, **more: Any) -> dict[str, Any]:
    return {"data_folder": str(folder), "case_id": CASE, **more}


def _plan(folder: Path) -> list[Path]:
    return written([rtplan(ct_series()[0], structure_set_uid="1.2.3")], folder)


def _structures(folder: Path) -> dict[str, Any]:
    return {"frame_of_reference_uid": None, "folder": str(folder)}


def _dose(folder: Path) -> dict[str, Any]:
    return _in_case(folder, instance_id=1)


@pytest.mark.parametrize(
    ("task", "bomb", "sentence"),
    [
        ("structures", lambda: bombs.nested_sequences(250), "RecursionError"),
        ("structures", lambda: bombs.nested_sequences(50_000), "RecursionError"),
        ("structures", lambda: bombs.deflated(500), "600 MB of memory|1 s of processor time"),
        (
            "structures",
            lambda: bombs.many_points(10_000_000),
            "600 MB of memory|1 s of processor time",
        ),
        ("structures", lambda: bombs.many_contours(200_000), "1 s of processor time"),
        ("dose", bombs.element_length_lie, "600 MB of memory"),
        ("dose", lambda: bombs.claims_frames(65535, 65535, 1000, jpeg=False), "claims 1000 frames"),
        ("dose", lambda: bombs.claims_frames(65535, 65535, 1000, jpeg=True), "claims 1000 frames"),
        (
            "dose",
            lambda: bombs.claims_frames(4096, 4096, 14, jpeg=False),
            "600 MB of memory|1 s of processor time|decoded",
        ),
        (
            "dose",
            lambda: bombs.claims_frames(4096, 4096, 14, jpeg=True),
            "600 MB of memory|1 s of processor time|decoded",
        ),
        ("dose", lambda: bombs.claims_frames(16, 16, 50, jpeg=False), "cannot be decoded"),
    ],
    ids=[
        "nested 250 levels",
        "nested 50 000 levels",
        "deflated",
        "10 million points",
        "200 000 contours",
        "element length",
        "RLE claims 4 TB",
        "JPEG 2000 claims 4 TB",
        "RLE claims 450 MB",
        "JPEG 2000 claims 450 MB",
        "50 frames, of which 2 are there",
    ],
)
def test_a_bomb_is_bounded_in_memory_and_time_and_told(
    sandbox: Sandbox,
    tmp_path: Path,
    task: str,
    bomb: Callable[[], bytes],
    sentence: str,
) -> None:
    path = bombs.put(bomb(), tmp_path / "bomb.dcm")
    arguments = {"structures": _structures, "dose": _dose}[task](tmp_path)
    before_mb = _resident_mb()
    with capture_logs() as logs, pytest.raises(UnreadableObjectError, match=sentence) as raised:
        sandbox.run(task, [path], limits=TIGHT, **arguments)
    (refused,) = [entry for entry in logs if entry["event"] == "sandbox.refused"]
    assert refused["peak_mb"] <= TIGHT.memory_mb + OTHER_MB
    assert _resident_mb() - before_mb < 30
    if isinstance(raised.value, DamagedObjectError):
        assert raised.value.path == path
    # The next one is read as if nothing had been.
    assert sandbox.run("plan", _plan(tmp_path))["label"] == "PLAN"


@pytest.mark.parametrize(
    ("bomb", "sentence"),
    [
        (lambda: bombs.jpeg_larger_than_its_header(30_000), "cannot be decoded"),
        (
            lambda: bombs.rle_that_grows(400),
            "600 MB of memory|1 s of processor time|cannot be decoded",
        ),
        (bombs.jpeg_ls_that_ends_its_decoder, r"ended its decoder \(SIGABRT\)"),
    ],
    ids=["code stream of 1.8 GB", "runs of 800 MB", "terminate() in the decoder"],
)
def test_the_slice_that_is_a_bomb_is_found_in_its_series(
    sandbox: Sandbox, tmp_path: Path, bomb: Callable[[], bytes], sentence: str
) -> None:
    second, first = written(ct_series(shape=(2, 16, 16)), tmp_path / "series")
    bombs.put(bomb(), second)
    series = [first, second]
    arguments = _in_case(tmp_path, assembly=ASSEMBLY)
    with pytest.raises(DamagedObjectError, match=sentence) as raised:
        sandbox.run("series", series, limits=TIGHT, **arguments)
    assert raised.value.path == second


def test_a_series_becomes_the_volume_that_its_reader_makes_of_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    series = written(ct_series(hu=ball_hu((0, 0, 0), 8.0)), tmp_path / "series")
    found = sandbox.run("series", series, **_in_case(tmp_path, assembly=ASSEMBLY))
    direct = read_ct(series)
    kept = CaseFiles(tmp_path).read_ct(CASE, ASSEMBLY)
    assert np.array_equal(kept.volume.values, direct.volume.values)
    assert VolumeGeometry.from_json(found["geometry"]) == direct.geometry == kept.geometry
    assert tuple(found["findings"]) == direct.findings
    assert (kept.slices, kept.identity) == (direct.slices, direct.identity)


def test_a_structure_set_comes_through_as_its_reader_made_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    ct = ct_series()
    square = [[0, 0, 3], [7.125, 0, 3], [7.125, 5.0625, 3], [0, 5.0625, 3]]
    rois: dict[str, Any] = {
        "Heart": [(square, str(ct[0].SOPInstanceUID)), ([[0, 0, 6]], None)],
        "Empty": [],
    }
    (path,) = written([rtstruct(ct, rois)], tmp_path)
    sandbox.run("structures", [path], **_structures(tmp_path / "out"))
    through, direct = read_structures(tmp_path / "out"), read_structure_set(path)
    assert repr(through) == repr(direct)
    assert direct.rois[0].contours_left_out == 1
    assert np.array_equal(
        through.rois[0].contours[0].points_mm, direct.rois[0].contours[0].points_mm
    )


def test_a_refusal_is_the_reader_s_own_error(sandbox: Sandbox, tmp_path: Path) -> None:
    series = written(ct_series(), tmp_path / "series")
    with pytest.raises(IrregularSeriesError, match=r"3\.00 and 6\.00|missing|gap|apart") as raised:
        sandbox.run("series", [*series[:2], *series[3:]], **_in_case(tmp_path, assembly=ASSEMBLY))
    with pytest.raises(IrregularSeriesError) as direct:
        read_ct([*series[:2], *series[3:]])
    assert str(raised.value) == str(direct.value)


def test_what_the_disk_does_is_raised_so_that_it_is_tried_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        sandbox.run("plan", [tmp_path / "away.dcm"])
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="symbolic links"):
        sandbox.run("plan", [loop])


def test_a_reader_that_waits_for_ever_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    """A named pipe that nobody writes to: no memory, no processor time, only time."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    limits = Limits(memory_mb=800, cpu_s=2, wall_s=1)
    started = time.monotonic()
    with pytest.raises(DamagedObjectError, match="more than the 1 s that reading"):
        sandbox.run("plan", [pipe], limits=limits)
    assert time.monotonic() - started < 8


def test_a_reader_writes_no_larger_file_than_it_may(sandbox: Sandbox, tmp_path: Path) -> None:
    hu = ball_hu((0, 0, 0), 8.0)
    series = written(ct_series(shape=(10, 256, 256), hu=hu), tmp_path / "series")
    limits = Limits(memory_mb=800, cpu_s=10, wall_s=30, file_mb=1)
    with pytest.raises(DamagedObjectError, match="wrote more than the 1 MB"):
        sandbox.run("series", series, limits=limits, **_in_case(tmp_path, assembly=ASSEMBLY))


def test_two_tasks_at_once_are_not_mixed_up(sandbox: Sandbox, tmp_path: Path) -> None:
    def label(number: int) -> str:
        ds = rtplan(ct_series()[0], structure_set_uid="1.2.3", plan_uid=f"1.2.{number}")
        ds.RTPlanLabel = f"P{number}"
        return str(sandbox.run("plan", written([ds], tmp_path / str(number)))["label"])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(label, range(8))) == [f"P{number}" for number in range(8)]


def test_the_small_process_is_started_again_when_it_has_died(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.run("plan", _plan(tmp_path))
    before = sandbox.process_id()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    status = Path(f"/proc/{before}/stat")
    wait_for(lambda: ") Z " in status.read_text(), timeout_s=10, what="it to die")
    assert sandbox.run("plan", _plan(tmp_path))["label"] == "PLAN"
    assert sandbox.process_id() != before


def test_a_reader_that_is_ended_from_outside_says_nothing_about_its_file(tmp_path: Path) -> None:
    """The machine shut it down, perhaps: the job is tried again."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    own = Sandbox()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(own.run, "plan", [pipe])
        wait_for(lambda: len(_below(own.process_id())) == 2, timeout_s=20, what="a reader")
        os.kill(own.process_id() or 0, signal.SIGKILL)
        with pytest.raises(OSError, match="ended from outside"):
            running.result(timeout=20)
    own.close()


_ASKER = """
import sys
from pathlib import Path
from app.sandbox import Sandbox
Sandbox().run("plan", [Path(sys.argv[1])])
"""


def test_nothing_outlives_the_process_that_asked(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    asker = subprocess.Popen([sys.executable, "-c", _ASKER, str(pipe)], cwd=REPOSITORY)
    wait_for(lambda: len(_below(asker.pid)) == 3, timeout_s=30, what="server, guardian and reader")
    everybody = _below(asker.pid)
    asker.kill()
    asker.wait()
    wait_for(
        lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in everybody),
        timeout_s=10,
        what="all of them to end",
    )


_CONFINED = """
import os, resource, socket
from app.sandbox_limits import Limits, confine
before = os.readlink("/proc/self/ns/net")
confine(Limits(800, 2, 20))
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 64)
assert open("/proc/self/oom_score_adj").read().strip() == "1000"
print(before != os.readlink("/proc/self/ns/net"))
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=2)
except OSError:
    print("no network")
"""


def test_a_reader_has_no_network_where_the_system_lets_it_give_it_up() -> None:
    lets = any(
        subprocess.run(["unshare", how, "true"], check=False, capture_output=True).returncode == 0
        for how in ("-n", "-Un")
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = _CONFINED.replace("PORT", str(listener.getsockname()[1]))
        ran = subprocess.run(
            [sys.executable, "-c", script], cwd=REPOSITORY, check=True, capture_output=True
        )
    assert ran.stdout.split(b"\n")[:2] == ([b"True", b"no network"] if lets else [b"False", b""])


def test_a_reader_knows_no_setting_and_no_secret_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database's URL may carry its password."""
    monkeypatch.setenv("RECONTOUR_DATABASE_URL", "postgresql://node:hunter2@host/recontour")
    sandbox = Sandbox()
    try:
        sandbox.run("plan", _plan(tmp_path))
        environment = Path(f"/proc/{sandbox.process_id()}/environ").read_bytes()
    finally:
        sandbox.close()
    assert b"PATH=" in environment
    assert b"hunter2" not in environment


def test_the_small_process_loads_no_model_no_web_and_no_database() -> None:
    heavy = ("torch", "flask", "sqlalchemy", "pynetdicom", "highdicom", "SimpleITK")
    script = f"import sys, app.sandbox_child; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, check=True, capture_output=True
    )
    assert ran.stdout.strip() == b"[]"


def test_a_long_series_may_take_longer() -> None:
    one, many = limits_for([Path("a")]), limits_for([Path("a")] * 1000)
    assert one.cpu_s < many.cpu_s
    assert one.wall_s < many.wall_s
    assert one.memory_mb == many.memory_mb


def _below(pid: int | None) -> list[int]:
    """Process ids of all children of `pid`, and of theirs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [found for child in map(int, children) for found in (child, *_below(child))]


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
