"""What can be said of the installers without installing: lint, the unit's exposure, the rights that the udev rules give.

What they do on a real system is shown by `make test-service` (tests/rig/service.py).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
LINUX = REPO / "install/linux"
WINDOWS = REPO / "install/windows"
SCRIPTS = [*LINUX.glob("*.sh"), *(REPO / "tests/rig").glob("*.sh"), REPO / ".ci/run"]


def output_of(tool: str, *arguments: str | Path) -> str:
    """What `tool` printed, with its exit code as the last line; skips by name without the tool, unless CI forbids it."""
    if shutil.which(tool) is None:
        reason = f"needs {tool}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return f"{done.stdout}{done.stderr}exit {done.returncode}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_are_clean_and_can_be_run(script: Path) -> None:
    assert output_of("shellcheck", script) == "exit 0"
    assert os.access(script, os.X_OK)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here; everything else as it is installed."""
    text = (LINUX / "tillmate.service").read_text()
    file = tmp_path / "tillmate.service"
    file.write_text(text.replace("ExecStart=/opt/tillmate/current/bin/python", "ExecStart=/bin/true"))
    return file


def test_systemd_knows_every_word_of_the_unit(unit: Path) -> None:
    # verify exits 0 for an unknown key, so any word of it is a failure
    assert output_of("systemd-analyze", "verify", unit) == "exit 0"


def test_a_misspelt_key_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in output_of("systemd-analyze", "verify", unit)


def test_the_unit_is_hardly_exposed(unit: Path) -> None:
    said = output_of("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert said.endswith("exit 0"), said


def test_the_udev_rules_give_hidraw_to_the_service_and_to_nobody_else() -> None:
    text = (LINUX / "60-tillmate.rules").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "ACTION", "SUBSYSTEM", "LABEL"))]
    assert lines
    for line in lines:
        assert re.fullmatch(r'ATTRS\{idVendor\}=="[0-9a-f]{4}", GROUP="tillmate", MODE="0660"', line), line
    assert 'SUBSYSTEM!="hidraw", GOTO="tillmate_end"' in text


def test_a_call_without_a_wheel_says_what_where_and_what_to_do() -> None:
    said = output_of(str(LINUX / "install.sh"))
    assert "no wheel was named" in said
    assert "where:" in said
    assert "do:" in said
    assert said.endswith("exit 1")


@pytest.mark.parametrize("script", sorted(WINDOWS.glob("*.ps1")), ids=lambda path: path.name)
def test_windows_scripts_are_ascii_and_say_that_they_were_not_run(script: Path) -> None:
    # PowerShell 5.1 reads a file without a byte order mark in the system's old code page
    assert "WRITTEN, NOT RUN" in script.read_bytes().decode("ascii")


@pytest.mark.parametrize(("extra", "library"), [("os-queue", "python-escpos"), ("server-postgresql", "psycopg")])
def test_the_locked_requirements_of_an_extra_are_the_usual_ones_and_more(extra: str, library: str) -> None:
    usual, more = (
        set(re.findall(r"^[\w.-]+==[^ ]+", (REPO / "install" / name).read_text(), flags=re.MULTILINE))
        for name in ("requirements.txt", f"requirements-{extra}.txt")
    )
    assert usual < more
    assert any(line.startswith(f"{library}==") for line in more - usual)
