"""Who calls the HTTP API, what they may do, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.throttling import BaseThrottle

from myloware.kernel.errors import Forbidden, Unauthenticated
from myloware.kernel.signing import same

from . import limits
from .models import ApiKey, Scope

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request
    from rest_framework.views import APIView

WRONG = "The API key is wrong or has ended. Send a valid one in the X-API-Key header."


@dataclass(frozen=True)
class KeyHolder:
    """Who called: the holder of an API key. ``owner`` is the user id that the key speaks for."""

    name: str
    scopes: frozenset[str]
    owner: str = ""
    is_authenticated: bool = True

    @property
    def sees_all(self) -> bool:
        return Scope.ADMIN in self.scopes

    def may(self, scope: str) -> bool:
        return scope in self.scopes or self.sees_all

    def require(self, scope: str) -> None:
        """Raises ``Forbidden`` without the scope."""
        if not self.may(scope):
            raise Forbidden(f"This key may not do that: it lacks the scope '{scope}'.", scope=scope)

    def user_id(self, wanted: str) -> str:
        """Whom a request that names ``wanted`` is for. Raises ``Forbidden`` when that is somebody else."""
        if not self.sees_all and wanted not in {"", self.owner}:
            raise Forbidden(f"This key speaks for '{self.owner}' alone; leave user_id out.")
        return wanted if self.sees_all else self.owner


# The key in the settings is the operator's own.
OPERATOR = KeyHolder("api", frozenset({Scope.ADMIN}))


class ApiKeyAuthentication(BaseAuthentication):
    """Accepts ``X-API-Key: KEY`` or ``Authorization: Bearer KEY``; compares in constant time."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, None] | None:
        if not _given(request):
            return None
        found = holder_of(request)
        if found is None:
            raise AuthenticationFailed(WRONG)
        return found, None

    def authenticate_header(self, request: Request) -> str:
        return "ApiKey"


def holder_of(request: Request | HttpRequest) -> KeyHolder | None:
    """The holder of the key that the request carries; None for no key, and for a wrong one."""
    given = _given(request)
    if settings.API_KEY and same(given, settings.API_KEY):
        return OPERATOR
    key = ApiKey.objects.of(given) if given else None
    if key is None:
        return None
    key.used(timezone.now())
    return KeyHolder(key.name, frozenset(key.scopes), key.owner)


class Scoped(BasePermission):
    """Asks for the view's ``scope``: one for all methods, or by method; by default that of runs."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, KeyHolder):
            return False
        holder(request).require(scope_of(view, str(request.method)))
        return True


def scope_of(view: Any, method: str) -> str:
    """The scope that a view asks for. ``scope`` is one, or a dict by method."""
    usual = Scope.RUNS_READ if method in SAFE_METHODS else Scope.RUNS_WRITE
    scope = getattr(view, "scope", usual)
    return str(scope.get(method, usual) if isinstance(scope, dict) else scope)


class PerKey(BaseThrottle):
    """So many requests for each key; those without one are refused anyway."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, KeyHolder):
            match = getattr(request, "resolver_match", None)
            limits.take(caller(request), limiter=(match.view_name if match else "") or "api")
        return True


def holder(request: Request) -> KeyHolder:
    """Whose key opened the door. Raises ``Unauthenticated`` where none did."""
    user: object = request.user
    if not isinstance(user, KeyHolder):
        raise Unauthenticated("Send a valid API key in X-API-Key.")
    return user


def caller(request: Request) -> str:
    """The name of whoever's key opened the door."""
    return holder(request).name


def _given(request: Request | HttpRequest) -> str:
    return request.headers.get("X-API-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names the key."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "X-API-Key"}
