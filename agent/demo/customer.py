"""The customer of the demo: reads the QR off the paper with his eyes (pixels, never our own data) and fills in the page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import requests
from PIL import Image

TIMEOUT = (1.0, 5.0)


def read_qr(png: Path) -> str | None:
    """What a phone reads from the drawn paper; None when there is no readable code."""
    import zxingcpp  # the demo extra

    with Image.open(png) as paper:
        codes = zxingcpp.read_barcodes(paper.convert("L"))
    return codes[0].text if codes else None


def last_code(outbox: Path) -> str:
    """The newest code that the development sender has sent."""
    return str(json.loads((outbox / "codes.jsonl").read_text().splitlines()[-1])["code"])


class Page:
    """The enrolment page, filled in without a browser."""

    def __init__(self, url: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept-Language"] = "en"
        self._show(self._session.get(url, timeout=TIMEOUT))

    def submit(self, **fields: str) -> None:
        """Send the page's form with these fields, to the place that the form names."""
        target = urljoin(self.url, self._form.action)
        self._show(self._session.post(target, data=self._form.hidden | fields, timeout=TIMEOUT))

    def says(self, text: str) -> bool:
        """Is this text on the page?"""
        return text in self._form.text

    @property
    def asks(self) -> bool:
        """Does the page have a form?"""
        return self._form.present

    def _show(self, reply: requests.Response) -> None:
        self.status = reply.status_code
        self.url = reply.url
        self._form = _Form()
        self._form.feed(reply.text)


class _Form(HTMLParser):
    """The form of a page: where it goes, its hidden fields; and the words of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.present = False
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.present = True
            self.action = given.get("action", "")
        elif tag == "input" and given.get("type") == "hidden":
            self.hidden[given.get("name", "")] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text += data
