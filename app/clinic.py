"""A synthetic clinic: a TPS that pushes and receives, and a simulated physician at the page.

Both use only what real ones use: DICOM associations and the review page's own requests.
"""

from __future__ import annotations

import gzip
import http.client
import http.cookiejar
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from core.config import DicomSettings, PeerSettings, TlsSettings
from core.errors import DeliveryError, RecontourError
from core.files import write_whole
from core.geometry import Mask
from core.journal import encode_runs, mask_crc32
from dicom_node.network.inbox import Received
from dicom_node.network.scp import listening

# What the page takes at once.
MOST_EVENTS = 500


class PageError(RecontourError):
    """The review page answered something else than expected."""


class LoginRefusedError(PageError):
    """The page knows no such account, or another password of it."""


class TakenError(PageError):
    """The page answered that somebody else has the case, or that it is past this."""


@dataclass
class Tps:
    """A receiving TPS: keeps every instance by its SOP Instance UID."""

    folder: Path
    received: dict[str, Path] = field(default_factory=dict)
    times_received: dict[str, int] = field(default_factory=dict)

    def keep(self, received: Received) -> None:
        """Keep what comes; the same instance again replaces itself."""
        path = self.folder / f"{received.sop_instance_uid}.dcm"
        write_whole(path, received.part10)
        self.received[received.sop_instance_uid] = path
        count = self.times_received.get(received.sop_instance_uid, 0)
        self.times_received[received.sop_instance_uid] = count + 1


_NO_TLS = TlsSettings(
    enabled=False, port=0, certificate=Path(), private_key=Path(), authorities=Path()
)


@contextmanager
def running_tps(
    folder: Path, *, ae_title: str, port: int, caller: str = "RECONTOUR"
) -> Iterator[Tps]:
    """A TPS that listens while the block runs, to the AE title `caller` alone.

    What it received before into `folder` it still has.
    """
    tps = Tps(folder, {path.stem: path for path in folder.glob("*.dcm")})
    with listening_tps(tps, ae_title=ae_title, port=port, caller=caller):
        yield tps


@contextmanager
def listening_tps(
    tps: Tps, *, ae_title: str, port: int, caller: str = "RECONTOUR"
) -> Iterator[None]:
    """`tps` listens while the block runs, to the AE title `caller` alone."""
    callers = [PeerSettings(name=caller, ae_title=caller, host="127.0.0.1", port=0)]
    settings = DicomSettings(
        ae_title=ae_title,
        host="127.0.0.1",
        port=port,
        receivers=1,
        tls=_NO_TLS,
        maximum_associations=10,
        maximum_associations_per_address=10,
        maximum_pdu_size=131072,
        network_timeout_s=60.0,
        quiet_time_s=1.0,
    )
    with listening(settings, callers, tps):
        yield


