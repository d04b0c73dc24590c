"""What the node is made of is known, pinned, and free to be used and passed on."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from app.cli import app
from app.components import OURSELVES, as_cyclonedx, components

LOCK = Path(__file__).parents[2] / "requirements.lock"
# The words by which the licences of what we run with are known. None asks whoever passes the node
# on to open what is theirs; PostgreSQL's driver (LGPL) and the list of authorities (MPL) are used
# as they are and may be exchanged.
# The file LICENSE of qrcode says BSD, and MIT of what it was made from; "other" is a trademark.
PERMITTED = re.compile(
    r"MIT|MIT-0|MIT-CMU|BSD|0BSD|BSD-\d-Clause|Apache|Apache-2\.0|ISC|PSF-2\.0|Zlib|CC0-1\.0|BSL-1\.0|"
    r"LLVM-exception|Zope|Unlicense|Public|Software|License|ISCL|The|AND|OR|WITH"
)
EXCEPTIONS = {
    "certifi": "Mozilla Public License 2.0 (MPL 2.0)",
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "qrcode": "BSD License; Other/Proprietary License",
}


def test_every_licence_is_known_and_none_is_the_gpl() -> None:
    others = {
        one.name: one.licence
        for one in components()
        if not one.licence
        or any(not PERMITTED.fullmatch(word) for word in re.findall(r"[\w.-]+", one.licence))
    }
    assert others == EXCEPTIONS


def test_everything_that_runs_is_pinned_with_its_hash_or_is_torch() -> None:
    pins = re.findall(r"^([\w.-]+)==([^ ;]+)", LOCK.read_text(), re.MULTILINE)
    pinned = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pins}
    found = {one.name: one.version for one in components()}
    assert found.pop(OURSELVES)
    assert found.pop("torch").startswith("2.13.0")
    assert len(found) > 50
    assert set(found.items()) - pinned == set()


def test_the_bill_of_materials_names_every_package_once_and_is_always_the_same() -> None:
    answer = CliRunner().invoke(app, ["sbom"])
    assert answer.exit_code == 0
    assert answer.stdout.strip() == as_cyclonedx(components())
    bill = json.loads(answer.stdout)
    names = [each["purl"] for each in bill["components"]]
    assert len(set(names)) == len(names)
    assert any(name.startswith("pkg:pypi/pydicom@3.") for name in names)
    assert not any("pytest" in name for name in names)
    assert bill["metadata"]["component"]["licenses"] == [{"license": {"name": "Apache-2.0"}}]
