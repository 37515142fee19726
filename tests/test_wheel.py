"""The wheel as store IT gets it: built here, installed with its locked dependencies into a bare venv, run from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
PACKAGES = {"agent", "drivers", "loyalty", "loyalty_server", "offline_queue", "receipt_templates"}


def run(folder: Path, *command: str | Path) -> str:
    """Output of a command that must succeed, run in `folder` with nothing of this checkout in its environment."""
    strange = {"PYTHONPATH", "VIRTUAL_ENV", "TILLMATE_CONFIG"}
    clean = {name: value for name, value in os.environ.items() if name not in strange and not name.startswith("COV_")}
    done = subprocess.run([str(part) for part in command], cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(REPO, sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", out, REPO)
    return next(out.glob("tillmate-*.whl"))


def test_the_wheel_holds_our_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    on_disk = {
        str(path.relative_to(REPO))
        for package in PACKAGES
        for path in (REPO / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert on_disk <= set(names)


@pytest.mark.timeout(400)
def test_installed_with_the_locked_requirements_it_runs_anywhere(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    python = venv / "bin/python"
    run(elsewhere, sys.executable, "-m", "venv", venv)
    pip = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run(
        elsewhere,
        *pip,
        "--only-binary",
        ":all:",
        "--no-deps",
        "--require-hashes",
        "-r",
        REPO / "install/requirements.txt",
    )
    run(elsewhere, *pip, "--no-index", "--no-deps", wheel)
    run(elsewhere, python, "-I", "-m", "pip", "check")

    where = run(elsewhere, python, "-P", "-c", "import agent; print(agent.__file__)")
    assert Path(where).is_relative_to(venv)
    version = re.search(r'__version__ = "(.*)"', (REPO / "agent/__init__.py").read_text())
    assert version is not None
    assert run(elsewhere, venv / "bin/tillmate", "--version").strip().endswith(version[1])
    (elsewhere / "config.toml").write_text(run(elsewhere, venv / "bin/tillmate", "config", "example"))
    run(elsewhere, venv / "bin/tillmate", "check", "--config", "config.toml")
    run(elsewhere, venv / "bin/tillmate-server", "--help")
