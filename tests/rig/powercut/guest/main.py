"""The one program of the machine: sells on the data disk until the power goes, and says each promise at once.

On the port, one promise a line: {"sound": {"sold": [7, 7]}}. `sound` is a queue as it is, `sloppy` one with
synchronous=NORMAL, the control that has to lose; they take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from typing import IO

sys.path.insert(0, "/mnt")

import scene

from offline_queue import BeginEpoch, Queue

PORT, DISK, DATA = Path("/dev/virtio-ports/rig"), "/dev/vdc", Path("/data")
SYNCHRONOUS = {"sound": "FULL", "sloppy": "NORMAL"}


def main() -> None:
    """Sell for ever."""
    while not PORT.exists():
        subprocess.run(["udevadm", "settle", "--timeout=1"], check=False)
    DATA.mkdir(exist_ok=True)
    with PORT.open("r+b", buffering=0) as port:
        subprocess.run(["mount", DISK, DATA], check=True)
        shops = {name: open_shop(name, port) for name in SYNCHRONOUS}
        for turn in count(1):
            for shop in shops.values():
                shop.sell(1 + turn % 2)
                if turn % 20 == 0:
                    shop.settle(shop.number - 5)


def open_shop(name: str, port: IO[bytes]) -> scene.Shop:
    """A queue of its own with its writer running."""
    folder = DATA / name
    folder.mkdir(exist_ok=True)
    queue = Queue.open(folder / "queue.db", scene.Clock())
    if SYNCHRONOUS[name] != "FULL":
        queue._connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[name]}")
    threading.Thread(target=queue.run, args=(threading.Event(),), daemon=True).start()
    queue.submit(BeginEpoch(scene.DEVICE, scene.EPOCH)).result(scene.WAIT)
    say = speaker(name, port)
    say(claimed=scene.EPOCH)
    shop = scene.Shop(queue, folder / "queue.db", say)
    shop.rest()  # so that the control can open its file, too, and only its sales are at stake
    return shop


def speaker(name: str, port: IO[bytes]) -> scene.Say:
    """Says promises for this queue."""
    return lambda **promise: port.write(json.dumps({name: promise}).encode() + b"\n")


if __name__ == "__main__":
    main()
