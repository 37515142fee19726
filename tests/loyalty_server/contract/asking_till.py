"""What schemathesis needs to get past the door: it asks as a claimed till or as an operator, and some of what it makes is
made possible.

Both are described by the file that TILLMATE_TILL names: device, key, host, tokens of receipts, members; the operator's token.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import schemathesis

from loyalty.jws import sign_request

TILL = json.loads(Path(os.environ["TILLMATE_TILL"]).read_text())


@schemathesis.auth(refresh_interval=None)
class DeviceKey:
    """Signs each request, or shows the operator's token."""

    def get(self, case: schemathesis.Case, _: schemathesis.AuthContext) -> str:
        if case.path.startswith("/v1/admin/"):
            return str(TILL["operator"])
        return sign_request(bytes.fromhex(TILL["key"]), TILL["device"], TILL["host"], datetime.now(UTC))

    def set(self, case: schemathesis.Case, token: str, _: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def map_path_parameters(_: schemathesis.HookContext, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Two of three tokens are genuine, and members there, as no string by chance is."""
    if path_parameters and "member" in path_parameters:
        return {**path_parameters, "member": _genuine(str(path_parameters["member"]), TILL["members"])}
    if path_parameters and "token" in path_parameters:
        return {**path_parameters, "token": _token(str(path_parameters["token"]))}
    return path_parameters


def _token(made: str) -> str:
    return _genuine(made, TILL["tokens"])


def _genuine(made: str, genuine: list[str]) -> str:
    chance = crc32(made.encode("utf-8", "replace"))
    return genuine[chance % len(genuine)] if chance % 3 else made


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: object) -> object:
    """Whole numbers are written so, and rows are numbered from 1 on without a hole: no schema can say either."""
    body = _whole(body)
    if isinstance(body, dict) and isinstance(body.get("token"), str):
        body = {**body, "token": _token(body["token"])}
    rows = body.get("rows") if isinstance(body, dict) else None
    if isinstance(rows, list) and all(isinstance(row, dict) and type(row.get("seq")) is int for row in rows):
        return {**body, "rows": [{**row, "seq": place} for place, row in enumerate(rows, 1)]}
    return body


def _whole(value: object) -> object:
    """286.0 is a whole number to JSON Schema."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(each) for name, each in value.items()}
        case list():
            return [_whole(each) for each in value]
    return value


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """A body that calls itself gzip is gzip."""
    if (case.headers or {}).get("Content-Encoding") == "gzip" and isinstance(case.body, dict | list):
        kwargs["data"] = gzip.compress(json.dumps(case.body).encode())
