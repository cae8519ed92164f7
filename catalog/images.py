"""Photo bytes to pixels: the one decode that training, export checks and serving share.

Limits are checked on the header, before any pixel is read. JPEGs are decoded at a fraction of
their size where the target allows (libjpeg's DCT scaling), so a large photo costs little more
than a small one.
"""

import io
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock

import numpy as np
from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from catalog.errors import ImageTooLarge, InvalidImage

# Left out on purpose: EPS and WMF run other programs, ICO and ICNS state one size and hold
# another, FITS, GRIB, HDF5 and BUFR are not photos. MPO is read under the name of JPEG.
READABLE_FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "DIB",
    "JPEG2000", "PPM", "TGA", "QOI", "PCX", "SGI",
)  # fmt: skip

PHOTO_SUFFIXES = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".avif",
        ".tif", ".tiff", ".bmp", ".dib", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".tga", ".qoi",
        ".pcx", ".sgi",
    )
)  # fmt: skip

# Raised whenever the same photo would decode to other pixels: embeddings depend on it.
DECODE_REVISION = 2

# Longest side of the copies that a catalog keeps, px.
COPY_SIDE = 320

# Of those, a JPEG that is kept as it came has at most so many bytes, this end, and none of these.
_COPY_BYTES = 100_000
_JPEG_END = b"\xff\xd9"
_METADATA = frozenset(("exif", "icc_profile", "xmp", "photoshop", "comment", "mpf"))

# Photos of more pixels, once a JPEG is brought to a fraction of its size, are decoded by one thread
# of a process at a time: one at the limit takes half a gigabyte.
_LARGE_PIXELS = 16_000_000
_LARGE = Lock()

# A JPEG is decoded at no less than this multiple of the target before it is resized.
_DRAFT_GAP = 1.5

# Pillow's BICUBIC by its other name: both have a = -0.5.
_BICUBIC = ResizeAlg.convolution(FilterType.catmull_rom)


