"""Settings, read once from config.yaml; a wrong file is an error that names the key."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from core.alert_config import AlertSettings
from core.errors import ConfigError
from core.oidc_config import OidcSettings
from core.review_config import ReviewSettings
from core.section import Port, Section

AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]
PositiveMm = Annotated[float, Field(gt=0, le=50)]
Byte = Annotated[int, Field(ge=0, le=255)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=16)]
# As it stands in a structure set: no backslash, no control character, no space at its ends.
RoiName = Annotated[
    str,
    StringConstraints(
        max_length=16,
        pattern=r"^[^\s\\\x00-\x1f\x7f]([^\\\x00-\x1f\x7f]*[^\s\\\x00-\x1f\x7f])?$",
    ),
]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Group = Annotated[str, StringConstraints(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]
Right = Literal["echo", "store", "query", "commit"]
SentObject = Literal["RTSTRUCT", "SEG", "SR"]


def _as_list(found: object) -> object:
    return (found,) if isinstance(found, str) else found


Patterns = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class TlsSettings(Section):
    """The second port, which speaks TLS (PS3.15 B.9, BCP 195), and our own certificate."""

    enabled: bool
    port: Port
    certificate: Path
    private_key: Path
    authorities: Path


class DicomSettings(Section):
    """The SCP."""

    ae_title: AeTitle
    host: str
    port: Port
    receivers: Annotated[int, Field(ge=1, le=16)]
    tls: TlsSettings
    maximum_associations: Annotated[int, Field(ge=1, le=1000)]
    maximum_associations_per_address: Annotated[int, Field(ge=1, le=1000)]
    maximum_pdu_size: Annotated[int, Field(ge=4096, le=131072)]
    network_timeout_s: Annotated[float, Field(gt=0)]
    quiet_time_s: Annotated[float, Field(ge=0)]


class PeerSettings(Section):
    """An application entity we know: what it may ask of us, and how we reach it."""

    name: Name
    ae_title: AeTitle
    host: str
    port: Port
    tls: bool = False
    rights: frozenset[Right] = frozenset({"echo", "store"})
    addresses: tuple[IPvAnyNetwork, ...] = ()
    objects: Annotated[tuple[SentObject, ...], Field(min_length=1)] = ("RTSTRUCT",)
    ask_commitment: bool = False
    retry_first_s: Annotated[float, Field(gt=0)] = 2.0
    retry_longest_s: Annotated[float, Field(gt=0)] = 300.0


class CodeSettings(Section):
    """What an organ is, whatever its name (RT ROI Identification Code Sequence (3006,0086))."""

    value: ShortText
    scheme: ShortText
    scheme_version: ShortText
    meaning: LongText
    mapping_resource: ShortText
    context_identifier: ShortText
    context_group_version: ShortText
    context_uid: Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]
    mapping_resource_uid: Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]
    mapping_resource_name: LongText


class StructureSettings(Section):
    """A structure to contour."""

    name: RoiName
    interpreted_type: Literal["ORGAN", "AVOIDANCE", "EXTERNAL", "GTV", "CTV", "PTV"]
    colour: tuple[Byte, Byte, Byte]
    keep_largest: bool = True
    fill_holes: bool = True
    code: CodeSettings | None = None


class RuleCondition(Section):
    """What a series must look like; each key lists patterns of which one must fit."""

    calling_ae_title: Patterns = ()
    modality: Patterns = ()
    study_description: Patterns = ()
    protocol_name: Patterns = ()
    body_part_examined: Patterns = ()
    series_description: Patterns = ()


class RuleSettings(Section):
    """What is done with a series: the first rule that fits decides."""

    name: Name
    when: RuleCondition = RuleCondition()
    structures: Annotated[tuple[str, ...], Field(min_length=1)]
    destinations: Annotated[tuple[str, ...], Field(min_length=1)]
    priority: Literal["urgent", "normal", "low"] = "normal"
    returning: Literal["compare", "learn"] = "compare"
    group: Group = ""


class SelfCheckSettings(Section):
    """How far our dose figures may lie from those of the planning system."""

    mean_percent: Annotated[float, Field(gt=0, le=100)]
    mean_gy: Annotated[float, Field(gt=0)]
    volume_percent: Annotated[float, Field(gt=0, le=100)]


PatchSide = Annotated[int, Field(ge=16, multiple_of=8)]


class StageSettings(Section):
    """One of the two networks: the grid it works on, its size, and the patches it learns from."""

    spacing_mm: tuple[PositiveMm, PositiveMm, PositiveMm]
    widths: Annotated[tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...], Field(min_length=2)]
    patch_voxels: tuple[PatchSide, PatchSide, PatchSide]


class ModelSettings(Section):
    """The two networks and how they see a CT."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=64)]
    engine: Literal["torch", "openvino"]
    coarse: StageSettings
    fine: StageSettings
    box_margin_mm: PositiveMm
    window_hu: tuple[float, float]


