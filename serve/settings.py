"""The limits of a replica, from the environment (`CATALENS_MAX_QUEUE=512`), checked at start."""

import re
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from catalog.errors import InvalidRequest
from inference.session import cores
from serve.access.audit import STDOUT
from serve.access.rates import Rate

_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _host(host: str) -> str:
    """In the form in which URLs have it: lower case, other scripts as xn--..."""
    name, _, port = host.partition(":")
    below = "*." if name.startswith("*.") else ""
    try:
        found = name.removeprefix("*.").encode("idna").decode("ascii").lower()
    except UnicodeError:
        found = ""
    if not _HOST.fullmatch(found) or (port and not (port.isdecimal() and 0 < int(port) < 65_536)):
        raise ValueError(f"{host!r} is not a host, such as cdn.shop.example")
    return below + found + (f":{port}" if port else "")


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Limits of one replica.

    Attributes:
        max_batch: photos in one run of the graph at most.
        max_queue: photos that were admitted and are not answered yet, at most.
        max_photos: photos in one request at most.
        max_streamed_photos: photos in one request that is answered line by line.
        max_ongoing_requests: requests that Ray hands to a replica at a time; it must exceed the
            queue and a batch, so that it is our code that refuses, and probes get through.
        deadline_s: a photo that waited longer is not computed.
        cores: that the replica works on; if not given as many as it takes CPUs of the cluster, and
            if that is one, all of the machine's or the container's.
        decode_threads: threads that decode photos; one per core if not given.
        threads: threads of one run of the graph on the CPU. As many runs go on at a time as fit
            the cores: one thread each gave 10% more photos per second than one run on two.
        engine_cache: directory where TensorRT keeps what it built for the next start.
        max_photo_bytes: encoded size of one photo at most.
        max_body_bytes: size of a body with several photos, or with JSON, at most.
        maintain_every_s: seconds between two rounds of compacting the live catalog.
        api_keys: file of the API keys (`catalens new-key`); without one everybody may call.
        rate_limit: of requests that a key may make of a replica, such as 100/second, unless its
            entry in the file says another.
        audit_log: file, or - for standard output, that gets a line for each call that writes.
        hosts: names, separated by commas, that callers may use for this server; any if not given.
            Only without keys: `catalens serve` then takes those of loopback while it is there.
        image_hosts: hosts, separated by commas, from which `image_url` is fetched, such as
            cdn.shop.example,*.img.example; without any it is refused.
        cors_origins: origins, separated by commas, whose pages may call from a browser.
    """

    model_config = SettingsConfigDict(env_prefix="CATALENS_", frozen=True, extra="forbid")

    max_batch: int = Field(default=16, ge=1)
    max_queue: int = Field(default=256, ge=1)
    max_photos: int = Field(default=128, ge=1)
    max_streamed_photos: int = Field(default=4096, ge=1)
    max_ongoing_requests: int = Field(default=1024, ge=1)
    deadline_s: float = Field(default=10.0, gt=0)
    cores: int = Field(default_factory=cores, ge=1)
    decode_threads: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)
    engine_cache: str | None = None
    max_photo_bytes: int = Field(default=20 * 2**20, ge=1)
    max_body_bytes: int = Field(default=64 * 2**20, ge=1)
    maintain_every_s: float = Field(default=60.0, gt=0)
    api_keys: str | None = None
    rate_limit: Rate | None = None
    audit_log: str | None = None
    hosts: Names = ()
    image_hosts: Names = ()
    cors_origins: Names = ()

    def of_replica(self, cpus: float) -> Self:
        """The settings in a replica that takes so many CPUs of its cluster.

        Where `cores` was not set, it works on these, or if it takes one at most on all there are:
        what the machine has that made the application says nothing of this one.
        """
        if "cores" in self.model_fields_set:
            return self
        return self.model_copy(update={"cores": int(cpus) if cpus > 1 else cores()})

    @property
    def runs(self) -> int:
        """Runs of the graph on the CPU at a time."""
        return max(1, self.cores // self.threads)

    @field_validator("image_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_host(host) for host in hosts)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if not parts.scheme or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{origin!r} is not an origin, such as https://shop.example")
        return origins

    @field_validator("api_keys", "audit_log")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        """Replicas have another working directory."""
        return path if path in (None, STDOUT) else str(Path(path).absolute())

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        if self.max_queue < self.max_batch:
            raise ValueError(
                f"max_queue is {self.max_queue} and max_batch {self.max_batch}: "
                "a queue shorter than a batch never fills one"
            )
        if self.max_photos > self.max_queue:
            raise ValueError(
                f"max_photos is {self.max_photos} and max_queue {self.max_queue}: "
                "a request of that many photos could never be admitted"
            )
        if self.max_ongoing_requests <= self.max_queue + self.max_batch:
            raise ValueError(
                f"max_ongoing_requests is {self.max_ongoing_requests} and max_queue + max_batch "
                f"{self.max_queue + self.max_batch}: Ray would refuse before the queue is full"
            )
        if self.rate_limit is not None and self.api_keys is None:
            raise ValueError("rate_limit is per API key, and api_keys names no file of them")
        return self


def read_settings(**values: object) -> Settings:
    """The settings of this process.

    Args:
        values: take precedence over the environment.

    Raises:
        InvalidRequest: a value is out of its range, or two contradict each other.
    """
    try:
        return Settings.model_validate(values) if values else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidRequest(
            f"{first['msg'].removeprefix('Value error, ')}.",
            where=f"CATALENS_{field.upper()}" if field else "settings",
            fix="Change one of them.",
        ) from error
