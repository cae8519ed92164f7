import contextlib
import io
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from catalog import images
from catalog.errors import ImageTooLarge, InvalidImage
from catalog.images import (
    READABLE_FORMATS,
    ImageLimits,
    ImageSpec,
    decode,
    decode_views,
    jpeg_copy,
)

SPEC = ImageSpec(64, 1.0, (127.0,) * 3, (128.0,) * 3)
RED, WHITE = (200, 30, 40), (255, 255, 255)


def encoded(photo: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    photo.save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int, scanlines: bytes, bits: int = 8) -> bytes:
    """An RGB PNG written by hand: what Pillow would not write, or a header that lies."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def corners(pixels: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """Colours near the four corners: top left, top right, bottom left, bottom right."""
    edge = SPEC.size - 8
    return [tuple(int(v) for v in pixels[y, x]) for y in (8, edge) for x in (8, edge)]


def four_corners(width: int = 240, height: int = 240) -> Image.Image:
    """Red, green, blue and yellow quarters, so every turn shows."""
    photo = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(photo)
    w, h = width // 2, height // 2
    for box, colour in (
        ((0, 0, w, h), (220, 20, 20)),
        ((w, 0, width, h), (20, 200, 20)),
        ((0, h, w, height), (20, 20, 220)),
        ((w, h, width, height), (220, 220, 20)),
    ):
        draw.rectangle(box, fill=colour)
    return photo


def scene(width: int, height: int) -> Image.Image:
    """Shapes over a gradient: detail at several scales."""
    gradient = np.linspace(0, 255, width, dtype=np.float32)
    pixels = np.stack([np.tile(gradient, (height, 1)), np.full((height, width), 90.0)] * 2, axis=-1)
    photo = Image.fromarray(pixels[..., :3].astype(np.uint8))
    draw = ImageDraw.Draw(photo)
    for step in range(8):
        left, top = width * step // 10, height * (7 - step) // 10
        box = (left, top, left + width // 6, top + height // 5)
        draw.ellipse(box, fill=(40 * step % 256, 255 - 30 * step, 120))
    return photo


def difference(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Mean absolute difference on the 0..255 scale."""
    return float(np.abs(left.astype(float) - right.astype(float)).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation: int) -> None:
    undone = {
        1: [], 2: ["FLIP_LEFT_RIGHT"], 3: ["ROTATE_180"], 4: ["FLIP_TOP_BOTTOM"],
        5: ["TRANSPOSE"], 6: ["ROTATE_90"], 7: ["TRANSVERSE"], 8: ["ROTATE_270"],
    }  # fmt: skip
    upright = four_corners()
    stored = upright
    for name in undone[orientation]:  # how a camera that was held so stores the scene
        stored = stored.transpose(Image.Transpose[name])
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = encoded(stored, "JPEG", quality=95, exif=exif)
    expected = decode(encoded(upright, "JPEG", quality=95), SPEC)
    assert difference(decode(photo, SPEC), expected) < 3
    copy = np.asarray(Image.open(io.BytesIO(jpeg_copy(photo, 64))))
    assert difference(copy, np.asarray(upright.resize((64, 64)))) < 8


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_costs_nothing() -> None:
    photo = encoded(four_corners(), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert difference(decode(photo, SPEC), decode(encoded(four_corners(), "JPEG"), SPEC)) == 0


@pytest.mark.parametrize(("width", "height"), [(300, 100), (100, 300), (101, 99)])
def test_the_central_square_is_seen(width: int, height: int) -> None:
    photo = Image.new("RGB", (width, height), "black")
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    photo.paste(RED, (left, top, left + side, top + side))
    pixels = decode(encoded(photo), SPEC)
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert difference(pixels, np.full_like(pixels, RED)) < 4


def test_cmyk_reads_as_its_colour() -> None:
    photo = Image.new("RGB", (80, 80), RED).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        assert corners(decode(encoded(photo, kind), SPEC))[0] == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_keeps_its_tones(kind: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (256, 1))
    pixels = decode(encoded(Image.fromarray(ramp), kind), SPEC)
    tones = pixels[32, :, 0].astype(int)
    assert tones[0] < 8
    assert tones[-1] > 247
    assert tones[32] == pytest.approx(128, abs=4)
    assert (np.diff(tones) >= 0).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_dark_sixteen_bit_photos_stay_dark() -> None:
    dark = np.full((64, 64), 200, dtype=np.uint16)  # out of 65535
    assert decode(encoded(Image.fromarray(dark)), SPEC).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_float_tiff_is_read_on_either_scale(scale: float) -> None:
    grey = np.full((64, 64), 0.5 * scale, dtype=np.float32)
    grey[:8] = scale
    pixels = decode(encoded(Image.fromarray(grey), "TIFF"), SPEC)
    assert int(pixels[40, 40, 0]) == pytest.approx(128, abs=1)


def test_float_tiff_with_not_a_number_is_read() -> None:
    grey = np.full((64, 64), 0.5, dtype=np.float32)
    grey[0, 0] = np.nan
    grey[0, 1] = np.inf
    assert int(decode(encoded(Image.fromarray(grey), "TIFF"), SPEC)[40, 40, 0]) in range(127, 130)


def test_sixteen_bit_colour_keeps_its_colour() -> None:
    row = b"\0" + struct.pack(">HHH", *(257 * value for value in RED)) * 40
    pixels = decode(png(40, 40, row * 40, bits=16), SPEC)
    assert corners(pixels) == [RED] * 4


def test_one_bit_and_grey_with_alpha_are_read() -> None:
    assert decode(encoded(Image.new("1", (30, 30), 1)), SPEC).min() == 255
    half = Image.new("LA", (30, 30), (0, 128))
    assert int(decode(encoded(half), SPEC)[30, 30, 0]) == pytest.approx(127, abs=2)


def test_transparent_png_is_composited_on_white() -> None:
    photo = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    photo.paste((*RED, 255), (0, 0, 40, 80))
    found = corners(decode(encoded(photo), SPEC))
    assert found[0] == pytest.approx(RED, abs=2)
    assert found[1] == WHITE
    assert decode(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128))), SPEC).mean() == 127


