"""Request bodies read under a limit: counted while they come in, whatever Content-Length says."""

import binascii
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from catalog.errors import CatalensError, ImageTooLarge, InvalidRequest, UnsupportedMediaType
from serve.problems import RequestTooLarge, of_validation

_Body = TypeVar("_Body", bound=BaseModel)
_MAX_TEXTS: Final = 32


@dataclass(frozen=True)
class Form:
    """A multipart body.

    Attributes:
        texts: parts without a file, by name.
        files: the bytes of the parts with a file, by name, in the order they came.
    """

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)


def media_type(request: Request) -> str:
    """The body's media type without parameters, in lower case; empty when none is given.

    Raises:
        UnsupportedMediaType: the body is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(
            f"Content-Encoding {encoding} is not read.", fix="Send the body as it is."
        )
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def unsupported(found: str, accepted: str) -> UnsupportedMediaType:
    """The error for a media type that a call does not take."""
    return UnsupportedMediaType(
        f"a body of type {found or 'none'} is not read here.",
        where="Content-Type",
        fix=f"Send {accepted}.",
    )


async def read_photo(request: Request, limit: int) -> bytes:
    """The whole body as one encoded photo.

    Raises:
        ImageTooLarge: over the limit; the rest is not read.
    """
    too_large = ImageTooLarge(
        f"the photo has over {limit:,} bytes.", where="body", fix="Send a smaller copy."
    )
    return await _read(request, limit, too_large)


async def read_json(request: Request, shape: type[_Body], limit: int) -> _Body:
    """The body as JSON of that shape.

    Raises:
        RequestTooLarge: over the limit; the rest is not read.
        InvalidRequest: not JSON, nested too deep, or not of that shape.
    """
    return parse_json(await _read(request, limit, _too_large(limit)), shape)


async def read_whole(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        RequestTooLarge: over the limit; the rest is not read.
        UnsupportedMediaType: it is compressed.
    """
    media_type(request)
    return await _read(request, limit, _too_large(limit))


def parse_json(body: bytes, shape: type[_Body]) -> _Body:
    """Bytes as JSON of that shape.

    Raises:
        InvalidRequest: not JSON, nested too deep, or not of that shape.
    """
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise of_validation(error.errors(include_url=False, include_input=False)[0]) from None


async def read_lines(
    request: Request, limit: int
) -> AsyncGenerator[tuple[int, bytes | None], None]:
    """Number, from 1, and bytes of each line that is not blank, while the body comes in.

    Of a line over the limit, None; no more of it than that is held.
    """
    number, held, dropped = 1, bytearray(), False
    async for chunk in request.stream():
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            held += end
            if dropped or len(held) > limit:
                yield number, None
            elif held.strip():
                yield number, bytes(held)
            number, held, dropped = number + 1, bytearray(), False
        held += rest
        if len(held) > limit:
            held, dropped = bytearray(), True
    if dropped or held.strip():
        yield number, None if dropped else bytes(held)


async def read_form(request: Request, limit: int, max_files: int) -> Form:
    """The body as multipart/form-data.

    Raises:
        RequestTooLarge: over the limit; the rest is not read.
        InvalidRequest: malformed, too many parts, or a text twice.
    """
    body = await _read(request, limit, _too_large(limit))

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _Parser(request.headers, whole(), max_files=max_files, max_fields=_MAX_TEXTS)
    parser.spool_max_size = limit  # it is in memory already; no second copy on disk
    try:
        parts = await parser.parse()
    except MultiPartException as error:
        raise _bad_form(error.message.rstrip(".")) from None
    except UnicodeError:  # the codec `undefined` raises a bare one
        raise _bad_form("its charset decodes nothing") from None
    if not parser.ended:
        raise _bad_form("it ends too early")
    form = Form()
    for name, part in parts.multi_items():
        if isinstance(part, UploadFile):
            form.files.setdefault(name, []).append(await part.read())
        elif name in form.texts:
            raise InvalidRequest("the part was sent twice.", where=name, fix="Send it once.")
        else:
            form.texts[name] = part
    return form


def decode_base64(text: str, limit: int, where: str) -> bytes:
    """The bytes of strictly valid base64.

    Raises:
        InvalidRequest: a character, the padding or the length is wrong.
        ImageTooLarge: more bytes than the limit.
    """
    if len(text) > limit * 4 // 3 + 4:
        raise ImageTooLarge(
            f"the photo has over {limit:,} bytes.", where=where, fix="Send a smaller copy."
        )
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise InvalidRequest(
            f"not base64 ({error}).", where=where, fix="Encode the photo's bytes as base64."
        ) from None


class _Parser(MultiPartParser):
    """Knows whether the closing boundary came; Starlette drops an unfinished part in silence."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


def _bad_form(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the multipart body cannot be read: {reason}.",
        where="body",
        fix="Let your HTTP client write it (curl -F image=@photo.jpg).",
    )


async def _read(request: Request, limit: int, too_large: CatalensError) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"the body has over {limit:,} bytes.", where="body", fix="Send fewer or smaller photos."
    )
