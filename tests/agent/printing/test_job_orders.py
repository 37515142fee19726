"""What is said of a drop that came too late: the job went out in between, and nobody knows whether it is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.api.admin_socket import AdminSocket, Answer, Request
from agent.printing.job_orders import drop_job

if TYPE_CHECKING:
    from conftest import Threads


@pytest.mark.parametrize(("became", "said"), [("failed", "dropped"), ("unknown", "left")])
def test_a_drop_says_what_became_of_the_job(tmp_path: Path, threads: Threads, became: str, said: str) -> None:
    state = ["queued"]

    def tell(_: Request) -> Answer:
        return {"printer": "receipt", "state": state[0], "note": ""}

    def drop(_: Request) -> Answer:
        state[0] = became
        return {}

    admin = AdminSocket(tmp_path / "admin.sock", {"print_job": tell, "print_drop": drop})
    admin.bind()
    threads.start(admin.run)
    assert drop_job(tmp_path / "admin.sock", 1, 5.0) == said
