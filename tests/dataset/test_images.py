from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pix2pix_data.errors import ImageError
from pix2pix_data.images import (
    decode_photo,
    decode_rgb,
    encode_jpeg,
    encode_png,
    fit_to,
    read_rgb,
    resize,
    resize_bicubic,
    resize_nearest,
)


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def test_png_gives_back_every_pixel(draw):
    photo = draw()
    assert np.array_equal(decode_rgb(encode_png(photo)), photo)


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 200)])
def test_gray_and_black_and_white_png_give_back_every_pixel(low, high):
    gray = np.where(np.indices((7, 13)).sum(0) % 3 == 0, low, high).astype(np.uint8)
    image = np.repeat(gray[:, :, None], 3, axis=2)
    assert np.array_equal(decode_rgb(encode_png(image)), image)


def test_strokes_take_a_tenth_of_the_bytes_of_colour():
    strokes = np.full((64, 96, 3), 255, np.uint8)
    strokes[20:22] = 0
    colour = strokes.copy()
    colour[40, 40, 0] = 254
    assert Image.open(io.BytesIO(encode_png(strokes))).mode == "1"
    assert Image.open(io.BytesIO(encode_png(colour))).mode == "RGB"


def test_jpeg_keeps_full_chroma(draw):
    assert Image.open(io.BytesIO(encode_jpeg(draw()))).layer[0][1:3] == (1, 1)
    assert np.abs(decode_rgb(encode_jpeg(draw())).astype(int) - draw()).mean() < 2


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turn_is_applied(turn, draw):
    upright = Image.fromarray(draw())
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(inverse[turn]) if turn in inverse else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = decode_photo(saved(stored, "PNG", exif=exif))
    assert np.array_equal(photo.rgb, draw())
    assert not photo.plain


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (5, 3), (200, 0, 0, 0))
    image.putpixel((1, 1), (200, 0, 0, 255))
    image.putpixel((2, 1), (0, 0, 0, 128))
    rgb = decode_rgb(saved(image, "PNG"))
    assert rgb[0, 0].tolist() == [255, 255, 255]
    assert rgb[1, 1].tolist() == [200, 0, 0]
    assert rgb[1, 2].tolist() == [127, 127, 127]


def test_transparent_palette_colour_is_white():
    image = Image.new("P", (4, 3), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 1)
    rgb = decode_rgb(saved(image, "PNG", transparency=0))
    assert rgb[0, 0].tolist() == [200, 100, 50]
    assert rgb[1, 1].tolist() == [255, 255, 255]


def test_16_bit_gray_is_scaled_from_its_whole_range():
    values = np.array([[0, 257, 65535], [32896, 256, 1000]], np.uint16)
    rgb = decode_rgb(saved(Image.fromarray(values), "PNG"))
    assert rgb[:, :, 0].tolist() == [[0, 1, 255], [128, 1, 4]]


def test_float_tiff_in_unit_range_is_scaled_to_white():
    values = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert decode_rgb(saved(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_nan_is_refused():
    with pytest.raises(ImageError, match="NaN"):
        decode_rgb(saved(Image.fromarray(np.array([[0.0, np.nan]], np.float32)), "TIFF"))


def test_cmyk_jpeg_has_its_colours():
    rgb = decode_rgb(saved(Image.new("CMYK", (16, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert rgb[4, 8, 0] > 240
    assert rgb[4, 8, 1:].max() < 15


def test_colour_profile_is_brought_to_srgb():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    not_for_rgb = decode_rgb(saved(Image.new("RGB", (3, 2), (9, 8, 7)), "PNG", icc_profile=profile.tobytes()))
    assert not_for_rgb[0, 0].tolist() == [9, 8, 7], "a profile of another kind of picture is passed over"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode_rgb(saved(Image.new("RGB", (3, 2), (9, 8, 7)), "PNG", icc_profile=srgb))[0, 0].tolist() == [9, 8, 7]


def test_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (6, 4), color) for color in ("red", "blue")]
    rgb = decode_rgb(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert rgb[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40), b"%!PS-Adobe-3.0 EPSF-3.0\n"]
)
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(ImageError):
        decode_rgb(content)


def test_truncated_photo_is_refused(draw):
    content = saved(Image.fromarray(draw()), "JPEG")
    with pytest.raises(ImageError, match="damaged"):
        decode_rgb(content[: len(content) // 2])


def test_huge_declared_size_is_refused_before_decoding():
    header = b"P6 100000 100000 255\n"
    with pytest.raises(ImageError, match="pixels"):
        decode_rgb(header + bytes(100))


def test_missing_file_is_an_image_error(tmp_path: Path):
    with pytest.raises(ImageError, match="cannot be read"):
        read_rgb(tmp_path / "gone.jpg")


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pix2pix-kit\[heic\]"):
        decode_rgb(b"\x00\x00\x00\x18ftypheic" + bytes(40))


def test_plain_is_said_of_files_that_hold_pixels_alone(draw):
    image = Image.fromarray(draw())
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    assert decode_photo(saved(image, "JPEG")).plain
    assert decode_photo(saved(image, "PNG")).plain
    assert not decode_photo(saved(image, "JPEG", exif=exif)).plain
    assert not decode_photo(saved(image, "JPEG", comment=b"hello")).plain
    assert not decode_photo(saved(image, "WEBP")).plain
    assert not decode_photo(saved(image.convert("RGBA"), "PNG")).plain


def test_large_jpeg_is_decoded_at_a_reduced_scale_that_suffices(draw):
    photo = decode_photo(saved(Image.fromarray(draw(0, 900, 700)), "JPEG"), enough=(100, 80))
    assert 200 <= photo.rgb.shape[0] < 700
    assert not photo.plain


# --- sizes


def test_right_size_is_not_copied(draw):
    photo = draw()
    assert resize(photo, 90, 70) is photo
    assert resize_bicubic(photo, 90, 70) is photo
    assert np.shares_memory(fit_to(photo, 90, 70, "crop"), photo)


def test_shrinking_takes_area_means():
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, ::2] = 200
    assert (resize(image, 4, 2) == 100).all()


def test_labels_keep_their_colours():
    labels = np.zeros((9, 15, 3), np.uint8)
    labels[:, 7:] = (10, 200, 30)
    colors = np.unique(resize_nearest(labels, 64, 40).reshape(-1, 3), axis=0)
    assert colors.tolist() == [[0, 0, 0], [10, 200, 30]]


def test_crop_keeps_the_middle():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert (fit_to(image, 10, 10, "crop") == 255).all()


def test_pad_frames_the_whole_photo_in_the_colour_of_its_border():
    image = np.full((10, 30, 3), 240, np.uint8)
    image[3:7, 5:25] = 20
    framed = fit_to(image, 30, 30, "pad")
    assert np.array_equal(framed[10:20], image)
    assert (framed[:10] == 240).all()


def test_stretch_uses_the_whole_photo():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 15:] = 255
    stretched = fit_to(image, 12, 12, "stretch")
    assert stretched.shape == (12, 12, 3)
    assert (stretched[:, 0] == 0).all()
    assert (stretched[:, -1] == 255).all()


@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2), (70, 90)])
def test_any_shape_comes_to_size(how, shape):
    assert fit_to(np.full((*shape, 3), 77, np.uint8), 24, 16, how).shape == (16, 24, 3)
