"""What the types of config.toml cannot say: names that must fit together, and the options of each named driver.

Works on the parsed TOML itself and steps over whatever has the wrong type, so that these mistakes are found together
with those of the types, in one run.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.state_folder import DEFAULT_FOLDER, profiles_in
from drivers import registry
from drivers.base import AnyDriver, Kind
from drivers.framing import Framing
from drivers.printers.escpos.profile import ProfileError, load_profile, profile_names
from loyalty.i18n import Language, text
from loyalty.strict import Mistake, Mistakes, structure

Table = Mapping[str, Any]


def mistakes(table: Table, language: Language) -> Iterator[Mistake]:
    """Yield every mistake in names, references and driver options, with its key path."""
    tills, scanners, printers = (_tables(table, key) for key in ("till", "scanner", "printer"))
    yield from _doubled("till", "id", tills, language)
    yield from _doubled("scanner", "name", scanners, language)
    yield from _doubled("printer", "name", printers, language)
    yield from _references(tills, _names(scanners), _names(printers), language)
    yield from _unused("scanner", scanners, [name for till in tills for name in _scanners(till)], language)
    yield from _unused("printer", printers, [till.get("printer") for till in tills], language)
    yield from _drivers("scanner", scanners, language)
    yield from _framings(scanners)
    yield from _drivers("printer", printers, language)
    yield from _profiles(printers, _own_profiles(table), language)


def _tables(table: Table, key: str) -> list[Table]:
    """All tables of that name; anything else becomes an empty table, so that places keep their numbers."""
    found = table.get(key)
    return [each if isinstance(each, Mapping) else {} for each in found] if isinstance(found, list) else []


def _names(tables: Iterable[Table]) -> list[str]:
    return [each["name"] for each in tables if isinstance(each.get("name"), str)]


def _doubled(kind: str, key: str, tables: list[Table], language: Language) -> Iterator[Mistake]:
    seen: Counter[str] = Counter()
    for number, each in enumerate(tables):
        name = each.get(key)
        if isinstance(name, str):
            seen[name] += 1
            if seen[name] > 1:
                yield Mistake(f"{kind}[{number}].{key}", text("config.doubled", language, name=name))


def _references(tills: list[Table], scanners: list[str], printers: list[str], language: Language) -> Iterator[Mistake]:
    owner: dict[str, str] = {}
    for number, till in enumerate(tills):
        printer = till.get("printer")
        if isinstance(printer, str) and printer not in printers:
            yield Mistake(f"till[{number}].printer", _near("config.no_printer", printer, printers, language))
        for place, scanner in enumerate(_scanners(till)):
            path = f"till[{number}].scanners[{place}]"
            if not isinstance(scanner, str):
                continue
            if scanner not in scanners:
                yield Mistake(path, _near("config.no_scanner", scanner, scanners, language))
            elif scanner in owner:
                yield Mistake(path, text("config.scanner_taken", language, name=scanner, till=owner[scanner]))
            owner.setdefault(scanner, str(till.get("id")))


def _scanners(till: Table) -> list[Any]:
    found = till.get("scanners")
    return found if isinstance(found, list) else []


def _unused(kind: Kind, tables: list[Table], wanted: Iterable[object], language: Language) -> Iterator[Mistake]:
    """A device that no till names would never be opened. One whose name a till has nearly right is a mistake there."""
    known = _names(tables)
    named = {near for name in wanted if isinstance(name, str) for near in _like(name, known)}
    for number, each in enumerate(tables):
        if each.get("name") in known and each["name"] not in named:
            yield Mistake(f"{kind}[{number}].name", text("config.unused", language, name=each["name"]))


def _like(name: str, known: list[str]) -> list[str]:
    return difflib.get_close_matches(name, known, n=1)


def _near(key: str, name: str, known: list[str], language: Language) -> str:
    """The text of `key`, or of `key`_near when one of the known names is like it."""
    near = _like(name, known)
    if near:
        return text(f"{key}_near", language, name=name, near=near[0])
    return text(key, language, name=name, known=", ".join(known))


def _drivers(kind: Kind, tables: list[Table], language: Language) -> Iterator[Mistake]:
    for number, each in enumerate(tables):
        name, options = each.get("driver"), each.get("options", {})
        if not isinstance(name, str) or not isinstance(options, Mapping):
            continue
        driver = _find(kind, name)
        if driver is None:
            yield Mistake(f"{kind}[{number}].driver", _near("config.no_driver", name, registry.names(kind), language))
            continue
        yield from _inner(f"{kind}[{number}].options", options, driver.options)


def _framings(scanners: list[Table]) -> Iterator[Mistake]:
    for number, each in enumerate(scanners):
        framing, place = each.get("framing", {}), f"scanner[{number}].framing"
        if not isinstance(framing, Mapping):
            continue
        mistakes = [*_inner(place, framing, Framing)]
        yield from mistakes
        driver = _find("scanner", each["driver"]) if isinstance(each.get("driver"), str) else None
        if not mistakes and driver is not None:
            try:
                driver.framing.but(structure(framing, Framing), framing)
            except ValueError as error:
                yield Mistake(place, str(error))


def _inner(place: str, table: Table, kind: type[Any]) -> Iterator[Mistake]:
    """What is wrong with a table in a table."""
    try:
        structure(table, kind)
    except Mistakes as found:
        for mistake in found.mistakes:
            yield Mistake(f"{place}.{mistake.path}" if mistake.path else place, mistake.text)


def _own_profiles(table: Table) -> Path | None:
    """Where this store has printer profiles of its own; None = nowhere that this user could look into."""
    state = table.get("state")
    folder = state.get("folder", DEFAULT_FOLDER) if isinstance(state, Mapping) else DEFAULT_FOLDER
    try:
        return own if isinstance(folder, str) and (own := profiles_in(Path(folder))).is_dir() else None
    except OSError:
        return None


def _profiles(printers: list[Table], folder: Path | None, language: Language) -> Iterator[Mistake]:
    known = profile_names(folder)
    for number, each in enumerate(printers):
        name, width = each.get("profile", "default"), each.get("width", 80)
        if not isinstance(name, str):
            continue
        if name.lower() not in {one.lower() for one in known}:
            yield Mistake(f"printer[{number}].profile", _near("config.no_profile", name, known, language))
            continue
        try:
            fits = width not in (58, 80) or str(width) in load_profile(name, folder).paper
        except (ProfileError, OSError) as error:
            yield Mistake(f"printer[{number}].profile", text("config.bad_profile", language, reason=str(error)))
            continue
        if not fits:
            yield Mistake(f"printer[{number}].width", text("config.no_width", language, width=width))


def _find(kind: Kind, name: str) -> AnyDriver | None:
    try:
        return registry.find(kind, name)
    except LookupError:
        return None
