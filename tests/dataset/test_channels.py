"""Pictures as data: nothing of their bits, their transparency or their place is lost on the way."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from pix2pix_data.channel_kinds import CHANNELS
from pix2pix_data.channels import decode_channels, premultiplied, straight
from pix2pix_data.dataset import EncodedPair
from pix2pix_data.errors import ImageError
from pix2pix_data.images import decode_rgb, encode_png, fit_to
from pix2pix_data.png import png_of_levels


def draw(name: str, height: int = 5, width: int = 7) -> np.ndarray:
    form = CHANNELS[name]
    return np.random.default_rng(0).integers(0, 2**form.bits, (height, width, form.num)).astype(form.dtype)


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", CHANNELS)
def test_every_level_comes_back_from_its_png(name):
    pixels = draw(name)
    decoded = decode_channels(png_of_levels(pixels), name)
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("name", ["gray16", "rgb16"])
def test_sixteen_bits_are_read_as_others_write_them(name, suffix):
    pixels = draw(name)
    _, encoded = cv2.imencode(suffix, pixels[:, :, ::-1] if name == "rgb16" else pixels)
    assert np.array_equal(decode_channels(encoded.tobytes(), name), pixels)


def test_eight_bits_become_sixteen_and_back_exactly():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    deep = decode_channels(png_of_levels(levels), "gray16")
    assert np.array_equal(deep, levels.astype(np.uint16) * 257)
    assert np.array_equal(decode_channels(png_of_levels(deep), "gray"), levels)


def test_gray_of_gray_stays_and_of_colour_is_its_luma():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert np.array_equal(decode_channels(encode_png(gray.repeat(3, 2)), "gray"), gray)
    colors = draw("rgb", 40, 50)
    expected = np.asarray(Image.fromarray(colors).convert("L"))
    assert np.array_equal(decode_channels(encode_png(colors), "gray")[:, :, 0], expected)


@pytest.mark.parametrize("name", ["rgba", "rgba16"])
def test_transparency_lies_on_white_where_it_is_not_asked_for(name):
    clear = draw(name)
    clear[:, :, 3] = 0
    highest = np.iinfo(clear.dtype).max
    assert (decode_channels(png_of_levels(clear), name.replace("a", "")) == highest).all()
    opaque = clear.copy()
    opaque[:, :, 3] = highest
    assert np.array_equal(decode_channels(png_of_levels(opaque), name.replace("a", "")), opaque[:, :, :3])


def test_what_has_no_transparency_is_opaque():
    photo = draw("rgb")
    rgba = decode_channels(encode_png(photo), "rgba")
    assert np.array_equal(rgba[:, :, :3], photo)
    assert (rgba[:, :, 3] == 255).all()


def test_a_palette_with_a_clear_colour_has_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    rgba = decode_channels(file_of(image, transparency=1), "rgba")
    assert rgba[0].tolist() == [[10, 20, 30, 255], [40, 50, 60, 0]]


@pytest.mark.parametrize("turn", range(1, 9))
def test_sixteen_bits_are_turned_upright_as_eight_are(turn):
    exif = Image.Exif()
    exif[274] = turn
    gray = draw("gray16")
    _, encoded = cv2.imencode(".png", gray.repeat(3, 2))
    exif_chunk = file_of(Image.new("RGB", (1, 1)), exif=exif)
    start = exif_chunk.index(b"eXIf") - 4
    chunk = exif_chunk[start : start + 12 + int.from_bytes(exif_chunk[start : start + 4])]
    content = encoded.tobytes()
    turned = content[:33] + chunk + content[33:]  # behind the head of a PNG
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(turned))))  # Pillow keeps the upper 8 bits
    assert np.array_equal(decode_channels(turned, "rgb16") >> 8, expected)


def test_sixteen_bit_colours_of_another_space_are_refused():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))  # known by its name alone
    chunk_file = file_of(Image.new("RGB", (1, 1)), icc_profile=profile)
    start = chunk_file.index(b"iCCP") - 4
    chunk = chunk_file[start : start + 12 + int.from_bytes(chunk_file[start : start + 4])]
    content = png_of_levels(draw("rgb16"))
    with pytest.raises(ImageError, match="convert the file to sRGB"):
        decode_channels(content[:33] + chunk + content[33:], "rgb16")


@pytest.mark.parametrize("name", ["gray16", "rgb16", "rgba"])
def test_damage_is_told(name):
    content = png_of_levels(draw(name, 60, 60))
    with pytest.raises(ImageError):
        decode_channels(content[: len(content) // 2], name)
    with pytest.raises(ImageError):
        decode_channels(b"no picture", name)


@pytest.mark.parametrize("name", ["rgba", "rgba16"])
def test_weighting_by_alpha_is_undone_exactly_where_anything_is_visible(name):
    pixels = draw(name, 40, 40)
    pixels[:, :, 3] = np.maximum(pixels[:, :, 3], 1)
    pixels[0, :, 3] = 0
    back = straight(premultiplied(pixels), pixels.dtype)
    assert np.array_equal(back[1:], pixels[1:])
    assert not back[0].any()


@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("name", CHANNELS)
def test_any_channels_are_fitted(name, how):
    fitted = fit_to(draw(name, 50, 70), 32, 24, how)
    assert (fitted.shape, fitted.dtype) == ((24, 32, CHANNELS[name].num), CHANNELS[name].dtype)


def test_sides_of_a_pair_are_decoded_as_asked_from_two_files_or_from_one():
    a, b = draw("gray16"), draw("rgba")
    two = EncodedPair("k", "k", png_of_levels(a), png_of_levels(b))
    assert all(map(np.array_equal, two.decode_sides(("A", "gray16"), ("B", "rgba")), (a, b)))
    one = EncodedPair("k", "k", png_of_levels(np.hstack([a, a + 1])), None)
    assert all(map(np.array_equal, one.decode_sides(("B", "gray16"), ("A", "gray16")), (a + 1, a)))
    odd = EncodedPair("k7", "k7", png_of_levels(a), None)
    with pytest.raises(ImageError, match="no middle") as caught:
        odd.decode_sides(("A", "gray16"))
    assert caught.value.where == "k7"
    assert np.array_equal(two.decode().b, decode_rgb(png_of_levels(b)))
