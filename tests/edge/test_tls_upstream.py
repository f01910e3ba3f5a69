"""Towards AWS over TLS: the certificate must be the signed host's, wherever the edge dials."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from gateway.terms import OutcomeKind
from tests.edge.peers import read_body, read_head, write_answer, write_request
from tests.edge.world import CALLER, World, Worlds

CALL = write_request("POST", "/", CALLER, b"{}")


async def tls_aws(w: World) -> tuple[asyncio.Server, int]:
    """An AWS that ends TLS with a certificate for localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(w.certificates.cert, w.certificates.key)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await read_head(reader)
                _ = [chunk async for chunk in read_body(reader, request)]
                w.aws.log.append(request)
                writer.write(write_answer(200, {}, b"over tls"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    return server, int(server.sockets[0].getsockname()[1])


def dials(w: World, port: int, host: str) -> Any:
    return lambda a: w.forward(a, host=host, dial_port=port, is_tls=True, headers=(("Host", host),))


async def test_a_call_over_tls_goes_to_the_host_it_is_signed_for(world: Worlds) -> None:
    async with world() as w:
        server, port = await tls_aws(w)
        w.control.decide = dials(w, port, f"localhost:{port}")
        client = await w.client()
        assert (await client.ask(CALL)).body == b"over tls"
        assert (await client.ask(CALL)).body == b"over tls"
        assert w.aws.log[0].headers["host"] == f"localhost:{port}"
        server.close()


async def test_a_certificate_for_another_name_stops_the_call_before_its_first_byte(world: Worlds) -> None:
    async with world() as w:
        server, port = await tls_aws(w)
        w.control.decide = dials(w, port, "dynamodb.eu-west-1.amazonaws.com")
        assert (await (await w.client()).ask(CALL)).status == 503
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, "upstream.unreachable")
        assert w.aws.log == []
        server.close()


async def test_a_certificate_nobody_vouches_for_stops_it_too(world: Worlds) -> None:
    async with world(upstream_ca=None) as w:
        server, port = await tls_aws(w)
        w.control.decide = dials(w, port, "localhost")
        assert (await (await w.client()).ask(CALL)).status == 503
        assert w.aws.log == []
        server.close()


async def test_connections_to_two_names_at_one_address_are_not_shared(world: Worlds) -> None:
    async with world() as w:
        server, port = await tls_aws(w)
        client = await w.client()
        w.control.decide = dials(w, port, "localhost")
        assert (await client.ask(CALL)).status == 200
        # A warm connection whose certificate was checked for another name must not serve this one.
        w.control.decide = dials(w, port, "s3.eu-west-1.amazonaws.com")
        assert (await client.ask(CALL)).status == 503
        server.close()


async def test_old_protocol_versions_are_not_spoken_to_clients(world: Worlds) -> None:
    async with world() as w:
        context = ssl.create_default_context(cafile=str(w.certificates.cert))
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", w.edge.ports["tls"], ssl=context)
        tls = writer.get_extra_info("ssl_object")
        assert tls.version() in ("TLSv1.2", "TLSv1.3")
        assert tls.selected_alpn_protocol() == "http/1.1"
        writer.close()
