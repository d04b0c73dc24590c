"""Errors a caller may want to catch by name.

Every message is one sentence for the person who must act: what was found, what was
expected, what to do. No message carries a patient's name or ID.
"""

from __future__ import annotations

from pathlib import Path


class RecontourError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(RecontourError):
    """config.yaml is missing, has an unknown key or a bad value."""


class BadUidError(RecontourError):
    """A UID breaks PS3.5 section 9 and must not reach a path."""


class GeometryMismatchError(RecontourError):
    """Two grids that must coincide do not, or two frames of reference differ."""


class UnknownMetricError(RecontourError):
    """A figure of a DVH was asked for by a name that means none."""


class IrregularSeriesError(RecontourError):
    """A CT series cannot become one volume (missing slice, tilt, mixed geometry ...)."""


class NoRuleError(RecontourError):
    """No rule of config.yaml says what to do with a series."""


class UnreadableObjectError(RecontourError):
    """A DICOM object lacks what its IOD requires, or holds what we cannot read."""


class DamagedObjectError(UnreadableObjectError):
    """An object cannot be parsed, or not within the limits; `path` is its file, where known."""

    path: Path | None = None


class ConversionMismatchError(RecontourError):
    """A written RTSTRUCT or SEG does not read back as the mask it was written from."""


class StorageFullError(RecontourError):
    """The disk reserve is reached; nothing new is accepted."""


class NoSuchCaseError(RecontourError):
    """No case has this id."""


class TransitionError(RecontourError):
    """A case may not go from its state to the one asked for."""


class JournalConflictError(RecontourError):
    """A stroke does not continue the journal that the server holds."""


class EmptyStructureError(RecontourError):
    """A structure without voxels cannot be approved."""


class NoReasonError(RecontourError):
    """A case was to be rejected or re-opened without saying why."""


class CaseLockedError(RecontourError):
    """Another reviewer holds the case."""


class DeliveryError(RecontourError):
    """The destination did not accept the object."""


class BackupError(RecontourError):
    """A backup cannot be made, is damaged, or may not be restored here."""


class ImportRefusedError(RecontourError):
    """A contour made elsewhere cannot be learned from."""


class EvaluationError(RecontourError):
    """There is nothing to hold a model against."""


class ModelUnavailableError(RecontourError):
    """No released model exists, or its files are not whole."""


class ObsoleteModelError(ModelUnavailableError):
    """A released model is whole, but of networks that are no longer used."""


class TrainerBusyError(RecontourError):
    """Another process trains in this data folder."""


class RanksDifferError(RecontourError):
    """Processes that trained together do not have the same weights."""


class SecondPersonError(RecontourError):
    """A suspicious correction cannot be decided on so, or not by this person."""


class LoginServiceError(RecontourError):
    """The hospital's login service does not answer, or proves nothing; `reason` is one word."""

    def __init__(self, words: str, *, reason: str) -> None:
        super().__init__(words)
        self.reason = reason


class AccountError(RecontourError):
    """An account of the review page cannot be made as asked."""
