"""What a request asks about: products and photos from JSON, multipart or a raw body."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request

from catalog.errors import InvalidRequest
from serve.api.schemas import ClassifyBody, ProductBody
from serve.bodies import (
    Form,
    decode_base64,
    media_type,
    read_form,
    read_json,
    read_photo,
    unsupported,
)
from serve.problems import of_validation
from serve.service import Service
from serve.settings import Settings

_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_Body = TypeVar("_Body", bound=BaseModel)
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Asked:
    """A product that is asked about.

    Attributes:
        name: stripped; None when there is none.
        photos: encoded.
        names: what to call each photo in an error.
    """

    name: str | None
    photos: tuple[bytes, ...]
    names: tuple[str, ...]


async def read_photos(
    request: Request, settings: Settings, most: int
) -> tuple[list[bytes], list[str]]:
    """The photos to classify, at most so many, and what to call each in an error.

    The fast path is a body that is one photo.
    """
    found = media_type(request)
    if found.startswith("image/") or found in ("application/octet-stream", ""):
        return [await read_photo(request, settings.max_photo_bytes)], ["body"]
    if found == _JSON:
        body = await read_json(request, ClassifyBody, settings.max_body_bytes)
        _check_count(len(body.images), most)
        names = [f"images.{place}" for place in range(len(body.images))]
        limit = settings.max_photo_bytes
        pairs = zip(body.images, names, strict=True)
        return [decode_base64(text, limit, name) for text, name in pairs], names
    if found == _FORM:
        form = await read_form(request, settings.max_body_bytes, most)
        _refuse_others(form, texts=(), files=None)
        photos, names = _flat(form)
        if not photos:
            raise InvalidRequest(
                "the form holds no file.", where="body", fix="curl -F image=@photo.jpg"
            )
        return photos, names
    raise unsupported(found, "a photo (Content-Type: image/jpeg), multipart/form-data or JSON")


async def read_body(
    request: Request, shape: type[_Body], settings: Settings, forms: Sequence[str] = ()
) -> _Body | Form:
    """The body as JSON of that shape, or as a form.

    Args:
        request: whose body was not read yet.
        shape: of the JSON.
        settings: the limits.
        forms: parts that a form may have; without any, only JSON is read.
    """
    found = media_type(request)
    if found == _JSON:
        return await read_json(request, shape, settings.max_body_bytes)
    if found == _FORM and forms:
        form = await read_form(request, settings.max_body_bytes, settings.max_photos)
        _refuse_others(form, texts=forms, files=forms)
        return form
    raise unsupported(found, f"{_JSON} or {_FORM}" if forms else _JSON)


async def of_body(product: ProductBody, service: Service, where: str = "") -> Asked:
    """The product of a JSON body, its photo fetched; ``where`` ends in a point."""
    photos: list[bytes] = []
    if product.image is not None:
        limit = service.settings.max_photo_bytes
        photos.append(decode_base64(product.image, limit, f"{where}image"))
    if product.image_url is not None:
        photos.append(await service.fetch(product.image_url, f"{where}image_url"))
    return _asked(product.name, tuple(photos), where)


def of_form(form: Form, where: str = "") -> Asked:
    """The product of a form's parts `name` and `image`; ``where`` is their prefix."""
    if f"{where}image" in form.texts:
        raise InvalidRequest(
            "the part is text, not a file.", where=f"{where}image", fix="curl -F image=@photo.jpg"
        )
    if f"{where}name" in form.files:
        raise InvalidRequest("the part is a file, not text.", where=f"{where}name")
    photos = tuple(form.files.get(f"{where}image", ()))
    return _asked(form.texts.get(f"{where}name"), photos, where)


def json_part(form: Form, name: str, shape: TypeAdapter[_Value]) -> _Value | None:
    """A text part that holds JSON; None when it is not there."""
    if name not in form.texts:
        return None
    try:
        return shape.validate_json(form.texts[name], strict=True)
    except ValidationError as error:
        found = of_validation(error.errors(include_url=False)[0])
        raise InvalidRequest(found.what, where=name, fix=found.fix) from None


def require_something(asked: Asked, where: str = "product") -> Asked:
    """The product itself, if it has a name or a photo.

    Raises:
        InvalidRequest: it has neither.
    """
    if asked.name is None and not asked.photos:
        raise InvalidRequest(
            "neither a name nor a photo.", where=where, fix="Give `name`, `image` or both."
        )
    return asked


def _asked(name: str | None, photos: tuple[bytes, ...], where: str) -> Asked:
    name = (name or "").strip() or None
    return Asked(name, photos, tuple(f"{where}image" for _ in photos))


def _flat(form: Form) -> tuple[list[bytes], list[str]]:
    photos, names = [], []
    for part, files in form.files.items():
        photos += files
        names += [f"{part}.{place}" for place in range(len(files))]
    return photos, names


def _refuse_others(form: Form, texts: Sequence[str], files: Sequence[str] | None) -> None:
    others = [name for name in form.texts if name not in texts]
    if files is not None:
        others += [name for name in form.files if name not in files]
    if others:
        raise InvalidRequest(
            "the part is not known here.", where=others[0], fix="See /docs for the parts."
        )


def _check_count(photos: int, most: int) -> None:
    if photos > most:
        raise InvalidRequest(
            f"{photos} photos in one request; at most {most} are read.",
            where="images",
            fix="Send several requests, or ask for a line each (Accept: application/x-ndjson).",
        )
