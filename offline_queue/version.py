"""How queue.db is known: read at every start, without loading the migrations."""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x54696C6C
"""PRAGMA application_id: a queue of ours ("Till")."""
VERSION: Final = 2
"""PRAGMA user_version: what a release must understand to work with the file. A migration that an older release may
overlook leaves it as it is."""
