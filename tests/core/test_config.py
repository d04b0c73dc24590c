"""A wrong configuration names its key, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import load_settings
from core.errors import ConfigError
from tests.support.settings import REPOSITORY

SHIPPED = (REPOSITORY / "config.yaml").read_text()


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in SHIPPED
    path = tmp_path / "config.yaml"
    path.write_text(SHIPPED.replace(old, new))
    return path


def test_the_shipped_configuration_is_read() -> None:
    settings = load_settings(REPOSITORY / "config.yaml")
    assert settings.dicom.ae_title == "RECONTOUR"
    assert settings.data_folder == REPOSITORY / "data"


def test_every_key_of_the_shipped_configuration_has_a_remark() -> None:
    bare = [
        line
        for line in SHIPPED.splitlines()
        if line.strip() and not line.strip().startswith("#") and "#" not in line
    ]
    # Sections, and the list items' first keys.
    sections = {
        "dicom",
        "peers",
        "rules",
        "structures",
        "review",
        "self_check",
        "model",
        "training",
        "jobs",
        "audit",
    }
    allowed = {f"{section}:" for section in sections}
    assert not [b for b in bare if b.strip() not in allowed and not b.strip().startswith("- ")]


def test_a_missing_file_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Copy config\.yaml there"):
        load_settings(tmp_path / "nowhere.yaml")


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, "quiet_time_s:", "quite_time_s:")
    with pytest.raises(ConfigError, match=r"dicom\.quite_time_s: this key is not known"):
        load_settings(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, "disk_reserve_mb: 500 ", "# ")
    with pytest.raises(ConfigError, match="disk_reserve_mb: this key is missing"):
        load_settings(path)


def test_a_configuration_of_before_the_tour_is_read(tmp_path: Path) -> None:
    path = changed(tmp_path, "  tour: false ", "  # ")
    assert load_settings(path).review.tour is False


def test_a_bad_value_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    path = changed(tmp_path, "ae_title: RECONTOUR ", "ae_title: MUCH_TOO_LONG_AE_TITLE ")
    with pytest.raises(ConfigError, match=r"dicom\.ae_title: found 'MUCH.*at most 16"):
        load_settings(path)


@pytest.mark.parametrize("name", [r"'Lung\\L'", "' Lung'", "'Lung '", r'"Lung\tL"'])
def test_a_structure_s_name_is_one_that_a_structure_set_can_hold(tmp_path: Path, name: str) -> None:
    """What is written would have another name, and what comes back would not be known again."""
    path = changed(tmp_path, "  - name: Heart\n", f"  - name: {name}\n")
    with pytest.raises(ConfigError, match=r"structures\.0\.name: found"):
        load_settings(path)


def test_broken_yaml_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = changed(tmp_path, "structures:\n", "structures: [\n")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        load_settings(path)


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONTOUR_DICOM__PORT", "104")
    assert load_settings(REPOSITORY / "config.yaml").dicom.port == 104


def test_what_is_wrong_with_a_section_is_told_without_the_whole_of_it(tmp_path: Path) -> None:
    path = changed(
        tmp_path, "  host: 127.0.0.1            # address of", "  host: 0.0.0.0  # address of"
    )
    with pytest.raises(ConfigError, match=r"\n  review: host 0\.0\.0\.0 is reached from other"):
        load_settings(path)
