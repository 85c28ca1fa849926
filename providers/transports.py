"""The ways out of this system in live mode: only to public addresses, and no faster than the service allows."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import httpx
from limits import RateLimitItem, parse
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from myloware.kernel.errors import ProviderRefused, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from limits.storage import Storage

HTTPS = 443
# All that is given out for use by one host in the whole world (RFC 4291).
UNICAST = ipaddress.IPv6Network("2000::/3")
# The well-known prefix (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether the whole world reaches an IP address: no loopback, private, link-local, shared or reserved one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    seen = (found, *_carried(found))
    return _is_given_out(found) and all(each.is_global and not each.is_multicast for each in seen)


def _is_given_out(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Not of a form that a system may take for an inner one: ``::127.0.0.1``, ``::ffff:0:127.0.0.1``, ``fec0::1``."""
    if isinstance(address, ipaddress.IPv4Address):
        return True
    return address in UNICAST or address in NAT64 or address.ipv4_mapped is not None


def _carried(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 address that an IPv6 one stands for, if any (RFC 4291, 3056, 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    translated = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None
    return [each for each in (address.ipv4_mapped, address.sixtofour, translated) if each]


class PublicTransport(httpx.HTTPTransport):
    """Resolves a name once, refuses it when any of its addresses is not public, and connects to that very address.

    A name that resolves to something else a moment later therefore changes nothing. The certificate is still checked
    against the name. ``resolve`` answers as ``socket.getaddrinfo``; ``options`` are ``httpx.HTTPTransport``'s.
    """

    def __init__(
        self,
        *,
        resolve: Callable[..., Any] = socket.getaddrinfo,
        allowed: Callable[[str], bool] = is_public,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._resolve = resolve
        self._allowed = allowed

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises ``ProviderRefused`` for a name with a private address, ``httpx.ConnectError`` for one without any."""
        host = request.url.host
        address, port = self._address(host, request)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address, port=port)
        return super().handle_request(request)

    def _address(self, host: str, request: httpx.Request) -> tuple[str, int]:
        try:
            found = self._resolve(host, request.url.port or HTTPS, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpx.ConnectError(f"{host} has no address", request=request) from error
        places = [(str(each[4][0]), int(each[4][1])) for each in found]
        if not all(self._allowed(address) for address, _ in places):
            raise ProviderRefused(f"{host} leads to an address inside a private network; nothing was sent.", host=host)
        return places[0]


class PacedTransport(httpx.BaseTransport):
    """Lets no more POSTs through than the service takes in its window, over all workers."""

    def __init__(self, inner: httpx.BaseTransport, *, name: str, rate: str, storage: Storage) -> None:
        self._inner = inner
        self._name = name
        self._rate: RateLimitItem = parse(rate)
        self._limiter = MovingWindowRateLimiter(storage)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises ``RateLimited`` instead of asking the service for too much."""
        if request.method == "POST" and not self._free():
            raise RateLimited(
                f"{self._name} takes {self._rate} and has had them; nothing was sent.",
                retry_after_s=self._rate.get_expiry() / self._rate.amount,
            )
        return self._inner.handle_request(request)

    def _free(self) -> bool:
        try:
            return self._limiter.hit(self._rate, self._name)
        except RedisError:
            # The service counts for itself as well.
            return True

    def close(self) -> None:
        self._inner.close()
