"""The common case, read the quick way: a JPEG in plain colours. The same decoder as Pillow's, without the copies."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageFile

from ingest.vision.colour import is_srgb
from ingest.vision.opening import LARGE_PIXELS, UPRIGHT, orientation_of, profile_of

# What a key of UPRIGHT does to an array (height, width, 3).
_TURNS = {
    Image.Transpose.FLIP_LEFT_RIGHT: lambda array: array[:, ::-1],
    Image.Transpose.FLIP_TOP_BOTTOM: lambda array: array[::-1],
    Image.Transpose.ROTATE_90: lambda array: np.rot90(array, 1),
    Image.Transpose.ROTATE_180: lambda array: array[::-1, ::-1],
    Image.Transpose.ROTATE_270: lambda array: np.rot90(array, 3),
    Image.Transpose.TRANSPOSE: lambda array: array.transpose(1, 0, 2),
    Image.Transpose.TRANSVERSE: lambda array: array[::-1, ::-1].transpose(1, 0, 2),
}


def plain(content: bytes, opened: ImageFile.ImageFile) -> np.ndarray | None:
    """The pixels uint8 (height, width, 3), upright in sRGB, of a file that Pillow has opened; None for all but a sound
    JPEG of three colours in sRGB of usual size: what is to be said or done about the others, `opening` knows."""
    if opened.format != "JPEG" or opened.mode != "RGB" or opened.width * opened.height > LARGE_PIXELS:
        return None
    profile = profile_of(opened)
    if profile and not is_srgb(profile, opened.mode):
        return None
    from torchvision.io import ImageReadMode, decode_jpeg

    try:
        planes = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.RGB)
    except RuntimeError:  # damaged, or of a kind that only Pillow reads
        return None
    if not isinstance(planes, torch.Tensor):
        return None
    array = planes.permute(1, 2, 0).numpy()
    if array.shape[:2] != (opened.height, opened.width):
        return None
    turn = UPRIGHT.get(orientation_of(opened))
    return array if turn is None else np.ascontiguousarray(_TURNS[turn](array))
