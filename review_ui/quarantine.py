"""What was set aside because it cannot be read: for administrators to see, take and delete."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, abort
from flask import Response, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.quarantine_store import Quarantined
from review_ui.context import desk

blueprint = APIBlueprint("quarantine", __name__, url_prefix="/quarantine", enable_openapi=False)

SHOWN = 200


@blueprint.get("/")
def page() -> str:
    """Everything that is set aside, the newest first."""
    found = desk().store.quarantine.all()
    return render_template(
        "quarantine.html",
        objects=[_described(each) for each in found[:SHOWN]],
        older=max(0, len(found) - SHOWN),
    )


@blueprint.get("/<int:quarantine_id>/file")
def file(quarantine_id: int) -> Response:
    """The bytes as they came."""
    room, found = desk(), _found(quarantine_id)
    path = room.settings.data_folder / found.path
    if not path.is_file():
        abort(404, "The file is no longer there.")
    room.store.quarantine.downloaded(found, who=current_user.username, now=room.now())
    return send_file(
        path,
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=f"quarantine-{found.sha256[:16]}.dcm",
    )


@blueprint.post("/<int:quarantine_id>/delete")
def delete(quarantine_id: int) -> ResponseReturnValue:
    """Delete what was refused; of a kept instance only the entry goes."""
    room, found = desk(), _found(quarantine_id)
    if room.store.quarantine.remove(found, who=current_user.username, now=room.now()):
        _delete_file(found)
    return redirect(url_for("quarantine.page"), code=303)


def _delete_file(found: Quarantined) -> None:
    if found.instance_id is None:
        (desk().settings.data_folder / found.path).unlink(missing_ok=True)


def _found(quarantine_id: int) -> Quarantined:
    found = desk().store.quarantine.find(quarantine_id)
    if found is None:
        abort(404, "This object is no longer in quarantine.")
    return found


def _described(found: Quarantined) -> dict[str, Any]:
    return {
        "id": found.id,
        "at": found.quarantined_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "sender": found.calling_ae_title or "unknown",
        "size": _size(found.size_bytes),
        "reason": found.reason,
        "refused": found.instance_id is None,
        "digest": found.sha256[:16],
    }


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"
