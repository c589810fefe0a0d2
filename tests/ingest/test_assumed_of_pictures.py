"""What no file says and was assumed is told at the end, with how many pictures it concerns."""

import numpy as np
from PIL import Image, ImageCms


def test_what_was_assumed_is_told(tmp_path, command):
    folder = tmp_path / "pictures"
    folder.mkdir()
    plain = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    plain.save(folder / "plain.jpg")
    plain.save(folder / "srgb.jpg", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for name in "ab":
        plain.save(folder / f"{name}.jpg", icc_profile=b"no profile" * 30)
    Image.fromarray(np.linspace(-9, 9, 3072, dtype=np.float32).reshape(48, 64)).save(folder / "height.tif")
    result = command("scan", folder, "--json")
    assert result.counts["assumed"] == {"profile": 2, "range": 1} and result.counts["failed"] == 0
    assert "2 pictures have a colour profile that cannot be used" in result.err
    assert "1 picture has numbers of which no file says what is white" in result.err
    again = command("scan", folder, "--json")
    assert again.counts["assumed"] == {} and "colour profile" not in again.err
