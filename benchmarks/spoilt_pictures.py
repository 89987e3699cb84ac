"""Broken and odd picture files, drawn from a seed: what people, programs and disks do to pictures, and worse.

Each family takes files that Pillow writes - every format and mode that it writes here - and spoils or stretches them.
`tests/dataset/test_spoilt_pictures.py` looks at a few hundred of them, `benchmarks/difficult_images.py` at thousands.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageCms, features

Rng = np.random.Generator

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Spoilt(NamedTuple):
    """A file: its family, its name, and its bytes."""

    family: str
    name: str
    content: bytes


# --- sound files --------------------------------------------------------------------------------------------------


def drawing(rng: Rng, width: int, height: int) -> Image.Image:
    """A picture with edges, ramps and noise."""
    pixels = cv2.resize(rng.integers(0, 256, (5, 7, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 24, (height, width, 3), np.uint8)
    return Image.fromarray(cv2.add(pixels, noise))


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert a picture to a mode, by detours where Pillow knows no way."""
    if mode in ("I", "F", "I;16"):
        gray = np.asarray(image.convert("L"))
        return Image.fromarray(gray.astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]) * 257)
    if mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return ImageCms.applyTransform(image, transform)
    return image.convert("P").convert(mode) if mode == "PA" else image.convert(mode)


def formats() -> list[str]:
    """Name the formats that Pillow writes from pixels, here."""
    Image.init()
    return sorted(set(Image.SAVE) - {"PDF", "BUFR", "GRIB", "HDF5", "WMF", "EPS", "PALM"})


def written(image: Image.Image, file_format: str, **options: object) -> bytes | None:
    """Return the file, or None where the format does not take such a picture."""
    file = io.BytesIO()
    try:
        image.save(file, file_format, **options)
    except Exception:  # Pillow's writers raise almost anything
        return None
    return file.getvalue()


def sound_files(rng: Rng) -> dict[str, bytes]:
    """One file of each format and mode that go together, such as "TIFF-CMYK"."""
    files = {}
    for mode in MODES:
        image = in_mode(drawing(rng, 61, 43), mode)
        for file_format in formats():
            if (content := written(image, file_format)) is not None:
                files[f"{file_format}-{mode.replace(';', '')}"] = content
    return files


# --- spoilt ones --------------------------------------------------------------------------------------------------


def truncated(content: bytes, rng: Rng) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def with_changed_head(content: bytes, rng: Rng) -> bytes:
    spoilt = bytearray(content)
    for _ in range(int(rng.integers(1, 7))):
        spoilt[int(rng.integers(0, min(80, len(spoilt))))] = int(rng.choice([0, 1, 127, 128, 255, rng.integers(256)]))
    return bytes(spoilt)


def with_flipped_bits(content: bytes, rng: Rng) -> bytes:
    spoilt = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        spoilt[int(rng.integers(0, len(spoilt)))] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def with_a_hole(content: bytes, rng: Rng) -> bytes:
    start = int(rng.integers(0, len(content)))
    length = int(rng.integers(1, 200))
    filling = rng.choice(["zeros", "none", "noise", "twice"])
    inside = {"zeros": bytes(length), "none": b"", "noise": rng.bytes(length), "twice": content[start:] * 2}[filling]
    return content[:start] + inside + content[start + length :]


def with_a_huge_number(content: bytes, rng: Rng) -> bytes:
    """Overwrite two or four bytes of the head by a large number: sizes, offsets and counts are such."""
    spoilt = bytearray(content)
    width = int(rng.choice([2, 4]))
    start = int(rng.integers(0, max(1, min(120, len(spoilt)) - width)))
    number = int(rng.choice([0, 1, 255, 32767, 65535, 10**6, 2**31 - 1, 2**32 - 1])) % 256**width
    spoilt[start : start + width] = number.to_bytes(width, "big" if rng.random() < 0.5 else "little")
    return bytes(spoilt)


SPOILERS: dict[str, Callable[[bytes, Rng], bytes]] = {
    "truncated": truncated,
    "heads changed": with_changed_head,
    "bits flipped": with_flipped_bits,
    "holes": with_a_hole,
    "huge numbers": with_a_huge_number,
}


# --- odd ones -----------------------------------------------------------------------------------------------------


