"""The life of a version: promoted, staged, rolled back, deleted; also when killed half-way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.registry.conftest import MakeRun, build_registry, native_stages, stages
from timbre.errors import NoModelError
from timbre.registry import Registry
from timbre.registry.lifecycle import LifecycleError


def test_the_whole_life(registry: Registry, make_run: MakeRun) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
    assert stages(registry) == {1: "None", 2: "None", 3: "None"}

    registry.promote("1", "staging")
    assert stages(registry)[1] == "Staging"
    assert registry.promote("staging", "production").archived is None
    assert registry.version("production").number == 1
    assert registry.version("1").aliases == ("production",)  # and no longer staging

    assert registry.promote("2", "production").archived == 1
    assert registry.promote("3", "production").archived == 2
    assert stages(registry) == native_stages(registry) == {1: "Archived", 2: "Archived", 3: "Production"}

    change = registry.roll_back("production")
    assert (change.version, change.archived) == (2, 3)
    change = registry.roll_back("production")
    assert (change.version, change.archived) == (1, 2)
    assert stages(registry) == native_stages(registry) == {1: "Production", 2: "Archived", 3: "Archived"}
    with pytest.raises(NoModelError, match="version 1 is the first there"):
        registry.roll_back("production")

    assert registry.promote("3", "production").archived == 1  # forward again
    assert registry.roll_back("production").version == 1
    told = [event["what"] for event in registry.version("1").events]
    assert told == [
        "registered",
        "promoted to staging",
        "promoted to production",
        "archived: version 2 took its place in production",
        "brought back to production by a rollback",
        "archived: version 3 took its place in production",
        "brought back to production by a rollback",
    ]
    assert all(event["by"] and event["at"].endswith("+00:00") for event in registry.version("1").events)


def test_staging_has_a_past_of_its_own(registry: Registry, make_run: MakeRun) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
    registry.promote("1", "staging")
    registry.promote("2", "staging")
    registry.promote("2", "production")  # leaves staging, and staging's past
    registry.promote("3", "staging")
    assert stages(registry) == {1: "Archived", 2: "Production", 3: "Staging"}
    assert registry.roll_back("staging").version == 1
    assert stages(registry) == {1: "Staging", 2: "Production", 3: "Archived"}


def test_promoting_what_is_there_changes_nothing(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    registry.promote("1", "production")
    events = registry.version("1").events
    assert registry.promote("1", "production").archived is None
    assert registry.version("1").events == events


def test_production_is_never_emptied_by_staging_its_version(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    registry.promote("1", "production")
    with pytest.raises(LifecycleError, match="in production"):
        registry.promote("1", "staging")
    assert registry.version("production").number == 1


def test_an_alias_moved_by_others_is_the_truth(registry: Registry, make_run: MakeRun) -> None:
    for seed in range(4):
        registry.register(make_run(seed))
    registry.promote("1", "production")
    registry.promote("2", "production")
    with registry.tracking.client() as client:
        client.set_registered_model_alias("timbre", "production", "3")  # somebody's CI, with MLflow alone
    assert stages(registry) == {1: "Archived", 2: "Archived", 3: "Production", 4: "None"}
    assert registry.promote("4", "production").archived == 3
    assert [registry.roll_back("production").version for _ in range(3)] == [3, 2, 1]
    registry.promote("4", "production")
    with registry.tracking.client() as client:
        client.set_registered_model_alias("timbre", "production", "1")  # somebody's own rollback
    with pytest.raises(NoModelError, match="first there"):
        registry.roll_back("production")


def test_a_deleted_version_takes_its_alias_with_it_and_rollback_still_works(
    registry: Registry, make_run: MakeRun
) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
        registry.promote(str(seed + 1), "production")
    with registry.tracking.client() as client:
        client.delete_model_version("timbre", "3")
        client.delete_model_version("timbre", "1")
    with pytest.raises(NoModelError, match="no version of timbre is in production"):
        registry.version("production")
    change = registry.roll_back("production")
    assert (change.version, change.archived) == (2, None)
    with pytest.raises(NoModelError):
        registry.roll_back("production")


def test_a_promotion_killed_half_way_is_mended_by_the_next(
    registry: Registry, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
    registry.promote("1", "production")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("timbre.registry.lifecycle.Lifecycle._record", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.promote("2", "production")
    assert stages(registry) == {1: "Archived", 2: "Production", 3: "None"}  # the alias had moved
    registry.promote("2", "production")
    assert native_stages(registry) == {1: "Archived", 2: "Production", 3: "None"}
    registry.promote("3", "production")
    assert [registry.roll_back("production").version for _ in range(2)] == [2, 1]


def promote_in_process(home: str, number: int) -> None:
    build_registry(Path(home)).promote(str(number), "production")


def test_promotions_at_once_queue_and_none_is_lost(
    registry: Registry, make_run: MakeRun, at_once: Callable[..., list[int]]
) -> None:
    for seed in range(4):
        registry.register(make_run(seed))
    home = str(registry.tracking.database.parent)
    assert at_once(promote_in_process, [(home, number) for number in range(1, 5)]) == [0, 0, 0, 0]
    assert sorted(stages(registry).values()) == ["Archived", "Archived", "Archived", "Production"]
    seen = [registry.version("production").number, *(registry.roll_back("production").version for _ in range(3))]
    assert sorted(seen) == [1, 2, 3, 4]
