"""The till's side of the protocol with the central server: three threads, three clients, one report.

`Feed` claims the device and brings programme and members; `Drain` delivers rows. A backlog never delays news, and news
never delays a backlog. Both go on for ever and tell people through `Report` how things are. `Live` is for what a customer
waits for, and gives up at once.
"""

from agent.sync.claim import Claimant
from agent.sync.client import Client
from agent.sync.drain import Drain
from agent.sync.feed import Feed
from agent.sync.live import Live
from agent.sync.report import Report
from agent.sync.retry import Patience
from agent.sync.rounds import Listeners
from agent.sync.session import make_session

__all__ = ["Claimant", "Client", "Drain", "Feed", "Listeners", "Live", "Patience", "Report", "make_session"]