class Physician:
    """A simulated physician who corrects towards a known truth, through the page's requests."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
        self._username, self._password = username, password
        self._csrf = ""

    def log_in(self) -> None:
        """Log in as a browser does: form, CSRF token, cookie."""
        form = self._request("/login").decode()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        if token is None:
            raise PageError("The login page has no CSRF token; is this the review page?")
        values = {
            "username": self._username,
            "password": self._password,
            "csrf_token": token.group(1),
        }
        self._request("/login", body=urllib.parse.urlencode(values).encode())
        page = self._request("/").decode()
        found = re.search(r'<meta name="csrf-token" content="([^"]+)"', page)
        if found is None:
            raise PageError("Logging in did not lead to the worklist; check name and password.")
        if 'name="password"' in page:
            raise LoginRefusedError("The review page refuses name and password.")
        self._csrf = found.group(1)

    def worklist(self) -> list[dict[str, Any]]:
        """The worklist as the page polls it, all its pages."""
        first = self.get_json("/api/worklist")
        cases: list[dict[str, Any]] = list(first["cases"])
        for page in range(2, first["pages"] + 1):
            cases += self.get_json(f"/api/worklist?page={page}")["cases"]
        return cases

    def get_json(self, path: str) -> Any:
        """A JSON answer."""
        return json.loads(self._request(path))

    def get(self, path: str) -> bytes:
        """Any answer."""
        return self._request(path)

    def post_json(self, path: str, body: dict[str, Any]) -> Any:
        """A JSON answer to a JSON request."""
        return json.loads(
            self._request(
                path,
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json", "X-CSRFToken": self._csrf},
            )
        )

    def open(self, case_id: str) -> str:
        """Take the lock of a case; the tab that has it."""
        tab = uuid.uuid4().hex
        self.post_json(f"/api/cases/{case_id}/open", {"tab": tab})
        return tab

    def put_into_arm(self, case_id: str, arm: str) -> None:
        """As the form on the page of a case's figures does; needs the role of a physicist."""
        values = {"arm": arm, "csrf_token": self._csrf}
        self._request(f"/cases/{case_id}/arm", body=urllib.parse.urlencode(values).encode())

    def correct(
        self,
        case_id: str,
        wanted: Mask,
        *,
        slices_seen: Sequence[int] | None = None,
        done: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Open a case, paint slice by slice what differs from `wanted`, approve.

        `slices_seen` are those of the structure if not given; `done` is what else the page would
        report. May be called again after a failure: strokes that are kept already change nothing.
        """
        tab = self.open(case_id)
        base = self.proposal(case_id, wanted.shape)
        seq = int(self.get_json(f"/api/cases/{case_id}")["journal"]["seq"])
        for tool, k, voxels in _strokes(base, wanted):
            seq += 1
            entry = {
                "tab": tab,
                "seq": seq,
                "kind": "stroke",
                "tool": tool,
                "plane": "axial",
                "slice": k,
                "radius_mm": 10.0,
                "runs": encode_runs(voxels),
            }
            self.post_json(f"/api/cases/{case_id}/journal", entry)
        for start in range(0, len(done), MOST_EVENTS):
            batch = list(done[start : start + MOST_EVENTS])
            self.post_json(f"/api/cases/{case_id}/events", {"events": batch})
        if slices_seen is None:
            slices_seen = [int(k) for k in np.flatnonzero(wanted.any((1, 2)))]
        body = {
            "tab": tab,
            "seq": seq,
            "voxels": int(wanted.sum()),
            "crc32": mask_crc32(wanted),
            "slices_seen": list(slices_seen),
        }
        self.post_json(f"/api/cases/{case_id}/approve", body)

    def proposal(self, case_id: str, shape: tuple[int, ...]) -> Mask:
        """What the page shows at first; empty where nothing is proposed."""
        if self.get_json(f"/api/cases/{case_id}")["prediction"] is None:
            return np.zeros(shape, bool)
        content = self._request(f"/api/cases/{case_id}/prediction")
        z, y, x, slices, rows, columns = np.frombuffer(content[:24], "<i4").tolist()
        mask = np.zeros(shape, bool)
        voxels = np.frombuffer(content[24:], np.uint8).reshape(slices, rows, columns)
        mask[z : z + slices, y : y + rows, x : x + columns] = voxels
        return mask

    def _request(
        self, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        request = urllib.request.Request(  # noqa: S310 (the review page of this very demo)
            self._url + path,
            data=body,
            headers={"Referer": self._url, "Accept-Encoding": "gzip", **(headers or {})},
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                content: bytes = answer.read()
                zipped = answer.headers.get("Content-Encoding") == "gzip"
                return gzip.decompress(content) if zipped else content
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")[:300]
            kind = TakenError if error.code == http.HTTPStatus.CONFLICT else PageError
            raise kind(f"{path} answered {error.code}: {said}") from error
        except (OSError, http.client.HTTPException) as error:  # also in the middle of an answer
            raise PageError(f"{path}: the review page does not answer ({error}).") from error


def hand_drawn(truth: Mask, rng: np.random.Generator) -> Mask:
    """The truth as a hand draws it: about one rim voxel in seven is left out."""
    rim = truth & ~ndimage.binary_erosion(truth)
    drawn = truth & ~(rim & (rng.random(truth.shape) < 0.15))
    return np.asarray(ndimage.binary_opening(drawn, iterations=1) | drawn, np.bool_)


def wait_for(
    condition: Callable[[], Any], *, timeout_s: float, what: str, every_s: float = 0.25
) -> Any:
    """The first true value of `condition`; raises `PageError` naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    never = threading.Event()
    while True:
        try:
            found = condition()
        except (PageError, DeliveryError):  # the process may be starting again
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise PageError(f"Waited {timeout_s:.0f} s for {what}, in vain.")
        never.wait(every_s)


def _strokes(base: Mask, wanted: Mask) -> Iterator[tuple[str, int, Any]]:
    """(tool, slice, flat voxel indices) of what must change, slice by slice."""
    area = base[0].size
    for k in np.flatnonzero((base ^ wanted).any((1, 2))):
        for tool, change in (("add", wanted[k] & ~base[k]), ("remove", base[k] & ~wanted[k])):
            voxels = np.flatnonzero(change)
            if voxels.size:
                yield tool, int(k), voxels + int(k) * area