def png(width: int, height: int, *chunks: bytes, depth: int = 8, color: int = 2, pixels: bytes = b"") -> bytes:
    """A PNG that declares a size, and holds what it is given."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return _SIGNATURE + head + b"".join(chunks) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def declared_sizes(rng: Rng) -> Iterator[tuple[str, bytes]]:
    sizes = [(2**31 - 1, 2**31 - 1), (60000, 60000), (0, 0), (0, 7), (1, 2**31 - 1), (12000, 12000), (4096, 4096)]
    for width, height in sizes:
        for color, depth in ((0, 1), (0, 16), (2, 8), (3, 8), (6, 16)):
            yield f"{width}x{height}-{color}-{depth}.png", png(width, height, depth=depth, color=color)
        pam = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n".encode()
        for name, content in (
            ("ppm", b"P6 %d %d 255\n" % (width, height)),
            ("pgm", b"P2 %d %d 65535\n1 2 3" % (width, height)),
            ("pfm", b"PF\n%d %d\n-1.0\n" % (width, height)),
            ("pam", pam),
            ("xbm", b"#define x_width %d\n#define x_height %d\nstatic char x_bits[] = {\n" % (width, height)),
            ("bmp", b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)),
            ("gif", b"GIF89a" + struct.pack("<HHBBB", width % 65536, height % 65536, 0x80, 0, 0) + bytes(6) + b"\x3b"),
            ("qoi", b"qoif" + struct.pack(">IIBB", width, height, 3, 0) + bytes(8)),
            ("sgi", struct.pack(">HBBHHHH", 474, 1, 1, 3, width % 65536, height % 65536, 3) + bytes(496)),
            ("pcx", b"\x0a\x05\x01\x08" + struct.pack("<HHHH", 0, 0, width % 65536, height % 65536) + bytes(116)),
            ("tga", struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, width % 65536, height % 65536, 24, 0)),
        ):
            yield f"{width}x{height}.{name}", content
    jpeg = bytearray(written(drawing(rng, 61, 43), "JPEG") or b"")
    place = jpeg.index(b"\xff\xc0") + 5
    for height, width in ((65535, 65535), (65500, 16), (0, 0), (16, 65500), (8000, 8000)):
        jpeg[place : place + 4] = struct.pack(">HH", height, width)
        yield f"declared-{width}x{height}.jpg", bytes(jpeg)


def shapes(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for width, height in ((1, 1), (2, 1), (1, 2), (3, 3), (1, 4000), (4000, 1), (2, 3001), (65500, 1), (1, 65500)):
        for file_format in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000"):
            if (content := written(drawing(rng, width, height), file_format)) is not None:
                yield f"{width}x{height}.{file_format.lower()}", content


def exif_nonsense(rng: Rng) -> Iterator[tuple[str, bytes]]:
    for i, orientation in enumerate((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 65535, "up", b"\x06\x00", (6, 6), 6.0)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x8825] = {2: (1e9, float("inf"), 0)} if i % 2 else {1: "N" * 5000}
        try:
            block = exif.tobytes()
        except (ValueError, TypeError, struct.error, KeyError, OverflowError, AttributeError):
            block = exif_block(orientation if isinstance(orientation, int) else 6, rng)
        for file_format in ("JPEG", "PNG", "WEBP", "TIFF"):
            for name, content in (("whole", block), ("cut", block[: len(block) // 2]), ("noise", rng.bytes(90))):
                file = written(drawing(rng, 40, 30), file_format, exif=content)
                if file is not None:
                    yield f"exif-{i}-{name}.{file_format.lower()}", file


def exif_block(orientation: int, rng: Rng) -> bytes:
    """A block whose entries have impossible types, counts and offsets."""
    entries = [struct.pack("<HHIHH", 0x0112, 3, 1, orientation % 65536, 0)]
    for _ in range(8):
        values = (int(rng.integers(65536)), int(rng.integers(14)), int(rng.integers(2**32)), int(rng.integers(2**32)))
        entries.append(struct.pack("<HHII", *values))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + struct.pack("<I", 8)


def profiles(rng: Rng) -> Iterator[tuple[str, bytes]]:
    known = {name: ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes() for name in ("sRGB", "LAB", "XYZ")}
    known |= {"noise": rng.bytes(400), "short": known["sRGB"][:100], "spoilt": with_flipped_bits(known["sRGB"], rng)}
    for name, profile in known.items():
        for mode in ("L", "RGB", "RGBA", "CMYK", "P", "I;16"):
            for file_format in ("PNG", "JPEG", "TIFF", "WEBP"):
                content = written(in_mode(drawing(rng, 40, 30), mode), file_format, icc_profile=profile)
                if content is not None:
                    yield f"profile-{name}-{mode.replace(';', '')}.{file_format.lower()}", content


def animations(rng: Rng) -> Iterator[tuple[str, bytes]]:
    frames = [drawing(rng, 50, 40) for _ in range(4)]
    for file_format in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        for i in range(4):
            options = {"save_all": True, "append_images": frames[1:], "duration": 40 * i, "disposal": i % 3}
            if (content := written(frames[0], file_format, **options)) is not None:
                yield f"moving-{i}.{file_format.lower()}", content
                yield f"moving-spoilt-{i}.{file_format.lower()}", with_flipped_bits(content, rng)
                yield f"moving-cut-{i}.{file_format.lower()}", truncated(content, rng)


def texts(rng: Rng) -> Iterator[tuple[str, bytes]]:
    """PNGs with texts that unpack to much, JPEGs with segments of nothing."""
    rows = b"".join(b"\0" + rng.bytes(3 * 8) for _ in range(8))
    for num_bytes in (10**3, 10**6, 60 * 10**6):
        packed = zlib.compress(bytes(num_bytes))
        for name, chunk in (
            ("zTXt", _chunk(b"zTXt", b"a\0\0" + packed)),
            ("iTXt", _chunk(b"iTXt", b"a\0\1\0\0\0" + packed)),
            ("iCCP", _chunk(b"iCCP", b"a\0\0" + packed)),
        ):
            yield f"text-{name}-{num_bytes}.png", png(8, 8, chunk, pixels=rows)
            yield f"texts-{name}-{num_bytes}.png", png(8, 8, *([chunk] * 20), pixels=rows)
    jpeg = written(drawing(rng, 40, 30), "JPEG") or b""
    for marker in (0xE1, 0xE2, 0xED, 0xEE, 0xFE):
        segment = bytes((0xFF, marker)) + struct.pack(">H", 602) + rng.bytes(600)
        yield f"segments-{marker:x}.jpg", jpeg[:2] + segment * 50 + jpeg[2:]


ODD: dict[str, Callable[[Rng], Iterator[tuple[str, bytes]]]] = {
    "declared sizes": declared_sizes,
    "shapes": shapes,
    "EXIF nonsense": exif_nonsense,
    "colour profiles": profiles,
    "animations": animations,
    "texts": texts,
}


def large_files(longest_px: int) -> Iterator[tuple[str, bytes]]:
    """Files of few bytes and many pixels, as large as we read them."""
    flat = Image.new("RGB", (longest_px, longest_px), (200, 120, 40))
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "large-rgb.png", written(flat, "PNG", compress_level=1) or b""
    yield "large-turned.png", written(flat, "PNG", compress_level=1, exif=turned.tobytes()) or b""
    yield "large.jpg", written(flat, "JPEG") or b""
    yield "large-turned.jpg", written(flat, "JPEG", exif=turned.tobytes()) or b""
    yield "large-progressive.jpg", written(flat, "JPEG", progressive=True) or b""
    yield "large.tif", written(flat, "TIFF", compression="tiff_deflate") or b""
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16"):
        image = Image.new(
            mode, flat.size, 1 if mode in ("1", "L", "P", "I;16") else (9,) * len(Image.new(mode, (1, 1)).getbands())
        )
        kind = "TIFF" if mode == "CMYK" else "PNG"
        options = {"compression": "tiff_deflate"} if kind == "TIFF" else {"compress_level": 1}
        yield f"large-{mode.replace(';', '')}.{kind.lower()}", written(image, kind, **options) or b""
    side = min(longest_px, 8000)
    for file_format in ("WEBP", "JPEG2000", "AVIF", "GIF"):
        if file_format != "AVIF" or features.check("avif"):
            smaller = flat.resize((side, side), Image.Resampling.NEAREST)
            yield f"large.{file_format.lower()}", written(smaller, file_format) or b""


def spoilt_pictures(seed: int, per_family: int) -> Iterator[Spoilt]:
    """Draw files: `per_family` of each way to spoil one, at most twice as many of each odd kind, and the sound ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rng = np.random.default_rng(seed)
        sound = sound_files(rng)
        names = list(sound)
        yield from (
            Spoilt("formats and modes", f"{name}.{name.partition('-')[0].lower()}", sound[name]) for name in names
        )
        for family, spoil in SPOILERS.items():
            for i in range(per_family):
                name = names[int(rng.integers(len(names)))]
                suffix = name.partition("-")[0].lower()
                yield Spoilt(family, f"{family.replace(' ', '-')}-{i}-{name}.{suffix}", spoil(sound[name], rng))
        for family, draw in ODD.items():
            drawn = list(draw(rng))
            for i in sorted(rng.permutation(len(drawn))[: 2 * per_family]):
                yield Spoilt(family, *drawn[int(i)])
