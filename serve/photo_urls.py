"""Photos by URL: fetched from hosts that the shop allows, and never from inside the network.

The name is resolved here, each of its addresses is checked, and the connection goes to an address
that was: so neither a redirect nor a change of DNS between check and connection leads elsewhere.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import httpcore
import httpx

from catalog.errors import ImageTooLarge, InvalidRequest, Overloaded

_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = 3
_MOVED: Final = (301, 302, 303, 307, 308)
_TIMEOUTS: Final = {"connect": 3.0, "read": 5.0, "write": 5.0, "pool": 5.0}
_WHOLE_S: Final = 10.0
_CONNECTIONS: Final = 16  # to one host: another's photos must not wait for it
_ADDRESSES: Final = 4  # of a host that are tried
_TYPES: Final = ("image/", "application/octet-stream")
# Of these an IPv4 address is a part, which may be any.
_NEVER: Final = tuple(
    ipaddress.IPv6Network(one)
    for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/23", "::/96", "3fff::/20")
)
# Azure answers a machine's questions about itself here; and the anycast of 6to4.
_NEVER_IPV4: Final = tuple(
    ipaddress.IPv4Network(one) for one in ("168.63.129.16/32", "192.88.99.0/24")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, ..."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.is_site_local or any(address in network for network in _NEVER):
            return False
    elif any(address in network for network in _NEVER_IPV4):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class PhotoFetcher:
    """Fetches photos from some hosts.

    Args:
        hosts: names that are allowed, `cdn.shop.example` or, for all below it, `*.shop.example`;
            with a port, `cdn.shop.example:8443`, where it is not the scheme's own.
        max_bytes: of a photo.
        allows: whether an address may be connected to.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        max_bytes: int,
        allows: Callable[[Address], bool] = is_public,
    ) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
        self._max_bytes = max_bytes
        self._tls = ssl.create_default_context()
        self._backend = _CheckedBackend(allows)
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def fetch(self, url: str, where: str = "image_url") -> bytes:
        """The photo at a URL.

        Args:
            url: http or https.
            where: what to call it in an error.

        Raises:
            InvalidRequest: the host is not allowed, or there is no photo to be had.
            ImageTooLarge: it has more bytes than are read.
        """
        try:
            async with asyncio.timeout(_WHOLE_S):
                for _ in range(_REDIRECTS + 1):
                    found = self._checked(url, where)
                    status, headers, body = await self._get(found, where)
                    if status not in _MOVED:
                        return self._photo(status, headers, body, where)
                    following = found.join(headers.get("location", ""))
                    if (found.scheme, following.scheme) == ("https", "http"):
                        raise _not_had("it redirects from https to http", where)
                    url = str(following)
        except httpcore.PoolTimeout:
            raise Overloaded(
                "other photos of that host are being waited for.", where=where
            ) from None
        except (httpcore.TimeoutException, TimeoutError):
            raise _not_had("it took too long", where) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError):
            # Not why: it would tell of the network that this server stands in.
            raise _not_had("it cannot be fetched", where) from None
        except (httpx.InvalidURL, ValueError):
            raise _not_had("it leads to an address that cannot be read", where) from None
        raise _not_had(f"it redirects more than {_REDIRECTS} times", where)

    def _checked(self, url: str, where: str) -> httpx.URL:
        try:
            found = httpx.URL(url)
            host = found.raw_host.decode("ascii").lower()
        except (httpx.InvalidURL, ValueError):
            raise _not_had("it is not a URL", where) from None
        if found.scheme not in _PORTS or found.userinfo:
            raise _not_had("only http and https are read, without a user", where)
        own = _PORTS[found.scheme]
        if not self._allowed(host if found.port in (None, own) else f"{host}:{found.port}"):
            raise InvalidRequest(
                "its host is not allowed on this server.",
                where=where,
                fix="Send the photo itself as `image`, or have the host allowed "
                "(CATALENS_IMAGE_HOSTS).",
            )
        return found

    def _allowed(self, host: str) -> bool:
        return any(
            host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
            for allowed in self._hosts
        )

    async def _get(self, url: httpx.URL, where: str) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and, of an answer that is one, the body."""
        asked = {b"Host": url.netloc, b"Accept": b"image/*", b"Accept-Encoding": b"identity"}
        async with self._pool(url).stream(
            "GET",
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=list(asked.items()),
            extensions={"timeout": _TIMEOUTS},
        ) as response:
            headers = httpx.Headers(response.headers)
            if response.status != 200:
                return response.status, headers, b""
            announced = headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > self._max_bytes:
                raise self._too_large(where)
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    raise self._too_large(where)
            return response.status, headers, bytes(body)

    def _pool(self, url: httpx.URL) -> httpcore.AsyncConnectionPool:
        """Of the URL's host; where all of a domain is allowed, its hosts share one."""
        host = url.raw_host.decode("ascii").lower()
        name = host if host in self._hosts else "*"
        if name not in self._pools:
            self._pools[name] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=_CONNECTIONS,
                keepalive_expiry=5.0,
                network_backend=self._backend,
            )
        return self._pools[name]

    def _photo(self, status: int, headers: httpx.Headers, body: bytes, where: str) -> bytes:
        if status != 200:
            raise _not_had(f"its host answered {status}", where)
        kind = headers.get("content-type", "").lower()
        if not kind.startswith(_TYPES) or headers.get("content-encoding", "identity") != "identity":
            raise _not_had("what is there is not a photo", where)
        return body

    def _too_large(self, where: str) -> ImageTooLarge:
        return ImageTooLarge(
            f"the photo has over {self._max_bytes:,} bytes.",
            where=where,
            fix="Link a smaller copy.",
        )


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that are allowed."""

    def __init__(self, allows: Callable[[Address], bool]) -> None:
        self._allows = allows
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore.ConnectError("the name cannot be resolved") from None
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        # One that is not makes all suspect: a name of the shop's has no business inside.
        if not addresses or not all(map(self._allows, addresses)):
            raise httpcore.ConnectError("the name leads into the network")
        for address in addresses[:_ADDRESSES]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def _not_had(what: str, where: str) -> InvalidRequest:
    return InvalidRequest(f"{what}.", where=where, fix="Send the photo itself as `image`.")
