"""The image service: IIIF Image API 3.0, level 2, of the originals of a database. No Streamlit: any thread may ask.

https://iiif.io/api/image/3.0/
"""

# ruff: noqa: F401  (the names below are for the routes and the pages)

from dashboard.data.iiif.originals import Original, original
from dashboard.data.iiif.parameters import ImageError
from dashboard.data.iiif.service import PROFILE, ImageResponse, image, info, part, tiles
