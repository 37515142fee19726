"""The same cases give the same bytes under Python 3.11 and 3.13."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = 10_000


def answers(python: str) -> bytes:
    command = [python, str(ROOT / "tests" / "loyalty" / "print_answers.py"), str(CASES)]
    return subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}).stdout


def other_python() -> str | None:
    """A Python 3.13 that runs: of the path, or one that pyenv keeps."""
    kept = sorted(Path.home().glob(".pyenv/versions/3.13.*/bin/python3.13"))
    for found in (os.environ.get("TILLMATE_PYTHON_313"), shutil.which("python3.13"), *map(str, kept)):
        if found and subprocess.run([found, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            return found
    return None


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_same_bytes_under_two_pythons(tmp_path: Path) -> None:
    python = other_python()
    if python is None and not os.environ.get("CI"):
        pytest.skip("needs Python 3.13 (on the path, or named by TILLMATE_PYTHON_313)")
    assert python is not None, "CI=1 needs Python 3.13 (on the path, or named by TILLMATE_PYTHON_313)"
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    inside = str(tmp_path / "venv" / "bin" / "python")
    locked = str(ROOT / "install" / "requirements.txt")
    subprocess.run(
        [inside, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", locked], check=True
    )

    here, there = answers(sys.executable), answers(inside)

    assert here.count(b"\n") == CASES
    assert here == there
