"""A shop of one till, one scanner and one printer: its config.toml, the plainest programme, and an identity of its agent."""

from agent.identity import Identity
from loyalty.wire import Named

CONFIG = """
language = "{language}"
[state]
folder = "{folder}"
[server]
url = "http://127.0.0.1:{nobody}"
[api]
port = {port}
[receipt]
shop = "Ромашка"
[codes]
member_card = [{{ pattern = "29xxxxxxxxxxC" }}]
[[till]]
id = "1"
printer = "receipt"
scanners = ["counter"]
[[scanner]]
name = "counter"
driver = "{driver}"
options = {{ port = "socket://127.0.0.1:{scanner}" }}
[[printer]]
name = "receipt"
driver = "tcp"
options = {{ host = "127.0.0.1", port = {printer} }}
"""

PROGRAMME = """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 100
"""

SOMEBODY = Identity(
    device="D1", device_number=1, store=Named("S1", "First"), tills=(), epoch="e", enrolment_url="http://localhost",
    machine="pc", token_generation=1, private_key=b"k" * 32, programme_key=b"p" * 32, token_key=b"t" * 32,
    ident_key=b"i" * 32,
)  # fmt: skip
