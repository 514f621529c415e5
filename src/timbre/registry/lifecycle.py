"""A version's way through the stages: aliases decide, tags and MLflow's own stages follow, the past is kept.

Aliases are what serving reads, so moving one is the moment of change: everything else is written after it and mended
by the next change, should a process die in between. The past of a stage is a tag of the registered model: the versions
that held it, oldest first, the present one last. Whoever calls must hold the lock; MLflow has no compare-and-swap.
"""

import getpass
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from timbre.errors import NoModelError, TimbreError
from timbre.registry.versions import ARCHIVED, STAGES, Version, read_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEPT_EVENTS = 30
KEPT_PAST = 100
"""Entries kept in a tag; 5000 characters is what every database allows."""


class LifecycleError(TimbreError):
    """This change of stage makes no sense now; the text says what does."""


class Lifecycle:
    """The stages of one registered model, as they are when this is built; good for one change.

    Args:
        client: of the registry.
        name: of the registered model.
    """

    def __init__(self, *, client: "MlflowClient", name: str) -> None:
        self._client = client
        self._name = name
        model = client.get_registered_model(name)
        self._holders: dict[str, int] = {alias: int(number) for alias, number in model.aliases.items()}
        self._versions = {version.number: version for version in read_versions(client, name)}
        self._recorded: dict[str, list[int]] = {
            stage: json.loads(model.tags.get(f"past.{stage}", "[]")) for stage in STAGES
        }

    def promote(self, number: int, stage: str) -> int | None:
        """Move a version into a stage; the one that held it is archived.

        Returns:
            The version that was archived, or None.

        Raises:
            LifecycleError: if production would be left without a model.
        """
        if stage == "staging" and self._holders.get("production") == number:
            raise LifecycleError(f"version {number} is in production: promote another one or roll back first")
        past = self._past(stage)
        if self._holders.get(stage) != number:
            past = [*past, number]
        elif self._versions[number].tags.get("stage") == STAGES[stage]:
            return None
        return self._enter(number, stage, past, f"promoted to {stage}")

    def before(self, stage: str) -> Version:
        """The version that a rollback would bring back.

        Raises:
            NoModelError: if nothing was in this stage before.
        """
        return self._versions[self._past_without_present(stage)[-1]]

    def roll_back(self, stage: str) -> tuple[int, int | None]:
        """Bring back the version that held the stage before; again, the one before that.

        Returns:
            The version brought back, and the one that was archived, if the stage was held.

        Raises:
            NoModelError: if nothing was in this stage before.
        """
        past = self._past_without_present(stage)
        return past[-1], self._enter(past[-1], stage, past, f"brought back to {stage} by a rollback")

    def _past_without_present(self, stage: str) -> list[int]:
        past, holder = self._past(stage), self._holders.get(stage)
        earlier = past[:-1] if past and past[-1] == holder else past
        if not earlier:
            now = f"version {holder} is the first there" if holder else "nothing was ever there"
            raise NoModelError(f"there is nothing to roll back to in {stage}: {now}")
        return earlier

    def _past(self, stage: str) -> list[int]:
        """The versions that held the stage, as far as they still exist, ending with the one that holds it now.

        Others may move aliases too, with MLflow itself: moved to a version of the past, it counts as a rollback to it;
        moved to another one, as its promotion.
        """
        past = [number for number in self._recorded[stage] if number in self._versions]
        holder = self._holders.get(stage)
        if holder is None or (past and past[-1] == holder):
            return past
        if holder in past:
            return past[: len(past) - past[::-1].index(holder)]
        return [*past, holder]

    def _enter(self, number: int, stage: str, past: list[int], event: str) -> int | None:
        left = self._holders.get(stage)
        other = next(name for name in STAGES if name != stage)
        self._client.set_registered_model_alias(self._name, stage, str(number))
        self._record(stage, past)
        if self._holders.get(other) == number:
            self._client.delete_registered_model_alias(self._name, other)
        self._record(other, [entry for entry in self._past(other) if entry != number])
        self._mark(number, STAGES[stage], event)
        for version in self._versions.values():
            claims = version.tags.get("stage") == STAGES[stage] or version.number == left
            if claims and version.number != number:
                self._mark(version.number, ARCHIVED, f"archived: version {number} took its place in {stage}")
        return None if left == number else left

    def _record(self, stage: str, past: list[int]) -> None:
        if past != self._recorded[stage]:
            self._client.set_registered_model_tag(self._name, f"past.{stage}", json.dumps(past[-KEPT_PAST:]))

    def _mark(self, number: int, word: str, event: str) -> None:
        """Write a version's stage and the event into its tags, and into MLflow's own stage where there is one."""
        events = happened(event, self._versions[number].events)
        self._client.set_model_version_tag(self._name, str(number), "stage", word)
        self._client.set_model_version_tag(self._name, str(number), "events", events)
        _set_native_stage(self._client, self._name, number, word)


def happened(event: str, before: Sequence[dict[str, str]] = ()) -> str:
    """The tag that tells a version's history, with one more event: when, by whom, what."""
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": who(), "what": event}
    return json.dumps([*before, entry][-KEPT_EVENTS:])


def who() -> str:
    """Who acts, as far as the environment tells: CI's actor or the user's name."""
    try:
        return os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"uid {os.getuid()}"


def _set_native_stage(client: "MlflowClient", name: str, number: int, word: str) -> None:
    """MLflow's stages are deprecated and some servers have none: there, aliases and tags are the whole truth."""
    from mlflow.exceptions import MlflowException

    transition = getattr(client, "transition_model_version_stage", None)
    if transition is None:
        return
    try:
        transition(name, str(number), word)
    except MlflowException as error:
        if error.error_code not in {"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED"}:
            raise
