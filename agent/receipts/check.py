"""Holds every template against every printer: `tillmate receipt lint`, and the part of `tillmate check` about receipts.

Each template is filled in with its example, with the longest names and sums, and without each thing that may be missing;
what is found is told once for a template and a printer, with the widths of paper that it is true for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.receipts.lint import Finding, look
from agent.receipts.paper import Model
from agent.receipts.source import BadInput, Source
from agent.receipts.worst import worst
from loyalty.i18n import LANGUAGES, Language, text
from receipt_templates.document import Document
from receipt_templates.filling import OURS
from receipt_templates.templates import TemplateError, names, samples


@dataclass(frozen=True)
class Remark:
    """A finding and its place. `printer` is "" where it is about the template alone."""

    template: str
    printer: str
    widths: tuple[int, ...]
    finding: Finding

    def said(self, language: Language) -> str:
        """In words, on one line."""
        paper = "/".join(map(str, self.widths))
        where = f"{self.template}, {self.printer} {paper} mm" if self.printer else self.template
        word = text(f"lint.{self.finding.severity}", language)
        return f"{where}: {word}: {self.finding.said(language)}"


def check(
    source: Source, models: Sequence[Model], wanted: Iterable[str] = (), languages: Sequence[Language] = LANGUAGES
) -> Iterator[Remark]:
    """Everything that is to be said of these templates, or of all."""
    yield from _unused(source)
    for name in wanted or names():
        for language in languages:
            yield from _template(source, models, name, language)


def check_data(
    source: Source, models: Sequence[Model], name: str, language: Language, data: dict[str, object]
) -> Iterator[Remark]:
    """The same of one template filled in with one's own data."""
    yield from _merged(f"{language}/{name}.receipt", models, [source.document(name, language, data)])


def _template(source: Source, models: Sequence[Model], name: str, language: Language) -> Iterator[Remark]:
    path = f"{language}/{name}.receipt"
    every = list(samples(name, language))
    every.insert(1, worst(name, language, every[0], source.shop))
    documents: list[Document] = []
    mistakes: dict[str, Finding] = {}
    for data in every:
        try:
            documents.append(source.document(name, language, data))
        except BadInput as error:
            wrong = error.__cause__ if isinstance(error.__cause__, TemplateError) else error
            mistakes[str(wrong)] = Finding("refused", "mistake", {"reason": wrong.said})
    for mistake in mistakes.values():
        yield Remark(path, "", (), mistake)
    yield from _merged(path, models, documents)


def _merged(path: str, models: Sequence[Model], documents: Iterable[Document]) -> Iterator[Remark]:
    """Each finding once for a printer, with all widths that it is true for, and all characters that it is true of."""
    found: dict[tuple[str, ...], tuple[Finding, list[int]]] = {}
    different = dict.fromkeys(documents)
    for model in models:
        for finding in (each for document in different for each in look(document, model)):
            key = (model.name, finding.severity, finding.sentence, finding.about)
            known, widths = found.get(key, (finding, []))
            found[key] = known.with_chars_of(finding), widths
            if model.width not in widths:
                widths.append(model.width)
    for (printer, *_), (finding, widths) in found.items():
        yield Remark(path, printer, tuple(widths), finding)


def _unused(source: Source) -> Iterator[Remark]:
    """Files of the retailer that no template would ever take."""
    for path in source.own:
        name = path.partition("/")[2].removesuffix(".receipt")
        if name.endswith(".part"):
            if not (OURS / path).is_file() and not any(path in text for text in source.own.values()):
                yield Remark(path, "", (), Finding("warning", "unused_part"))
        elif name not in names():
            yield Remark(path, "", (), Finding("warning", "unused", {"known": ", ".join(names())}))
