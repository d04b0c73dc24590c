"""What every process does first: the log, which leaves the building."""

from __future__ import annotations

import json
import subprocess
import sys

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
