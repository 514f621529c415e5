"""Errors as clients see them: RFC 9457 problem details with a stable code, and never a word of what is inside."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

PROBLEMS: Mapping[str, tuple[HTTPStatus, str]] = MappingProxyType(
    {
        "bad_request": (HTTPStatus.BAD_REQUEST, "the request cannot be understood"),
        "not_found": (HTTPStatus.NOT_FOUND, "there is nothing at this address"),
        "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "this address does not take this method"),
        "upload_timeout": (HTTPStatus.REQUEST_TIMEOUT, "the upload took too long"),
        "body_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request body is too large"),
        "head_too_large": (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's headers are too large"),
        "wrong_form": (HTTPStatus.UNPROCESSABLE_ENTITY, "the request is not what this address expects"),
        "internal": (HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; the fault is ours"),
        "prediction_failed": (HTTPStatus.INTERNAL_SERVER_ERROR, "the model gave no usable answer for this audio"),
        "overloaded": (HTTPStatus.SERVICE_UNAVAILABLE, "the server is at its limit; try again shortly"),
        "not_ready": (HTTPStatus.SERVICE_UNAVAILABLE, "the server is not ready; try again shortly"),
        "draining": (HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping; try again shortly"),
        "storage_full": (HTTPStatus.SERVICE_UNAVAILABLE, "the server has no room for the upload; try again later"),
        "deadline": (HTTPStatus.GATEWAY_TIMEOUT, "no answer could be given in time"),
    }
)
"""Every code that is not an audio code, with its status and its sentence."""

_CODE_OF_STATUS = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    422: "wrong_form",
}


class Problem(HTTPException):
    """A refusal with a stable code and a fixed sentence.

    A subclass of HTTPException because FastAPI passes those on as they are, wherever they are raised.

    Attributes:
        code: stable, for programs.
        sentence: for people; safe to show to anyone.
    """

    def __init__(self, code: str, sentence: str | None = None) -> None:
        status, usual = PROBLEMS[code]
        self._init(code, status, sentence or usual)

    def _init(self, code: str, status: HTTPStatus, sentence: str) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        super().__init__(status, sentence, headers)
        self.code = code
        self.sentence = sentence


class AudioProblem(Problem):
    """A refusal of the uploaded audio, under the audio room's own code and sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        self._init(code, HTTPStatus.BAD_REQUEST, sentence)


def problem_response(problem: Problem) -> Response:
    """The problem as an HTTP response. Its type is about:blank, so its title is the status's own phrase."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": int(problem.status_code),
        "detail": problem.sentence,
        "code": problem.code,
    }
    return Response(json.dumps(document), problem.status_code, problem.headers, MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error that leaves the app a problem document, FastAPI's own among them."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _unexpected)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(error)
    usual = "bad_request" if 400 <= error.status_code < 500 else "internal"
    response = problem_response(Problem(_CODE_OF_STATUS.get(error.status_code, usual)))
    response.headers.update(error.headers or {})  # such as Allow beside a 405
    return response


async def _invalid_request(_request: Request, _error: Exception) -> Response:
    return problem_response(Problem("wrong_form"))


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("request failed: %s %s", request.method, type(error).__name__)  # uvicorn logs the traceback
    return problem_response(Problem("internal"))