def test_hidden_colour_under_full_transparency_does_not_bleed() -> None:
    photo = Image.new("RGBA", (80, 80), (255, 0, 255, 0))
    photo.paste((*WHITE, 255), (20, 20, 60, 60))
    assert decode(encoded(photo), SPEC).min() >= 254


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_transparency_is_composited_on_white(kind: str) -> None:
    photo = Image.new("P", (80, 80), 0)
    photo.putpalette([0, 0, 0, *RED])
    photo.paste(1, (0, 0, 40, 80))
    found = corners(decode(encoded(photo, kind, transparency=0), SPEC))
    assert found[0] == pytest.approx(RED, abs=3)
    assert found[1] == WHITE


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_animated_photos_give_their_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (64, 64), RED), Image.new("RGB", (64, 64), (0, 0, 255))
    photo = encoded(first, kind, save_all=True, append_images=[second])
    assert corners(decode(photo, SPEC))[0] == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("kind", [*READABLE_FORMATS, "MPO"])
def test_every_format_reads_as_the_same_picture(kind: str) -> None:
    photo = scene(160, 120)
    pixels = decode(encoded(photo, kind), SPEC)
    assert difference(pixels, decode(encoded(photo, "PNG"), SPEC)) < 6


@pytest.mark.parametrize("quality", [75, 92])
def test_a_large_jpeg_decoded_small_is_close_to_a_full_decode(quality: int) -> None:
    large = scene(1600, 1200)
    data = encoded(large, "JPEG", quality=quality)
    full = Image.open(io.BytesIO(data)).convert("RGB").crop((200, 0, 1400, 1200))
    expected = np.asarray(full.resize((224, 224), Image.Resampling.BICUBIC))
    spec = ImageSpec(224, 1.0, SPEC.mean, SPEC.std)
    assert difference(decode(data, spec), expected) < 2


def test_a_draft_decode_shows_the_same_content_at_every_size() -> None:
    for side in (300, 700, 1300, 2500):
        pixels = decode(encoded(four_corners(side, side), "JPEG"), SPEC)
        assert difference(pixels, decode(encoded(four_corners(side, side)), SPEC)) < 2


def test_small_photos_are_enlarged() -> None:
    assert corners(decode(encoded(Image.new("RGB", (1, 1), RED)), SPEC)) == [RED] * 4


def test_several_sizes_equal_single_decodes_closely() -> None:
    data = encoded(scene(900, 700), "JPEG")
    views = (SPEC, ImageSpec(200, 1.0, SPEC.mean, SPEC.std))
    small, large = decode_views(data, views)
    assert small.shape == (64, 64, 3)
    assert difference(small, decode(data, SPEC)) < 3
    assert (large == decode(data, ImageSpec(200, 1.0, SPEC.mean, SPEC.std))).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK"])
def test_a_jpeg_copy_is_small_upright_and_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    copy = Image.open(io.BytesIO(jpeg_copy(encoded(scene(640, 400).convert(mode), kind))))
    assert copy.format == "JPEG"
    assert copy.mode == "RGB"
    assert copy.size == (320, 200)


