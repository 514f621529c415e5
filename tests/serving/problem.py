"""What every refusal has in common."""

import httpx


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert "/" not in body["detail"].replace("multipart/form-data", "")
    assert "Traceback" not in answer.text
