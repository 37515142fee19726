"""Where the receipts of a virtual printer fall: in memory, and as PNG and text when there is a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drivers.printers.escpos.paper import Paper


@dataclass(frozen=True)
class Receipt:
    """A piece of paper as it was cut off. `png` is the path of its picture."""

    number: int
    text: str
    png: str | None
    faults: tuple[str, ...]


class Tray:
    """Numbers go on from those in the folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.receipts: list[Receipt] = []
        self._last = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._last = max((int(file.stem) for file in folder.glob("[0-9]*.png") if file.stem.isdigit()), default=0)

    def take(self, paper: Paper) -> None:
        """Keep a receipt; its files are there, whole, before anybody hears of it."""
        self._last += 1
        png = self._write(self._folder, paper) if self._folder is not None else None
        self.receipts.append(Receipt(self._last, paper.text, png, paper.faults))

    def _write(self, folder: Path, paper: Paper) -> str:
        path = folder / f"{self._last:04}.png"
        for file, content in ((path, paper.png()), (path.with_suffix(".txt"), paper.text.encode())):
            fresh = file.with_name(f".{file.name}.new")
            fresh.write_bytes(content)
            fresh.replace(file)
        return str(path.absolute())
