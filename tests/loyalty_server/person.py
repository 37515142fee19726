"""An operator at /v1/admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loyalty_server.storage.admin_tables import audit_log

if TYPE_CHECKING:
    import requests
    from conftest import Shop


@dataclass
class Person:
    """An operator, who asks by his token."""

    shop: Shop
    name: str
    token: str

    def ask(self, method: str, path: str, **more: object) -> requests.Response:
        """A call of /v1/admin."""
        said = {"Authorization": f"Bearer {self.token}"}
        return self.shop.http.request(method, f"{self.shop.front.admin_url}/v1/admin{path}", headers=said, **more)

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """What a call that must succeed says."""
        answer = self.ask("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def log(self) -> list[tuple[str, str, str]]:
        """What of his is written down."""
        columns = ("id", "operator", "action", "subject", "outcome")
        lines = self.shop.all(audit_log, *columns)
        return [(str(line[2]), str(line[3]), str(line[4])) for line in lines if line[1] == self.name]
