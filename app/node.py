"""The DICOM process, or several: listens, keeps what arrives. It knows no job and no model."""

from __future__ import annotations

from app.process import config_path, die_with_parent, give_way, start_logging, stop_on_signal

if __name__ == "__main__":
    die_with_parent()

import structlog

from app.opening import opened_or_ended
from app.receivers import run_receivers
from app.room import Room
from app.services import services_of
from core.config import load_settings
from core.database import open_engine
from core.instance_store import InstanceStore
from dicom_node.network.inbox import Inbox
from dicom_node.network.quarantine import Quarantine, QuarantiningKeeper
from dicom_node.network.scp import listening, open_listeners

log = structlog.get_logger()


def main() -> None:
    """Listen until asked to stop."""
    start_logging("node")
    give_way(10)
    stop = stop_on_signal()
    settings = load_settings(config_path())
    store = opened_or_ended(settings)
    # The synced file is the truth; its row can be made again.
    engine = open_engine(settings.resolved_database_url(), synced=False)
    inbox = Inbox(settings.data_folder, InstanceStore(engine), reserve_mb=settings.disk_reserve_mb)
    found = inbox.reindex()
    log.info("node.reindexed", rows_added=found)
    quarantine = Quarantine(settings.data_folder, store.quarantine)
    quarantine.sweep()
    keeper = QuarantiningKeeper(inbox, quarantine)
    services = services_of(Room(settings, store))
    listeners = open_listeners(settings.dicom)

    def receive() -> None:
        with listening(
            settings.dicom, settings.peers, keeper, services, listeners=listeners
        ) as port:
            log.info("node.listening", ae_title=settings.dicom.ae_title, port=port)
            stop.wait()

    if settings.dicom.receivers == 1:
        receive()
    else:
        store.engine.dispose()
        engine.dispose()
        run_receivers(settings.dicom.receivers, receive, stop)


if __name__ == "__main__":
    main()
