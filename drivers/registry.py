"""The name in config.toml -> the driver, imported only when it is named.

Our own drivers are the modules of `drivers.scanners` and `drivers.printers`. A stranger's package declares an entry
point in the group `tillmate.drivers`, named `<kind>.<name>`, that points at its `Driver`:

    [project.entry-points."tillmate.drivers"]
    "scanner.acme" = "acme_scanners:DRIVER"
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points

from drivers.base import AnyDriver, Driver, Kind

GROUP = "tillmate.drivers"
_PACKAGES: dict[Kind, str] = {"scanner": "drivers.scanners", "printer": "drivers.printers"}


def names(kind: Kind) -> list[str]:
    """Return all driver names of that kind that config.toml may use, sorted."""
    return sorted({*_own(kind), *_foreign(kind)})


def find(kind: Kind, name: str) -> AnyDriver:
    """Import and return the driver. Raises LookupError, with the likely name, for one that is not there or cannot be loaded."""
    if name in _own(kind):
        return _checked(importlib.import_module(f"{_PACKAGES[kind]}.{name}").DRIVER, kind, name)
    foreign = _foreign(kind)
    if name in foreign:
        return _load(foreign[name], kind, name)
    near = difflib.get_close_matches(name, names(kind), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names(kind))}"
    raise LookupError(f"unknown {kind} driver {name!r}, {hint}")


def _own(kind: Kind) -> list[str]:
    package = importlib.import_module(_PACKAGES[kind])
    modules = pkgutil.iter_modules(package.__path__)
    return [each.name for each in modules if not each.ispkg and not each.name.startswith("_")]


def _foreign(kind: Kind) -> dict[str, EntryPoint]:
    prefix = f"{kind}."
    found = entry_points(group=GROUP)
    return {each.name.removeprefix(prefix): each for each in found if each.name.startswith(prefix)}


def _load(entry: EntryPoint, kind: Kind, name: str) -> AnyDriver:
    try:
        loaded = entry.load()
    except (ImportError, AttributeError) as error:
        raise LookupError(f"{kind} driver {name!r} from {entry.value} cannot be loaded: {error}") from error
    return _checked(loaded, kind, name)


def _checked(driver: object, kind: Kind, name: str) -> AnyDriver:
    if not isinstance(driver, Driver) or (driver.kind, driver.name) != (kind, name):
        raise LookupError(f"{kind} driver {name!r} does not declare itself as {kind} {name!r}")
    return driver
