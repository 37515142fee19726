"""The customer of the tests: a browser without JavaScript."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests
    from conftest import Shop


@dataclass
class Phone:
    """Opens a page, fills in its form, sends it."""

    shop: Shop
    language: str = "ru"
    page: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def open(self, path: str) -> Phone:
        return self._shown(self.shop.http.get(self.shop.url + path, headers={"Accept-Language": self.language}))

    def submit(self, **fields: str) -> Phone:
        """Send the form that is on the page with its hidden fields and these."""
        action = re.search(r'<form method="post" action="([^"]+)"', self.page)
        assert action, self.page
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', self.page))
        form = {**hidden, **fields}
        headers = {"Accept-Language": self.language}
        return self._shown(self.shop.http.post(self.shop.url + action[1], data=form, headers=headers))

    def join(self, token: str, phone: str = "+7 916 123-45-67", **more: str) -> Phone:
        """All of it: page, phone, code."""
        self.open(f"/E/{token}").submit(phone=phone, personal_data="yes", **more)
        return self.submit(code=self.shop.last_code())

    def _shown(self, response: requests.Response) -> Phone:
        self.page, self.status, self.headers = response.text, response.status_code, dict(response.headers)
        return self

    @property
    def text(self) -> str:
        """What a person reads."""
        body = re.sub(r"<(style|title)[^>]*>.*?</\1>", " ", self.page, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).replace("\xa0", " ").split())
