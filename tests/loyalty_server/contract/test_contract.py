"""openapi.json against the running server: schemathesis asks it whatever the document allows, and what it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell, Till

HERE = Path(__file__).parent
PHASES = ("coverage,stateful", "fuzzing", "coverage,fuzzing,stateful")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


@pytest.mark.timeout(1800)
def test_the_server_is_what_the_document_says(
    shell: Shell,
    till_at: Callable[[str], Till],
    tmp_path: Path,
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
) -> None:
    """At the small size each kind of database sees a part. No answer that the document does not name, nothing impossible taken, nothing possible refused as unreadable."""
    shell.init()
    _, url = shell.run()
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    tokens = [till.token() for _ in range(8)]
    till.send(*(till.row(till.sale(token=token)) for token in tokens[::2]))
    device = {"key": till.key.hex(), "device": till.me.device, "host": url.removeprefix("http://"), "tokens": tokens}
    (tmp_path / "till.json").write_text(json.dumps(device))
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml",
            "run", str(resources.files("loyalty_server").joinpath("openapi.json")), "--url", url,
            "--phases", PHASES[size(shell.storage.name == "postgresql", 2)], "--max-examples", str(size(6, 200)), "--continue-on-failure", "--no-color",
            "--report", "json", "--report-json-path", report,
        ],
        env={**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "asking_till", "TILLMATE_TILL": str(tmp_path / "till.json")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(report.read_text())
    tested, cases = said["operations"]["tested"], said["test_cases"]
    assert (tested, said["complete"]) == (said["operations"]["total"], True)
    assert (cases["with_failures"], cases["errored"], said["warnings"]["missing_auth"]) == (0, 0, [])
    proof(
        f"contract, {shell.storage.name}: {cases['generated']} requests to {tested} calls by schemathesis, 0 failures"
    )
