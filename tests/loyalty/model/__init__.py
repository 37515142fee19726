"""A slow, obvious reading of the programme design, written without the product's code.

`model_quote(programme, case)` takes the document and the case as plain JSON objects and gives the JSON object that
`tillmate quote` must print (only the texts stand as "..."). Each function quotes the sentence that it puts into effect.
Nothing here is fast, shared with the product or clever; where it differs from the product, one of the two misread.
"""

from __future__ import annotations

from .lots import lot_expiry
from .quote import model_quote

__all__ = ["lot_expiry", "model_quote"]