def test_a_jpeg_copy_never_enlarges() -> None:
    assert Image.open(io.BytesIO(jpeg_copy(encoded(scene(100, 50))))).size == (100, 50)


@pytest.mark.parametrize("read", [lambda data: decode(data, SPEC), jpeg_copy])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a photo at all, but some text",
        b"%PDF-1.7\n%",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["empty", "text", "pdf", "svg", "eps", "jpeg magic", "png magic"],
)
def test_what_is_no_photo_is_refused(read: object, data: bytes) -> None:
    with pytest.raises(InvalidImage):
        read(data)  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_photos_are_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(InvalidImage):
        decode(data[: int(len(data) * share)], SPEC, where="upload")


def test_errors_say_what_where_and_what_to_do() -> None:
    with pytest.raises(InvalidImage) as caught:
        decode(b"hello", SPEC, where="row 7")
    assert caught.value.where == "row 7"
    assert "no known photo format" in caught.value.what
    assert "JPEG" in caught.value.fix


@pytest.mark.parametrize("side", [8_001, 20_000, 200_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(ImageTooLarge):
        decode(png(side, side, bytes(1000)), SPEC)
    with pytest.raises(ImageTooLarge):
        jpeg_copy(png(side, side, bytes(1000)))


def test_a_pixel_limit_of_ones_own_holds() -> None:
    photo = encoded(Image.new("RGB", (100, 100)))
    limits = ImageLimits(max_pixels=9_999)
    with pytest.raises(ImageTooLarge, match="100 x 100"):
        decode(photo, SPEC, limits)
    assert decode(photo, SPEC, ImageLimits(max_pixels=10_000)).shape == (64, 64, 3)


def test_the_byte_limit_comes_before_any_decoder() -> None:
    with pytest.raises(ImageTooLarge, match="at most 10 are read"):
        decode(b"x" * 11, SPEC, ImageLimits(max_bytes=10))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_pixels_or_one_of_our_errors(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "TGA", "PCX"]))
    photo = bytearray(encoded(scene(60, 40), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        photo[data.draw(st.integers(0, len(photo) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidImage, ImageTooLarge):
        assert decode(bytes(photo), SPEC).shape == (64, 64, 3)


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 500), height=st.integers(1, 500), size=st.integers(1, 300))
def test_any_shape_decodes_to_the_square_asked_for(width: int, height: int, size: int) -> None:
    photo = encoded(Image.new("RGB", (width, height), RED), "JPEG", quality=95)
    pixels = decode(photo, ImageSpec(size, 1.0, SPEC.mean, SPEC.std))
    assert pixels.shape == (size, size, 3)
    assert difference(pixels, np.full_like(pixels, RED)) < 4


def test_a_large_photo_with_wide_channels_takes_few_copies() -> None:
    side = 2_000
    data = encoded(Image.fromarray(np.full((side, side), 40_000, np.uint16)), "PNG")
    tracemalloc.start()
    try:
        decode(data, SPEC)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * 4 * side * side  # as float32 once, beside what Pillow hands over


def test_large_photos_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_LARGE_PIXELS", 100 * 100)
    data = encoded(Image.new("RGB", (200, 200), "red"), "PNG")
    small = encoded(Image.new("RGB", (50, 50), "red"), "PNG")
    with ThreadPoolExecutor(1) as threads:
        with images._LARGE:
            waiting = threads.submit(decode, data, SPEC)
            decode(small, SPEC)
            assert not waiting.done()
        assert waiting.result(10).shape == (SPEC.size, SPEC.size, 3)


def test_a_small_jpeg_that_holds_only_its_picture_is_its_own_copy() -> None:
    small = encoded(Image.new("RGB", (200, 100), "red"), "JPEG")
    assert jpeg_copy(small, 320) is small
    assert jpeg_copy(small, 150) != small


@pytest.mark.parametrize("what", ["exif", "comment", "cut", "png", "cmyk"])
def test_other_small_photos_are_written_anew(what: str) -> None:
    red = Image.new("RGB", (200, 100), "red")
    exif = Image.Exif()
    exif[0x9286] = "taken at home"
    data = {
        "exif": lambda: encoded(red, "JPEG", exif=exif),
        "comment": lambda: encoded(red, "JPEG", comment=b"by me"),
        "cut": lambda: encoded(red, "JPEG") + b"\0",
        "png": lambda: encoded(red, "PNG"),
        "cmyk": lambda: encoded(red.convert("CMYK"), "JPEG"),
    }[what]()
    copy = jpeg_copy(data, 320)
    assert copy != data
    with Image.open(io.BytesIO(copy)) as photo:
        assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (200, 100))
        assert not {"exif", "comment"} & photo.info.keys()
