"""QR decoders that others wrote: what is on a picture is what they say, never what our bytes meant."""

from __future__ import annotations

import qrfast
import zxingcpp
from PIL import Image


def zxing(picture: Image.Image) -> list[str]:
    """zxing-cpp, as in many phones."""
    return [code.text for code in zxingcpp.read_barcodes(picture.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)]


def rxing(picture: Image.Image) -> list[str]:
    """rxing, through qrfast: written in Rust, after the Java decoder; finds barcodes too."""
    grey = picture.convert("L")
    return list(qrfast.decode_qrs_bytes(grey.tobytes(), *grey.size, True))
