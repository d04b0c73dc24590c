"""Settings, read once from config.yaml; a wrong file is an error that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
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

from core.errors import ConfigError

AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]
Port = Annotated[int, Field(ge=0, le=65535)]
PositiveMm = Annotated[float, Field(gt=0, le=50)]
Byte = Annotated[int, Field(ge=0, le=255)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DicomSettings(_Section):
    """The SCP."""

    ae_title: AeTitle
    host: str
    port: Port
    calling_ae_titles: tuple[AeTitle, ...]
    maximum_associations: Annotated[int, Field(ge=1, le=1000)]
    maximum_pdu_size: Annotated[int, Field(ge=4096, le=131072)]
    network_timeout_s: Annotated[float, Field(gt=0)]
    quiet_time_s: Annotated[float, Field(ge=0)]


class DestinationSettings(_Section):
    """A peer that approved structure sets go to."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    ae_title: AeTitle
    host: str
    port: Port
    retry_first_s: Annotated[float, Field(gt=0)]
    retry_longest_s: Annotated[float, Field(gt=0)]


class StructureSettings(_Section):
    """A structure to contour."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=16)]
    interpreted_type: Literal["ORGAN", "AVOIDANCE", "EXTERNAL", "GTV", "CTV", "PTV"]
    colour: tuple[Byte, Byte, Byte]


class ReviewSettings(_Section):
    """The review page."""

    host: str
    port: Port
    threads: Annotated[int, Field(ge=2, le=256)]
    lock_s: Annotated[float, Field(gt=0)]
    public_url: Annotated[str, StringConstraints(pattern=r"^$|^https?://[^/]+$")]
    session_minutes: Annotated[int, Field(ge=1)]


class ModelSettings(_Section):
    """The network and how it sees a CT."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=64)]
    spacing_mm: tuple[PositiveMm, PositiveMm, PositiveMm]
    widths: Annotated[tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...], Field(min_length=2)]
    window_hu: tuple[float, float]


class TrainingSettings(_Section):
    """How a round of learning runs."""

    steps_first: Annotated[int, Field(ge=1)]
    steps_per_case: Annotated[int, Field(ge=0)]
    steps_longest: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    patch_voxels: tuple[
        Annotated[int, Field(ge=16, multiple_of=8)],
        Annotated[int, Field(ge=16, multiple_of=8)],
        Annotated[int, Field(ge=16, multiple_of=8)],
    ]
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    rounds_without_progress: Annotated[int, Field(ge=1)]
    validate_every: Annotated[int, Field(ge=1)]
    poll_s: Annotated[float, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]


class JobSettings(_Section):
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
    # At least one: an approved contour that goes nowhere would wait for ever.
    destinations: Annotated[tuple[DestinationSettings, ...], Field(min_length=1)]
    structures: Annotated[tuple[StructureSettings, ...], Field(min_length=1)]
    review: ReviewSettings
    model: ModelSettings
    training: TrainingSettings
    jobs: JobSettings

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
        for key in ("destinations", "structures"):
            names = [entry.name.casefold() for entry in getattr(self, key)]
            if len(set(names)) != len(names):
                raise ValueError(f"{key}: each entry needs a name of its own")
        return self

    def resolved_database_url(self) -> str:
        """The database's URL; SQLite in the data folder where none is given."""
        return self.database_url or f"sqlite:///{self.data_folder.resolve() / 'recontour.db'}"

    def structure_named(self, roi_name: str) -> StructureSettings:
        """The structure's settings; raises `ConfigError` where it is not configured."""
        for structure in self.structures:
            if structure.name == roi_name:
                return structure
        names = ", ".join(s.name for s in self.structures)
        raise ConfigError(f"structures: no structure {roi_name!r}; configured are: {names}.")


def load_settings(path: Path) -> Settings:
    """Settings from the YAML file at `path`.

    Relative folders are taken from the folder of the file. Raises `ConfigError` naming the key,
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
    folder = settings.data_folder
    if not folder.is_absolute():
        settings = settings.model_copy(update={"data_folder": (path.parent / folder).resolve()})
    return settings


def _sentences(path: Path, error: ValidationError) -> str:
    lines = [f"{path} is not right:"]
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key}: this key is not known; remove it or correct its spelling.")
        elif problem["type"] == "missing":
            lines.append(f"  {key}: this key is missing; config.yaml in the repository shows it.")
        else:
            found = f"{key}: found {problem['input']!r}; " if key else ""
            lines.append(f"  {found}{problem['msg']}.")
    return "\n".join(lines)
