"""What is on disk before a sender hears Success, as the kernel was asked for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.peers import require_program
from tests.support.receiver import running_receiver

pytestmark = [pytest.mark.slow, pytest.mark.peer]

CALL = re.compile(r"\b(fsync|linkat|sendto)\((.*)")
A_MESSAGE = r'"\4\0'  # the beginning of a P-DATA-TF PDU (PS3.8 9.3.5)


def test_file_and_every_folder_on_its_way_are_synced_before_success(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    tracing = [str(require_program("strace")), "-D", "-f", "-y", "--seccomp-bpf", "-o", str(trace)]
    with running_receiver(
        tmp_path, under=[*tracing, "-e", "trace=fsync,linkat,sendto"]
    ) as receiver:
        receiver.serve_good_peer(within_s=30)
        (file,) = (receiver.settings.data_folder / "instances").rglob("*.dcm")
    calls = [found.groups() for found in map(CALL.search, trace.read_text().splitlines()) if found]
    answered = next(n for n, (name, said) in enumerate(calls) if A_MESSAGE in said)
    (linked,) = (
        n for n, (name, said) in enumerate(calls) if name == "linkat" and file.name in said
    )
    synced = [(n, said) for n, (name, said) in enumerate(calls[:answered]) if name == "fsync"]
    before = [said for n, said in synced if n < linked]
    after = [said for n, said in synced if n > linked]
    assert any(f"<{file.parent}/" in said for said in before), "its bytes, before it has its name"
    assert any(f"<{file.parent}>" in said for said in after), "its name"
    for folder in (file.parents[1], file.parents[2], file.parents[3]):  # study, shelf, instances
        assert any(f"<{folder}>" in said for _, said in synced), "the names of its folders"