@dataclass(frozen=True)
class ImageSpec:
    """What the network sees: geometry of the decode and normalisation inside the graph.

    Attributes:
        size: side of the square input, px.
        crop: side of the central square that is looked at, as a share of the shorter side.
        mean: per channel RGB, on the 0..255 scale.
        std: per channel RGB, on the 0..255 scale.
    """

    size: int
    crop: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class ImageLimits:
    """The largest photo that is read.

    Attributes:
        max_bytes: encoded size.
        max_pixels: width times height, from the header.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 64_000_000


DEFAULT_LIMITS = ImageLimits()


def decode(
    data: bytes, spec: ImageSpec, limits: ImageLimits = DEFAULT_LIMITS, *, where: str = ""
) -> NDArray[np.uint8]:
    """Decode one photo for the network: oriented, RGB, the central square, resized.

    Animated photos give their first frame; alpha is composited on white.

    Args:
        data: the encoded photo.
        spec: the geometry wanted; ``size`` and ``crop`` matter here.
        limits: byte and pixel limits.
        where: what to name in an error (a file, a row, a field).

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        InvalidImage: not a photo we can read, or a damaged one.
        ImageTooLarge: over a limit.
    """
    return decode_views(data, (spec,), limits, where=where)[0]


def decode_views(
    data: bytes,
    views: tuple[ImageSpec, ...],
    limits: ImageLimits = DEFAULT_LIMITS,
    *,
    where: str = "",
) -> tuple[NDArray[np.uint8], ...]:
    """Decode one photo once, as `decode` does, for each of several geometries."""
    photo = _open(data, limits, where)
    try:
        needed = max(view.size / view.crop for view in views)
        photo.draft(None, (math.ceil(needed * _DRAFT_GAP),) * 2)
        with _room(photo):
            turn = _orientation(photo)
            photo = _eight_bit(photo)
            # The crop is square and central, so turning the small result equals turning the photo.
            return tuple(_pixels(photo, view, turn) for view in views)
    except Exception as error:  # each decoder plugin raises its own family
        raise _unreadable(error, where) from error


def jpeg_copy(
    data: bytes,
    longest_side: int = COPY_SIDE,
    limits: ImageLimits = DEFAULT_LIMITS,
    *,
    where: str = "",
) -> bytes:
    """A small JPEG of the whole photo, upright, longest side at most ``longest_side`` px.

    One that is such a JPEG already, with nothing else in the file, stays as it is.

    Raises:
        InvalidImage: not a photo we can read, or a damaged one.
        ImageTooLarge: over a limit.
    """
    photo = _open(data, limits, where)
    if _is_small_jpeg(photo, data, longest_side):
        return data
    try:
        photo.draft(None, (longest_side, longest_side))
        with _room(photo):
            turn = _orientation(photo)
            photo = _shrunk(_eight_bit(photo), longest_side)
            return _encoded(_upright(_on_white(photo), turn))
    except Exception as error:  # each decoder plugin raises its own family
        raise _unreadable(error, where) from error


def jpeg(pixels: NDArray[np.uint8], longest_side: int) -> bytes:
    """Pixels uint8 [H, W, 3] as a JPEG, longest side at most ``longest_side`` px."""
    photo = Image.fromarray(pixels)
    photo.thumbnail((longest_side, longest_side), Image.Resampling.BICUBIC)
    return _encoded(photo)


def _is_small_jpeg(photo: Image.Image, data: bytes, longest_side: int) -> bool:
    """A whole one that holds its picture and nothing else, such as where it was taken."""
    return (
        photo.format == "JPEG"
        and photo.mode in ("RGB", "L")
        and max(photo.size) <= longest_side
        and len(data) <= _COPY_BYTES
        and data.endswith(_JPEG_END)
        and not _METADATA & photo.info.keys()
    )


def _shrunk(photo: Image.Image, longest_side: int) -> Image.Image:
    share = longest_side / max(photo.size)
    if share >= 1:
        return photo
    width, height = (max(1, round(side * share)) for side in photo.size)
    small = Image.new(photo.mode, (width, height))
    Resizer().resize_pil(photo, small, ResizeOptions(resize_alg=_BICUBIC))
    return small


def _encoded(photo: Image.Image) -> bytes:
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=85, comment=b"")  # else that of the original is kept
    return out.getvalue()


def _open(data: bytes, limits: ImageLimits, where: str) -> Image.Image:
    if not data:
        raise InvalidImage("the photo is empty (0 bytes).", where=where, fix="Send a photo.")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"the photo has {len(data):,} bytes; at most {limits.max_bytes:,} are read.",
            where=where,
            fix="Send a smaller copy.",
        )
    try:
        photo = Image.open(io.BytesIO(data), formats=READABLE_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(
            f"the photo has far over {limits.max_pixels:,} pixels.",
            where=where,
            fix="Send a smaller copy.",
        ) from error
    except Exception as error:  # each decoder plugin raises its own family
        raise _unreadable(error, where) from error
    if photo.width * photo.height > limits.max_pixels:
        raise ImageTooLarge(
            f"the photo has {photo.width} x {photo.height} pixels; "
            f"at most {limits.max_pixels:,} are read.",
            where=where,
            fix="Send a smaller copy.",
        )
    return photo


def _room(photo: Image.Image) -> AbstractContextManager[object]:
    """Where a photo is decoded; those that take hundreds of megabytes are, one after the other."""
    return _LARGE if photo.width * photo.height > _LARGE_PIXELS else nullcontext()


def _unreadable(error: Exception, where: str) -> InvalidImage:
    reason = "no known photo format" if isinstance(error, UnidentifiedImageError) else error
    return InvalidImage(
        f"not a readable photo ({reason}).",
        where=where,
        fix="Send a whole JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP file.",
    )


def _orientation(photo: Image.Image) -> Image.Transpose | None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        return turns.get(int(photo.getexif().get(0x0112, 1)))
    except Exception:  # noqa: BLE001 - a damaged EXIF block must not cost the photo
        return None


def _eight_bit(photo: Image.Image) -> Image.Image:
    """RGB or RGBA with 8 bits a channel, from any mode Pillow opens."""
    if photo.mode in ("RGB", "RGBA"):
        photo.load()
        return photo
    if photo.mode.startswith("I") or photo.mode == "F":
        return _grey_from_wide(photo)
    return photo.convert("RGBA" if photo.has_transparency_data else "RGB")


def _grey_from_wide(photo: Image.Image) -> Image.Image:
    # All in place: of a photo at the limit each copy is 256 MB.
    values = np.array(photo, dtype=np.float32)
    np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if photo.mode == "F":
        scale = 255.0 if top <= 1.0 else 1.0
    else:
        scale = 1.0 if photo.mode == "I" and top <= 255 else 1 / 257
    values *= scale
    np.clip(values, 0, 255, out=values)
    grey = np.rint(values, out=values).astype(np.uint8)
    del values
    return Image.fromarray(grey).convert("RGB")


def _pixels(photo: Image.Image, view: ImageSpec, turn: Image.Transpose | None) -> NDArray[np.uint8]:
    side = min(photo.size) * view.crop
    left, top = (photo.width - side) / 2, (photo.height - side) / 2
    options = ResizeOptions(resize_alg=_BICUBIC, crop_box=CropBox(left, top, side, side))
    small = Image.new(photo.mode, (view.size, view.size))
    # One resizer each: it keeps buffers, and threads decode at the same time.
    Resizer().resize_pil(photo, small, options)
    return np.asarray(_upright(_on_white(small), turn))


def _on_white(photo: Image.Image) -> Image.Image:
    if photo.mode != "RGBA":
        return photo
    return Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo).convert("RGB")


def _upright(photo: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return photo if turn is None else photo.transpose(turn)
