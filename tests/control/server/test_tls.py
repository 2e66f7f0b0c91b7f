"""The whole server with the certificates of `autotrader tls init`."""

import asyncio
import http.client
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from cli.config import load_settings
from cli.run_plans import paper_plan, with_control
from tests.support.control_client import Answer, Control, path_of, request_of
from tests.support.control_process import ROOT, EngineProcess
from trading.errors import InputError

SIGN_IN = path_of("SessionService/SignInLocally")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes."""
    folder = tmp_path_factory.mktemp("certificates") / "tls"
    command = [sys.executable, "-m", "cli", "tls", "init", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[EngineProcess]:
    """An engine with TLS, which asks for a client's certificate."""
    settings = {"tls_cert": "server.crt", "tls_key": "server.key", "tls_client_ca": "ca.crt"}
    lines = [f'{name} = "{certificates / file}"' for name, file in settings.items()]
    engine = EngineProcess(tmp_path_factory.mktemp("engine"), control="\n".join(lines)).start()
    yield engine
    engine.stop()


def trust(certificates: Path, authority: bool = True, client: bool = True) -> grpc.ChannelCredentials:
    """What a client knows: the development authority, and a certificate of its own."""
    ca, key, certificate = (
        (certificates / name).read_bytes() for name in ("ca.crt", "client.key", "client.crt")
    )
    return grpc.ssl_channel_credentials(
        ca if authority else None, key if client else None, certificate if client else None
    )


def web_trust(certificates: Path, authority: bool = True, client: bool = True) -> ssl.SSLContext:
    """The same for the door."""
    context = ssl.create_default_context(cafile=certificates / "ca.crt" if authority else None)
    if client:
        context.load_cert_chain(certificates / "client.crt", certificates / "client.key")
    return context


async def signed_in(engine: EngineProcess, credentials: grpc.ChannelCredentials | None) -> Answer:
    """How signing in ends; without credentials, in the clear."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = (
        grpc.aio.secure_channel(engine.target, credentials, options=options)
        if credentials
        else grpc.aio.insecure_channel(engine.target, options=options)
    )
    async with channel:
        request = request_of(SIGN_IN, secret=engine.credential["secret"])
        return await Control(channel).send(SIGN_IN, request, seconds=20)


async def web(engine: EngineProcess, context: ssl.SSLContext) -> int:
    """The HTTP status of the door."""
    address = engine.credential["web"].removeprefix("https://")

    def get() -> int:
        connection = http.client.HTTPSConnection(address, timeout=20, context=context)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    return await asyncio.to_thread(get)


async def test_client_with_authority_and_certificate_is_served_on_both_ports(
    engine: EngineProcess, certificates: Path
) -> None:
    assert engine.credential["web"].startswith("https://")
    assert Path(engine.credential["tls_ca"]).is_file()
    assert (await signed_in(engine, trust(certificates))).code == "OK"
    assert await web(engine, web_trust(certificates)) in {200, 404}


async def test_client_without_the_authority_or_in_the_clear_is_not_served(
    engine: EngineProcess, certificates: Path
) -> None:
    assert (await signed_in(engine, trust(certificates, authority=False))).code == "UNAVAILABLE"
    assert (await signed_in(engine, None)).code == "UNAVAILABLE"
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        await web(engine, web_trust(certificates, authority=False))


async def test_client_without_a_certificate_is_refused_where_one_is_asked_for(
    engine: EngineProcess, certificates: Path
) -> None:
    assert (await signed_in(engine, trust(certificates, client=False))).code == "UNAVAILABLE"
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        await web(engine, web_trust(certificates, client=False))


@pytest.mark.parametrize("key", ["listen", "web_listen"])
def test_engine_beyond_loopback_without_tls_is_refused(key: str, tmp_path: Path) -> None:
    loaded = load_settings(EngineProcess(tmp_path).config, [f"control.{key}=0.0.0.0:0"], environment={})
    with pytest.raises(InputError, match=f"control.{key}: 0.0.0.0:0 is reached from outside") as refused:
        with_control(paper_plan(loaded.settings, None), loaded, {})
    assert "autotrader tls init" in str(refused.value)
