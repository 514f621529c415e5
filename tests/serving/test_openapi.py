"""The documentation at /docs says all that the interface takes and answers."""

from pathlib import Path
from typing import Any

import pytest

from timbre.audio import SlotArena
from timbre.contract import ModelContract
from timbre.serving.app import Stage, furnish
from timbre.serving.board import Board
from timbre.serving.litserve_bridge import Server
from timbre.serving.settings import ServerSettings
from timbre.serving.worker import SlotAPI


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    board = Board(workers=1, slots=1)
    contract = ModelContract(sample_rate=8000, clip_seconds=1, labels=("a", "b"), version="1", lineage={})
    with SlotArena.create(slots=1, slot_samples=8000) as arena:
        api = SlotAPI(
            model=Path("none"),
            arena=arena.name,
            board=board,
            threads=1,
            max_batch=2,
            batch_window_seconds=0,
            stall_seconds=5,
            log_level="info",
        )
        server = Server(api, workers=1)
        settings = ServerSettings()
        furnish(
            server,
            Stage(
                contract=contract, sha256="0" * 64, arena=arena, board=board, uploads=Path("none"), settings=settings
            ),
        )
        document: dict[str, Any] = server.app.openapi()
        return document


def test_the_addresses_are_those_that_are_promised(openapi: dict[str, Any]) -> None:
    assert {(path, method) for path, methods in openapi["paths"].items() for method in methods} == {
        ("/api/v1/predict", "post"),
        ("/api/v1/genres", "get"),
        ("/api/v1/health", "get"),
        ("/ready", "get"),
    }


def test_the_upload_is_a_multipart_file(openapi: dict[str, Any]) -> None:
    body = openapi["paths"]["/api/v1/predict"]["post"]["requestBody"]
    schema = body["content"]["multipart/form-data"]["schema"]
    assert body["required"]
    assert schema["required"] == ["file"]
    assert schema["properties"]["file"]["format"] == "binary"


def test_every_refusal_is_a_problem_document(openapi: dict[str, Any]) -> None:
    answers = openapi["paths"]["/api/v1/predict"]["post"]["responses"]
    assert set(answers) == {"200", "400", "408", "413", "422", "500", "503", "504"}
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if status != "200":
                    (media,) = answer["content"]
                    assert media == "application/problem+json"
                    assert "code" in answer["content"][media]["schema"]["properties"]


def test_an_answer_has_the_promised_fields(openapi: dict[str, Any]) -> None:
    fields = openapi["components"]["schemas"]["PredictionAnswer"]["properties"]
    assert list(fields) == [
        "id",
        "status",
        "genre",
        "confidence",
        "all_probabilities",
        "processing_time_ms",
        "model",
        "audio",
        "cached",
        "created_at",
    ]
