"""The HTTP interface of a real server: what it answers, and how it takes mistakes."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from tests.serving.conftest import IN_FLIGHT
from tests.serving.model_file import LABELS, sound
from tests.serving.problem import refused
from tests.serving.server_process import Running
from timbre.audio import decode, fit
from timbre.inference import OnnxEngine

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


@pytest.mark.parametrize(("level", "genre"), [(0.0, "flat"), (0.3, "up"), (-0.2, "down")])
def test_a_prediction_has_all_that_is_promised(server: Running, level: float, genre: str) -> None:
    audio = sound(level=level)
    answer = server.post(audio)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    UUID(body.pop("id"))
    assert time.time() - 60 < datetime.fromisoformat(body.pop("created_at")).timestamp()
    assert isinstance(body.pop("processing_time_ms"), int)
    model = body.pop("model")
    assert (model["name"], model["version"], len(model["sha256"])) == ("timbre", "mean-1", 64)
    probabilities = body.pop("all_probabilities")
    assert tuple(probabilities) == LABELS
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert body == {
        "status": "completed",
        "genre": genre,
        "confidence": max(probabilities.values()),
        "audio": {"duration_ms": 2000, "format": "wav", "checksum": sha256(audio).hexdigest()},
        "cached": False,
    }


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_the_format_is_found_in_the_bytes(server: Running, kind: str) -> None:
    answer = server.post(sound(kind=kind), name="no-suffix-at-all")
    assert answer.status_code == 200
    assert answer.json()["audio"]["format"] == kind.lower()


def test_the_answer_is_that_of_offline_prediction(server: Running, mean_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "clip.mp3"
    file.write_bytes(sound(level=0.1, seconds=1.5, kind="MP3", rate=44_100))
    engine = OnnxEngine(mean_model)
    contract = engine.contract
    heard = decode(file, sample_rate=contract.sample_rate, max_samples=contract.clip_samples)
    offline = engine.run(fit(heard.waveform, contract.clip_samples)[np.newaxis]).probabilities[0]
    answer = server.post(file.read_bytes()).json()
    assert list(answer["all_probabilities"].values()) == pytest.approx(offline.tolist(), abs=1e-6)
    assert answer["model"]["sha256"] == engine.sha256


def test_many_clients_each_get_their_own_answer(server: Running) -> None:
    wanted = [("up", 0.3), ("down", -0.2), ("flat", 0.0)] * 8
    with ThreadPoolExecutor(IN_FLIGHT - 1) as pool:
        answers = list(pool.map(lambda item: server.post(sound(level=item[1])), wanted))
    assert [answer.json()["genre"] for answer in answers] == [genre for genre, _ in wanted]


def test_what_else_can_be_asked(server: Running) -> None:
    assert server.get("/api/v1/genres").json()["genres"] == list(LABELS)
    health = server.get("/api/v1/health").json()
    assert health["status"] == "ok"
    assert health["version"]
    assert health["uptime"] > 0
    assert health["model"]["version"] == "mean-1"
    assert server.get("/ready").json() == {"status": "ready"}
    for path in ("/ready", "/api/v1/health"):
        answer = server.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    page = server.get("/docs").text
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(assets) == 3
    assert all(server.get(asset).status_code == 200 for asset in assets)
    assert "://" not in "".join(assets)


def test_litserves_own_routes_are_gone(server: Running) -> None:
    for path in ("/", "/health", "/info", "/litserve", "/redoc", "/shutdown"):
        refused(server.get(path), 404, "not_found")
    for path in ("/litserve", "/predict"):
        refused(server.client.post(path, json={}), 404, "not_found")


def test_a_wrong_address_or_method_is_a_problem_document(server: Running) -> None:
    refused(server.get("/api/v1/nothing"), 404, "not_found")
    answer = server.get("/api/v1/predict")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        (b"", "empty_file"),
        (b"this is a text file, whatever its name says " * 100, "unsupported_format"),
        (sound(seconds=0.2), "too_short"),
        (sound(kind="FLAC")[:80] + b"\0" * 40_000, "corrupt_audio"),
        (b"GIF89a" + sound(kind="MP3"), "unsupported_format"),
        (sound(kind="CAF"), "unsupported_format"),
    ],
    ids=["empty", "text", "short", "damaged", "gif", "caf"],
)
def test_what_is_not_audio_is_named(server: Running, audio: bytes, code: str) -> None:
    refused(server.post(audio, name="song.mp3"), 400, code)


def test_a_model_that_answers_nan_fails_that_clip_alone(server: Running) -> None:
    with ThreadPoolExecutor(IN_FLIGHT - 1) as pool:
        answers = list(pool.map(lambda n: server.post(sound(level=-0.5 if n % 3 == 0 else 0.3)), range(12)))
    for n, answer in enumerate(answers):
        if n % 3 == 0:
            refused(answer, 500, "prediction_failed")
        else:
            assert answer.json()["genre"] == "up"


@pytest.mark.parametrize(
    "files",
    [
        {"audio": ("a.wav", b"x")},
        [("file", ("a.wav", b"x")), ("file", ("b.wav", b"x"))],
        {"file": (None, b"x")},
    ],
    ids=["another field", "two files", "no file"],
)
def test_a_wrong_form_is_refused(server: Running, files: object) -> None:
    refused(server.client.post("/api/v1/predict", files=files), 422, "wrong_form")


def test_a_body_that_is_no_form_is_refused(server: Running) -> None:
    refused(server.client.post("/api/v1/predict", json={"file": "x"}), 422, "wrong_form")
    refused(server.client.post("/api/v1/predict"), 422, "wrong_form")
