"""Errors that are not ours, such as a framework's, become problem documents too."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from timbre.serving.problems import MEDIA_TYPE, install_problem_handlers


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (404, 404, "not_found"),
        (413, 413, "body_too_large"),
        (401, 400, "bad_request"),
        (431, 400, "bad_request"),
        (501, 500, "internal"),
    ],
)
def test_a_status_without_a_code_keeps_its_side(raised: int, status: int, code: str) -> None:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/")
    def refuse() -> None:
        raise HTTPException(raised, "secret", {"X-Kept": "yes"})

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert answer.status_code == answer.json()["status"] == status
    assert answer.json()["code"] == code
    assert "secret" not in answer.text
    assert (answer.headers["content-type"], answer.headers["x-kept"]) == (MEDIA_TYPE, "yes")
