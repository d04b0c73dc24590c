"""The conformance statement is what the code does, on paper and on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.presentation import PresentationContext
from typer.testing import CliRunner

from app.cli import app
from app.statement import conformance_statement
from app.statement_samples import Sample
from core.config import load_settings
from core.store import open_store
from dicom_node.network.conformance import network_statement
from dicom_node.network.conformance_words import services
from dicom_node.network.contexts import SERVICES, STORED, TRANSFER_SYNTAXES, VERIFICATION
from dicom_node.network.inbox import Inbox
from dicom_node.network.scu import echo
from dicom_node.objects import rtplan_reader
from dicom_node.objects.attribute_tables import read_attributes, written_attributes
from tests.dicom_node.nodes import Node, listening_node, peer_at
from tests.dicom_node.serving import serving_node
from tests.docs.pages import REPOSITORY, rows
from tests.support.settings import settings_for
from tests.support.synthetic_dicom import ct_series, encoded

SHIPPED = load_settings(REPOSITORY / "config.yaml")


@pytest.fixture(scope="module")
def statement() -> str:
    return conformance_statement(SHIPPED)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    settings = settings_for(tmp_path, dicom={"port": 0})
    store = open_store(settings)
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with listening_node(settings, store, inbox) as listening:
        yield listening


def after(text: str, words: str) -> list[list[str]]:
    """The rows of the first table that follows `words`."""
    table = text.split(words, 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    return rows(f"|{table}")


def test_the_page_is_what_the_command_prints() -> None:
    """When this fails: recontour conformance > docs/conformance.md."""
    printed = (
        CliRunner().invoke(app, ["conformance", "--config", str(REPOSITORY / "config.yaml")]).output
    )
    assert (REPOSITORY / "docs/conformance.md").read_text() == printed


def test_every_accepted_context_is_stated_and_no_other_is_accepted(tmp_path: Path) -> None:
    with serving_node(tmp_path / "serving") as node:
        text = network_statement(node.settings)
        syntaxes = [row[1] for row in after(text, "Table 4.4-2")]
        stated = {row[1]: row[2] for row in after(text, "Table 4.4-1")}
        offered = [*syntaxes, DeflatedExplicitVRLittleEndian, "1.2.840.10008.1.2.4.50"]
        for uid in (*stated, "1.2.840.10008.5.1.4.1.1.4"):
            contexts = [build_context(uid, [syntax]) for syntax in offered]
            names = stated.get(uid, "")
            expected = (
                syntaxes
                if names == "every one of table 4.4-2"
                else [str(s) for s in syntaxes if UID(s).name in names.split(", ")]
            )
            assert accepted_by(node, contexts) == expected, uid
    assert syntaxes == [str(uid) for uid in TRANSFER_SYNTAXES]
    assert set(stated) == {str(uid) for uid in (VERIFICATION, *STORED, *SERVICES)}


def test_what_an_echo_proposes_is_stated() -> None:
    proposed: list[list[str]] = []

    def on_request(event: evt.Event) -> None:
        contexts = event.assoc.requestor.requested_contexts
        proposed.extend([UID(s).name for s in context.transfer_syntax] for context in contexts)

    ae = AE("PEER")
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_REQUESTED, on_request)]
    )
    assert server is not None
    try:
        echo(peer_at(server.server_address[1]), calling_ae_title="RECONTOUR")
    finally:
        ae.shutdown()
    verify = after(network_statement(SHIPPED), "Table 4.3-1")[0]
    assert verify[0] == "verify"
    assert proposed == [verify[2].split(", ")]


def accepted_by(node: Node, contexts: list[PresentationContext]) -> list[str]:
    association = AE("TPS").associate(
        "127.0.0.1", node.port, contexts=contexts, ae_title=node.settings.dicom.ae_title
    )
    try:
        return [str(context.transfer_syntax[0]) for context in association.accepted_contexts]
    finally:
        association.release() if association.is_established else association.abort()


def test_the_identity_and_the_pdu_are_those_on_the_wire(node: Node) -> None:
    text = network_statement(node.settings)
    policies = {row[0]: row[1:] for row in after(text, "### 4.2")}
    association = AE("TPS").associate(
        "127.0.0.1",
        node.port,
        [build_context("1.2.840.10008.1.1")],
        ae_title=node.settings.dicom.ae_title,
    )
    acceptor = association.acceptor
    pdu = f"{acceptor.maximum_length} bytes"
    told = [str(acceptor.implementation_class_uid), str(acceptor.implementation_version_name)]
    association.release()
    assert policies["largest PDU we ask for"] == [pdu, f"{AE('US').maximum_pdu_size} bytes"]
    assert [policies["Implementation Class UID"][0]] == told[:1]
    assert [policies["Implementation Version Name"][0]] == told[1:]


def test_the_settings_in_force_are_printed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, dicom={"ae_title": "HEARTNODE", "port": 10444})
    text = network_statement(settings)
    assert "`HEARTNODE`" in text
    assert ["plain", "`127.0.0.1`", "10444"] in after(text, "## 5")


def test_every_service_is_in_the_overview(statement: str) -> None:
    listed = [row[1] for row in after(statement, "Table 1-1")]
    assert listed == [service.sop_class_uid.name for service in services()]


def test_nothing_is_left_to_fill_in(statement: str) -> None:
    assert not re.findall(r"\$\w+|None|Traceback", statement)


def test_the_attributes_of_what_we_write_are_those_of_the_objects(
    statement: str, tmp_path: Path
) -> None:
    sample = Sample(tmp_path, 0, SHIPPED)
    for heading, ds in (
        ("8.1.1 RT Structure Set", sample.structure_set()),
        ("8.1.2 Segmentation", sample.seg()),
        ("8.1.3 Comprehensive 3D SR", sample.report()),
    ):
        listed = {row[1]: row for row in after(statement, heading) if not row[0].startswith(">")}
        for element in ds:
            tag = f"({element.tag.group:04X},{element.tag.element:04X})"
            assert listed[tag][:3] == [element.name, tag, element.VR]
            if listed[tag][5] == "FIXED" and listed[tag][3]:
                assert listed[tag][3] == str(element.value) or element.VM > 1


def test_an_attribute_is_fixed_copied_made_or_sometimes_absent() -> None:
    one, other = (dcmread(BytesIO(encoded(ds))) for ds in ct_series(shape=(2, 4, 4)))
    del other.StudyDescription
    other.KVP = None
    told = {
        a.name: (a.value, a.presence, a.source)
        for a in written_attributes(one, other, {str(one.PatientID): "COPY"})
    }
    assert told["Modality"] == ("CT", "ALWAYS", "FIXED")
    assert told["Patient ID"] == ("", "ALWAYS", "COPY")
    assert told["SOP Instance UID"] == ("", "ALWAYS", "AUTO")
    assert told["Accession Number"] == ("", "EMPTY", "")
    assert told["Study Description"][1] == "ANAP"
    assert told["KVP"][1] == "VNAP"


def test_what_a_reader_reads_is_found_in_its_code() -> None:
    names = [name for name, _, _ in read_attributes([rtplan_reader])]
    assert {"RT Plan Label", "Beam Meterset", "Number of Fractions Planned"} <= set(names)
