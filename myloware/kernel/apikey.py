"""API-key authentication of the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from .signing import same

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


@dataclass(frozen=True)
class KeyHolder:
    """Who called: the holder of an API key."""

    name: str
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Accepts ``X-API-Key: KEY`` or ``Authorization: Bearer KEY``; compares in constant time."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, None] | None:
        if not _given(request):
            return None
        if not self.accepts(request):
            raise AuthenticationFailed("The API key is wrong. Send the value of API_KEY in the X-API-Key header.")
        return KeyHolder("api"), None

    def accepts(self, request: Request | HttpRequest) -> bool:
        """Whether the request carries our key."""
        return bool(settings.API_KEY) and same(_given(request), settings.API_KEY)

    def authenticate_header(self, request: Request) -> str:
        return "ApiKey"


def caller(request: Request) -> str:
    """The name of whoever's key opened the door."""
    return str(getattr(request.user, "name", ""))


def _given(request: Request | HttpRequest) -> str:
    return request.headers.get("X-API-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names the key."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "X-API-Key"}
