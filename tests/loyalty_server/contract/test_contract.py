"""openapi.json against the running server: schemathesis asks it whatever the document allows, and what it does not."""

from __future__ import annotations

import json
import os
import re
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
DOCUMENT = Path(str(resources.files("loyalty_server"))) / "openapi.json"
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
    operator = shell("operator", "new", "anna", "--role", "write").strip()
    _, url = shell.run("--admin", "127.0.0.1:0")
    port = re.findall(r"^admin port=(\d+)$", shell.log.read_text(), re.MULTILINE)[0]
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    tokens = [till.token() for _ in range(8)]
    till.send(*(till.row(till.sale(token=token)) for token in tokens[::2]))
    members = [
        shell("member", "add", "--card", f"290000000000{last}", "--balance", "1000").strip() for last in range(4)
    ]
    asking = {
        "key": till.key.hex(), "device": till.me.device, "host": url.removeprefix("http://"), "tokens": tokens,
        "members": members, "operator": operator,
    }  # fmt: skip
    (tmp_path / "till.json").write_text(json.dumps(asking))
    phases = PHASES[size(shell.storage.name == "postgresql", 2)]
    calls, requests = 0, 0
    for address, which in ((url, "--exclude-path-regex"), (f"http://127.0.0.1:{port}", "--include-path-regex")):
        words = ("--url", address, which, "^/v1/admin/", "--phases", phases, "--max-examples", str(size(6, 200)))
        tested, generated = conform(tmp_path, *words)
        calls, requests = calls + tested, requests + generated
    paths = json.loads(DOCUMENT.read_text())["paths"]
    assert calls == sum(map(len, paths.values()))
    proof(f"contract, {shell.storage.name}: {requests} requests to {calls} calls by schemathesis, 0 failures")


def conform(folder: Path, *words: str) -> tuple[int, int]:
    """Let schemathesis ask; return how many calls it has tested, and by how many requests."""
    report = folder / "report.json"
    done = subprocess.run(
        [
            SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml",
            "run", DOCUMENT, *words, "--continue-on-failure", "--no-color", "--report", "json", "--report-json-path", report,
        ],
        env={**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "asking_till", "TILLMATE_TILL": str(folder / "till.json")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(report.read_text())
    cases = said["test_cases"]
    assert said["complete"]
    assert (cases["with_failures"], cases["errored"], said["warnings"]["missing_auth"]) == (0, 0, [])
    return said["operations"]["tested"], cases["generated"]
