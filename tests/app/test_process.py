"""What every process does first: the log, which leaves the building."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.settings import REPOSITORY

_NOISE = """
import logging, threading, warnings
from app.process import start_logging
start_logging("node")
warnings.warn("Invalid value for VR PN: 'Doe^Jane'", UserWarning)
logging.getLogger("pydicom").warning("Unknown encoding 'Doe^Jane'")
try:
    raise ValueError("Doe^Jane")
except ValueError as error:
    logging.getLogger("pynetdicom.dimse").exception(error)
def breaks(): raise KeyError("Doe^Jane")
thread = threading.Thread(target=breaks)
thread.start()
thread.join()
logging.getLogger("dbos").warning('a "quoted" word\\nand a line')
"""

_TAKEN_BY_ANOTHER_THREAD = """
import os, signal, threading, time
from app.process import stop_on_signal
stop = stop_on_signal()
def ask():
    time.sleep(0.5)  # until the main thread waits
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=ask).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
stop.wait()
"""
_GIVES_WAY = """
import os
from app.process import give_way
for nice in (5, 3):
    give_way(nice)
    print(os.getpriority(os.PRIO_PROCESS, 0))
"""

_AT_ANY_LINE_OF_THE_WAIT = """
import os, signal, sys
from app.process import stop_on_signal
def asked_at(number):
    left = [number]
    def at_line(frame, event, argument):
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        return at_line
    return at_line
for number in range(1, 9):
    stop = stop_on_signal()
    sys.settrace(asked_at(number))
    stop.wait()
    sys.settrace(None)
"""


@pytest.mark.parametrize("program", [_TAKEN_BY_ANOTHER_THREAD, _AT_ANY_LINE_OF_THE_WAIT])
def test_a_process_stops_at_whatever_moment_and_thread_the_signal_reaches_it(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, timeout=30)


def test_a_process_gives_way_and_never_takes_more_than_it_was_given() -> None:
    ran = subprocess.run(
        ["nice", "-n", "4", sys.executable, "-c", _GIVES_WAY],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.split() == ["5", "5"]


def test_libraries_that_quote_what_they_read_do_not_get_it_into_the_log() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _NOISE], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert "Doe" not in ran.stderr + ran.stdout
    warned, pydicom, pynetdicom, thread, dbos = map(json.loads, ran.stderr.splitlines())
    assert (warned["event"], warned["kind"]) == ("python.warning", "UserWarning")
    assert (pydicom["event"], pydicom["level"]) == ("pydicom", "warning")
    assert (pynetdicom["event"], pynetdicom["kind"]) == ("pynetdicom.dimse", "ValueError")
    assert (thread["event"], thread["kind"]) == ("thread.ended", "KeyError")
    assert dbos["message"] == 'a "quoted" word\nand a line'
    assert {entry["role"] for entry in (pydicom, pynetdicom, dbos)} == {"node"}