class TrainingSettings(Section):
    """How a round of learning runs."""

    steps_first: Annotated[int, Field(ge=1)]
    steps_per_case: Annotated[int, Field(ge=0)]
    steps_longest: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    augmentation: Annotated[float, Field(ge=0, le=1)]
    rounds_without_progress: Annotated[int, Field(ge=1)]
    challenger_steps: Annotated[int, Field(ge=0)]
    validate_every: Annotated[int, Field(ge=1)]
    looks_without_progress: Annotated[int, Field(ge=1)]
    processes: Annotated[int, Field(ge=1, le=64)]
    poll_s: Annotated[float, Field(gt=0)]
    learn_from_strokes: bool
    seed: Annotated[int, Field(ge=0)]


class SyslogSettings(Section):
    """Where the audit is sent as syslog over TLS (RFC 5425); without a host nowhere."""

    host: Annotated[str, StringConstraints(max_length=253)] = ""
    port: Port = 6514
    authorities: Path = Path("syslog-ca.pem")


class AuditSettings(Section):
    """What is done with the audit beside keeping it."""

    syslog: SyslogSettings = SyslogSettings()


class JobSettings(Section):
    """Durable work."""

    poll_s: Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """All of config.yaml, environment variables on top."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="RECONTOUR_",
        env_nested_delimiter="__",
    )

    data_folder: Path
    database_url: str
    disk_reserve_mb: Annotated[int, Field(ge=0)]
    dicom: DicomSettings
    peers: Annotated[tuple[PeerSettings, ...], Field(min_length=1)]
    rules: Annotated[tuple[RuleSettings, ...], Field(min_length=1)]
    structures: Annotated[tuple[StructureSettings, ...], Field(min_length=1)]
    review: ReviewSettings
    self_check: SelfCheckSettings
    model: ModelSettings
    training: TrainingSettings
    jobs: JobSettings
    audit: AuditSettings = AuditSettings()
    alerts: AlertSettings = AlertSettings()
    oidc: OidcSettings = OidcSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment above the file; no .env, no secrets folder."""
        return (env_settings, init_settings)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for key in ("peers", "rules", "structures"):
            names = [entry.name.casefold() for entry in getattr(self, key)]
            if len(set(names)) != len(names):
                raise ValueError(f"{key}: each entry needs a name of its own")
        return self

    @model_validator(mode="after")
    def _rules_name_what_exists(self) -> Self:
        peers, structures = {p.name for p in self.peers}, {s.name for s in self.structures}
        for rule in self.rules:
            for key, known in (("destinations", peers), ("structures", structures)):
                unknown = sorted(set(getattr(rule, key)) - known)
                if unknown:
                    raise ValueError(
                        f"rules: {rule.name!r} names {key} {', '.join(unknown)}; "
                        f"known are {', '.join(sorted(known))}"
                    )
        return self

    @model_validator(mode="after")
    def _a_provider_finds_the_way_back(self) -> Self:
        if self.oidc.issuer and not self.review.public_url:
            raise ValueError(
                "oidc needs review.public_url: where the provider sends browsers back to"
            )
        given = {name for names in self.oidc.groups.values() for name in names}
        if unknown := sorted(given - set(self.groups())):
            raise ValueError(f"oidc.groups: no rule has the group {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _every_rule_can_be_followed(self) -> Self:
        for rule in self.rules:
            for key in ("destinations", "structures"):
                names = list(getattr(rule, key))
                twice = sorted({name for name in names if names.count(name) > 1})
                if twice:
                    raise ValueError(f"rules: {rule.name!r} names {', '.join(twice)} twice")
        for before, rule in pairwise(self.rules):
            if before.when == RuleCondition():
                raise ValueError(
                    f"rules: {rule.name!r} can never fire: {before.name!r} before it fits every "
                    "series; move it to the end"
                )
        return self

    def groups(self) -> list[str]:
        """The groups that rules put cases into, in order; empty where everybody sees every case."""
        return sorted({rule.group for rule in self.rules if rule.group})

    def resolved_database_url(self) -> str:
        """The database's URL; SQLite in the data folder where none is given."""
        return self.database_url or f"sqlite:///{self.data_folder.resolve() / 'recontour.db'}"

    def peer_named(self, name: str) -> PeerSettings:
        """The peer's settings; raises `ConfigError` where it is not configured."""
        for peer in self.peers:
            if peer.name == name:
                return peer
        names = ", ".join(p.name for p in self.peers)
        raise ConfigError(f"peers: no peer {name!r}; configured are: {names}. Add it back.")

    def structure_named(self, roi_name: str) -> StructureSettings:
        """The structure's settings; raises `ConfigError` where it is not configured."""
        for structure in self.structures:
            if structure.name == roi_name:
                return structure
        names = ", ".join(s.name for s in self.structures)
        raise ConfigError(f"structures: no structure {roi_name!r}; configured are: {names}.")


def load_settings(path: Path) -> Settings:
    """Settings from the YAML file at `path`.

    Relative paths are taken from the folder of the file. Raises `ConfigError` naming the key,
    what was found and what is allowed.
    """
    if not path.is_file():
        raise ConfigError(
            f"There is no configuration at {path}. Copy config.yaml there, or name another file "
            "with --config."
        )
    try:
        values = YamlConfigSettingsSource(Settings, yaml_file=path)()
        settings = Settings(**values)
    except ValidationError as error:
        raise ConfigError(_sentences(path, error)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from None
    return _with_whole_paths(settings, path.parent.resolve())


def _with_whole_paths(settings: Settings, folder: Path) -> Settings:
    tls = settings.dicom.tls
    files = {
        key: folder / getattr(tls, key) for key in ("certificate", "private_key", "authorities")
    }
    dicom = settings.dicom.model_copy(update={"tls": tls.model_copy(update=files)})
    syslog = settings.audit.syslog
    trusted = syslog.model_copy(update={"authorities": folder / syslog.authorities})
    audit = settings.audit.model_copy(update={"syslog": trusted})
    changes = {
        "data_folder": folder / settings.data_folder,
        "dicom": dicom,
        "audit": audit,
        "alerts": settings.alerts.in_folder(folder),
        "oidc": settings.oidc.in_folder(folder),
        "review": settings.review.in_folder(folder),
    }
    return settings.model_copy(update=changes)


def _sentences(path: Path, error: ValidationError) -> str:
    lines = [f"{path} is not right:"]
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key}: this key is not known; remove it or correct its spelling.")
        elif problem["type"] == "missing":
            lines.append(f"  {key}: this key is missing; config.yaml in the repository shows it.")
        else:
            found = "" if isinstance(problem["input"], dict) else f"found {problem['input']!r}; "
            said = problem["msg"].removeprefix("Value error, ").removesuffix(".")
            lines.append(f"  {key}: {found}{said}." if key else f"  {said}.")
    return "\n".join(lines)
