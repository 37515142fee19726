"""What is wrong with a template, its markup or its data: one sentence, in Russian and in English.

The sentences stand in the section `template` of the texts. Whoever makes a slip at a till never sees one, so the texts are
read only when one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from loyalty.i18n import Language, Param


class Mistake(ValueError):
    """`sentence` is a key of the texts. As a string it is English."""

    def __init__(self, sentence: str, /, **params: Param) -> None:
        super().__init__(sentence)
        self._sentence, self._params = sentence, params

    def said(self, language: Language) -> str:
        """In words."""
        from loyalty.i18n import texts

        return texts(f"template.{self._sentence}", **self._params)[language]

    def __str__(self) -> str:
        return self.said("en")


class Place(NamedTuple):
    """A file, or what is in it, and a line of it; 0 = no line."""

    path: str
    line: int = 0

    def said(self, language: Language) -> str:
        """In words."""
        from loyalty.i18n import text

        return text("template.line", language, path=self.path, line=self.line) if self.line else self.path


class TemplateError(ValueError):
    """A template or its data is wrong; says which, where and what to do."""

    def __init__(self, place: Place, wrong: Mistake) -> None:
        super().__init__(place, wrong)
        self._place, self._wrong = place, wrong

    def said(self, language: Language) -> str:
        """In words."""
        return f"{self._place.said(language)}: {self._wrong.said(language)}"

    def __str__(self) -> str:
        return self.said("en")


def suggestion(name: str, known: Collection[str]) -> Callable[[Language], str]:
    """What may have been meant by `name`."""

    def said(language: Language) -> str:
        import difflib

        from loyalty.i18n import text

        near = difflib.get_close_matches(name, known, 1)
        if near:
            return text("template.near", language, near=near[0])
        return text("template.known", language, known=", ".join(sorted(known)))

    return said
