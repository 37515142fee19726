"""A device's key, changed without a claim: the new one is taken at once, the old one is good for some time longer.

The device proves that it has both: the request is signed by the key in force, `proof` by the new one. A lost reply costs
nothing, because the same wish gets the same answer, whichever of the two keys signs it. The old key opens no other door:
whoever has stolen it cannot put a third key in its place.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty.jws import BadSignature, ClockSkew, verify_request
from loyalty.wire import KeyReply, KeyRequest
from loyalty_server.devices import Device, is_known_key
from loyalty_server.edge import Server, authenticate, decode, json_reply, read_body
from loyalty_server.keys import decode_bytes, encode_bytes
from loyalty_server.problems import refuse
from loyalty_server.storage.tables import devices

log = logging.getLogger(__name__)

OVERLAP = timedelta(days=1)
"""So long the old key is good after the new one was taken."""


class DeviceKeys:
    """The endpoint."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        """All of it."""
        return [Route("/v1/devices/me/key", self.put, methods=["PUT"])]

    async def put(self, request: Request) -> Response:
        """PUT /v1/devices/me/key."""
        device = await run_in_threadpool(authenticate, self._server, request)
        wish = decode(await read_body(request, self._server.limits), KeyRequest)
        host = request.headers.get("host", "").lower()
        return json_reply(await run_in_threadpool(self._put, device, wish, host))

    def _put(self, device: Device, wish: KeyRequest, host: str) -> KeyReply:
        now = self._server.clock.now()
        _check_proof(device, wish, host, now)
        with self._server.database.writing() as connection:
            return change_key(connection, device, wish.public_key, now)


def change_key(connection: Connection, device: Device, key: str, now: datetime) -> KeyReply:
    """Take the new key. Raises Refused `key_known` or `key_old`."""
    mine = select(devices).where(devices.c.id == device.id).with_for_update()
    row = connection.execute(mine).one()
    if key == row.public_key:
        return KeyReply(device=device.id, old_key_until=row.old_key_until)
    if encode_bytes(device.signed_by) != row.public_key:
        raise refuse("key_old")
    if is_known_key(connection, key):
        raise refuse("key_known")
    until = now + OVERLAP
    changed = update(devices).where(devices.c.id == device.id)
    changed = changed.values(public_key=key, old_public_key=row.public_key, old_key_until=until, key_asked_at=None)
    connection.execute(changed)
    log.info("key changed device=%s", device.id)
    return KeyReply(device=device.id, old_key_until=until)


def _check_proof(device: Device, wish: KeyRequest, host: str, now: datetime) -> None:
    try:
        if verify_request(wish.proof, decode_bytes(wish.public_key), host, now) != device.id:
            raise refuse("key_unproved")
    except ClockSkew as error:
        raise refuse("clock", server_time=now) from error
    except (BadSignature, ValueError) as error:
        raise refuse("key_unproved") from error
