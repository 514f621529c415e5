"""Settings come from TIMBRE_* variables and flags; a wrong one is named."""

import pytest

from timbre.serving.settings import PREFIX, ServerSettings, SettingsError, describe_settings, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_everything_has_a_default() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.model) == ("127.0.0.1", 8000, "models:/timbre@production")


def test_a_variable_is_read_and_a_flag_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBRE_PORT", "9000")
    monkeypatch.setenv("TIMBRE_MAX_BODY_MB", "0.5")
    assert read_settings().port == 9000
    assert read_settings(port=None).port == 9000
    assert read_settings(port=9001).port == 9001
    assert read_settings().max_body_bytes == 2**19


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("SLOTS", "0"),
        ("LOG_LEVEL", "loud"),
        ("TRIES", ""),
        ("MAX_BODY_MB", "inf"),
        ("MAX_BODY_MB", "1e308"),
        ("DEADLINE_SECONDS", "inf"),
        ("GRACE_SECONDS", "nan"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(SettingsError, match=rf"^{PREFIX}{name}: ") as error:
        read_settings()
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_a_wrong_flag_is_named_and_not_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}WORKERS", "0")
    with pytest.raises(SettingsError, match=r"^--port: .*65535"):
        read_settings(port=99999, workers=2)
    with pytest.raises(SettingsError, match=rf"^{PREFIX}WORKERS: "):
        read_settings(port=9000, workers=None)


def test_every_setting_is_described_with_its_default() -> None:
    described = dict(describe_settings())
    assert list(described) == [f"{PREFIX}{name.upper()}" for name in ServerSettings.model_fields]
    assert all(described.values())
    assert described["TIMBRE_PORT"].endswith("[8000]")
    for name, field in ServerSettings.model_fields.items():
        if name.endswith("_seconds"):
            assert "seconds" in str(field.description)
        if name.endswith("_mb"):
            assert "MiB" in str(field.description)
