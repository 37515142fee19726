"""Writes a scanner into config.toml: whole or not at all, with the rights and the owner that the file had."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from agent.config import load
from agent.scanning.config_edit import CannotEdit, Table, with_scanner


def write_scanner(path: Path, table: Table, till: str) -> None:
    """Raises CannotEdit, OSError, and ConfigError when the agent would not take the result; the file is as before then."""
    source = path.read_bytes().decode("utf-8")
    tills = [each.id for each in load(path).till]
    if till not in tills:
        raise CannotEdit(f"till {till}: {', '.join(tills)}")
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.touch(mode=0o600)
        fresh.write_bytes(with_scanner(source, table, till).encode("utf-8"))
        load(fresh)
        shutil.copymode(path, fresh)
        if sys.platform != "win32":
            owner = path.stat()
            os.chown(fresh, owner.st_uid, owner.st_gid)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
