import subprocess
import sys
from pathlib import Path

import pytest

from drivers import registry
from drivers.base import Kind

STRANGER = """
from dataclasses import dataclass
from drivers.base import Driver

@dataclass(frozen=True)
class Options:
    port: str = ""

DRIVER = Driver("scanner", "acme", "Acme", "BETA", (), Options, lambda options: None)
"""
ENTRY_POINTS = """\
[tillmate.drivers]
scanner.acme = acme_scanners:DRIVER
scanner.other_name = acme_scanners:DRIVER
printer.acme = acme_scanners:DRIVER
scanner.broken = acme_nowhere:DRIVER
scanner.half = acme_scanners:MISSING
"""


@pytest.fixture
def stranger(tmp_path: Path) -> list[str]:
    """A foreign package with entry points, seen by a fresh interpreter."""
    (tmp_path / "acme_scanners.py").write_text(STRANGER)
    (tmp_path / "acme-1.0.dist-info").mkdir()
    (tmp_path / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (tmp_path / "acme-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    return [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r}); from drivers import registry; {{}}"]


def run(stranger: list[str], statement: str) -> str:
    done = subprocess.run(
        [*stranger[:2], stranger[2].format(statement)], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_our_own_drivers_are_found_by_their_module_names() -> None:
    assert "serial_port" in registry.names("scanner")
    assert registry.find("scanner", "serial_port").name == "serial_port"


def test_a_wrong_name_gets_the_likely_one() -> None:
    with pytest.raises(LookupError, match="did you mean 'serial_port'"):
        registry.find("scanner", "serialport")


@pytest.mark.parametrize("name", ["", "..base", "base", "_private", "os", "serial_port.DRIVER", "xyzzy"])
def test_only_drivers_are_imported(name: str) -> None:
    with pytest.raises(LookupError, match=r"unknown scanner driver .*serial_port"):
        registry.find("scanner", name)


@pytest.mark.parametrize("kind", ["scanner", "printer"])
def test_looking_at_the_names_imports_no_hardware_library(kind: Kind) -> None:
    program = (
        f"import sys; from drivers import registry; [registry.find({kind!r}, n) for n in registry.names({kind!r})]; "
        + ("print({'serial', 'usb', 'escpos', 'hid'} & set(sys.modules))")
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_a_strangers_driver_is_found_by_its_entry_point(stranger: list[str]) -> None:
    assert "'acme'" in run(stranger, "print(registry.names('scanner'))")
    assert run(stranger, "print(registry.find('scanner', 'acme').title)") == "Acme\n"


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("scanner", "other_name", "does not declare itself as scanner 'other_name'"),
        ("printer", "acme", "does not declare itself as printer 'acme'"),
        ("scanner", "broken", "cannot be loaded: No module named 'acme_nowhere'"),
        ("scanner", "half", "cannot be loaded"),
    ],
)
def test_a_strangers_mistake_is_a_lookup_error(stranger: list[str], kind: Kind, name: str, why: str) -> None:
    assert f"LookupError: {kind} driver {name!r}" in (told := run(stranger, f"registry.find({kind!r}, {name!r})"))
    assert why in told
