"""Every error MyloWare raises on purpose.

    MylowareError                     code                status  permanent
    ├─ InvalidInput                   invalid_input       400     yes
    │  └─ UnprocessableInput          unprocessable       422     yes
    ├─ Unauthenticated                unauthenticated     401     yes
    ├─ BudgetExceeded                 budget_exceeded     402     yes
    ├─ Forbidden                      forbidden           403     yes
    ├─ NotFound                       not_found           404     yes
    ├─ Conflict                       conflict            409     yes
    │  └─ Gone                        gone                410     yes
    ├─ TooSlow                        too_slow            408     no
    ├─ TooLarge                       too_large           413     yes
    ├─ WrongMediaType                 wrong_media_type    415     yes
    ├─ RateLimited                    rate_limited        429     no
    ├─ Busy                           busy                503     no
    ├─ ProviderError                  provider_error      502     no
    │  ├─ ProviderRefused             provider_refused    502     yes
    │  ├─ ProviderUnavailable         provider_unavailable 503    no
    │  └─ OutcomeUnknown              outcome_unknown     502     yes
    ├─ StoreUnavailable               store_unavailable   503     no
    ├─ Misconfigured                  misconfigured       500     yes
    ├─ ContractBroken                 contract_broken     500     yes
    └─ MediaError                     media_error         500     yes

``permanent`` means that repeating the same call cannot help.  ``OutcomeUnknown``: the request may have
taken effect; look before repeating.
"""

from __future__ import annotations

from typing import Any


class MylowareError(Exception):
    """Base of the tree. ``detail`` is JSON-serialisable evidence, free of secrets."""

    code = "internal_error"
    status = 500
    permanent = True

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidInput(MylowareError):
    """The caller sent something malformed."""

    code, status = "invalid_input", 400


class UnprocessableInput(InvalidInput):
    """Well-formed input that breaks a rule of the domain."""

    code, status = "unprocessable", 422


class Unauthenticated(MylowareError):
    """No credentials, or wrong ones."""

    code, status = "unauthenticated", 401


class BudgetExceeded(MylowareError):
    """The money that is asked for would break a cap; only a person can allow it."""

    code, status = "budget_exceeded", 402


class Forbidden(MylowareError):
    """Known caller, action not allowed."""

    code, status = "forbidden", 403


class NotFound(MylowareError):
    """The thing does not exist, or not for this caller."""

    code, status = "not_found", 404


class Conflict(MylowareError):
    """The state does not allow this now, or somebody was first."""

    code, status = "conflict", 409


class Gone(Conflict):
    """It was possible once and is over: an expired link."""

    code, status = "gone", 410


class TooSlow(MylowareError):
    """A body that did not arrive in time."""

    code, status, permanent = "too_slow", 408, False


class TooLarge(MylowareError):
    """A body or file above its cap."""

    code, status = "too_large", 413


class WrongMediaType(MylowareError):
    """A content type that is not accepted."""

    code, status = "wrong_media_type", 415


class RateLimited(MylowareError):
    """Too many calls, or a queue that is full. ``retry_after_s`` says when to come back."""

    code, status, permanent = "rate_limited", 429, False

    def __init__(self, message: str, *, retry_after_s: float | None = None, **detail: Any) -> None:
        super().__init__(message, **detail)
        self.retry_after_s = retry_after_s


class Busy(MylowareError):
    """More requests than there is room for."""

    code, status, permanent = "busy", 503, False


class ProviderError(MylowareError):
    """An outside service failed; ``detail`` keeps provider, status and an excerpt of its answer."""

    code, status, permanent = "provider_error", 502, False


class ProviderRefused(ProviderError):
    """The service understood the request and said no."""

    code, permanent = "provider_refused", True


class ProviderUnavailable(ProviderError):
    """The service did not take the request: connection refused, 429, 5xx, maintenance."""

    code, status = "provider_unavailable", 503


class OutcomeUnknown(ProviderError):
    """The answer was lost: the service may have acted."""

    code, permanent = "outcome_unknown", True


class StoreUnavailable(MylowareError):
    """The media store takes or gives nothing now: it is full, cannot be reached, or does not know us."""

    code, status, permanent = "store_unavailable", 503, False


class Misconfigured(MylowareError):
    """A setting, project file or account that an operator has to mend."""

    code = "misconfigured"


class ContractBroken(MylowareError):
    """A persona did not do what its contract requires."""

    code = "contract_broken"


class MediaError(MylowareError):
    """A media file is broken, or FFmpeg failed on it."""

    code = "media_error"
