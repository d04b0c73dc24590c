"""The browser process."""

from __future__ import annotations

from app.process import config_path, die_with_parent, start_logging, stop_on_signal

if __name__ == "__main__":
    die_with_parent()

import structlog

from app.opening import opened_or_ended
from app.page_server import begin, end
from core.config import PeerSettings, load_settings
from dicom_node.network.scu import echo
from review_ui import create_app

log = structlog.get_logger()


def main() -> None:
    """Serve the review page until asked to stop."""
    start_logging("review")
    stop = stop_on_signal()
    settings = load_settings(config_path())
    dicom = settings.dicom

    def ask_peer(peer: PeerSettings) -> None:
        echo(peer, calling_ae_title=dicom.ae_title, tls=dicom.tls)

    app = create_app(settings, opened_or_ended(settings), ask_peer=ask_peer)
    review = settings.review
    server, thread = begin(
        app, host=review.host, port=review.port, threads=review.threads, tls=review.tls
    )
    log.info("review.serving", port=review.port, tls=bool(review.tls.certificate))
    stop.wait()
    end(server, thread)


if __name__ == "__main__":
    main()
