"""What every HTTP request gets: an id, and errors in one JSON shape."""

from __future__ import annotations

import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from django.views.defaults import page_not_found
from rest_framework import exceptions, parsers
from rest_framework.response import Response

from . import errors
from .logging import log_context
from .plain import UNFIT, storable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest, HttpResponse, HttpResponseBase

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_UNFIT_JSON = f"The JSON has {UNFIT}."

_CODES = {
    400: "invalid_input",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "wrong_media_type",
    429: "rate_limited",
}


class RequestIdMiddleware:
    """Gives each request an id (the caller's ``X-Request-Id`` if it is sane), logs under it and answers with it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        given = request.headers.get("X-Request-Id", "")
        request.id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        return self._async(request) if self.is_async else self._sync(request)

    def _sync(self, request: HttpRequest) -> HttpResponseBase:
        with log_context(requestId=request_id(request)):
            response: HttpResponseBase = self.get_response(request)
        response.headers["X-Request-Id"] = request_id(request)
        return response

    async def _async(self, request: HttpRequest) -> HttpResponseBase:
        with log_context(requestId=request_id(request)):
            response: HttpResponseBase = await self.get_response(request)
        response.headers["X-Request-Id"] = request_id(request)
        return response


def request_id(request: HttpRequest) -> str:
    return str(getattr(request, "id", ""))


def error_body(request: HttpRequest, code: str, message: str, **detail: Any) -> dict[str, Any]:
    """The one shape of an error: ``{"error": {"code", "message", "requestId", "detail"?}}``."""
    error: dict[str, Any] = {"code": code, "message": message, "requestId": request_id(request)}
    if detail:
        error["detail"] = detail
    return {"error": error}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Maps our tree, DRF's and Django's exceptions to :func:`error_body`."""
    request = context["request"]
    if isinstance(error, errors.MylowareError):
        return _ours(request, error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.APIException):
        return _framework(request, error)
    log.error("unhandled error", exc_info=error, extra={"errorCode": "internal_error"})
    body = error_body(
        request, "internal_error", "Something broke on our side. Quote the request id when you report it."
    )
    return Response(body, status=500)


def nothing_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Where no URL fits: programs are told in our shape, browsers on a page."""
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return page_not_found(request, exception)
    return JsonResponse(error_body(request, "not_found", "There is nothing at this address."), status=404)


class JSONParser(parsers.JSONParser):
    """Takes what PostgreSQL can keep."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            value = super().parse(*args, **kwargs)
        except RecursionError as error:
            raise exceptions.ParseError(_UNFIT_JSON) from error
        if not storable(value):
            raise exceptions.ParseError(_UNFIT_JSON)
        return value


def _ours(request: HttpRequest, error: errors.MylowareError) -> Response:
    if error.status >= 500:
        log.error("request failed", extra={"errorCode": error.code, "reason": error.message})
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = {"Retry-After": str(int(retry_after_s + 0.999))} if retry_after_s else None
    return Response(
        error_body(request, error.code, error.message, **error.detail), status=error.status, headers=headers
    )


def _framework(request: HttpRequest, error: exceptions.APIException) -> Response:
    challenge = getattr(error, "auth_header", None)
    headers = {"WWW-Authenticate": challenge} if challenge else None
    if isinstance(error, exceptions.ValidationError):
        body = error_body(request, "invalid_input", "The request does not fit its schema.", fields=error.detail)
        return Response(body, status=error.status_code)
    code = _CODES.get(error.status_code, "internal_error")
    return Response(error_body(request, code, str(error.detail)), status=error.status_code, headers=headers)
