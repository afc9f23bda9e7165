"""TLS: to a server behind a TLS terminator of the standard library."""

from __future__ import annotations

import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator

import pytest

import zoowarden
import zoowarden.testing
from zoowarden import TLS, Client, TLSVerify

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl makes the certificate"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(cert), "-subj", "/CN=zoowarden test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            end.close()


@pytest.fixture
def secured(
    server: zoowarden.testing.Server, certificate: tuple[pathlib.Path, pathlib.Path]
) -> Iterator[str]:
    """The address of a port that speaks TLS and hands through to the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    host, _, port = server.connect_string.rpartition(":")

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                outer = context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            inner = socket.create_connection((host, int(port)))
            for ends in ((outer, inner), (inner, outer)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_trusted_server_is_talked_to(
    secured: str, certificate: tuple[pathlib.Path, pathlib.Path]
) -> None:
    with Client(secured, tls=TLS(ca=certificate[0])) as client:
        assert client.exists("/") is not None


def test_unknown_server_is_refused_unless_told_otherwise(secured: str) -> None:
    with pytest.raises(zoowarden.ConnectionLossError):
        Client(secured, tls=TLS()).connect(timeout=1)
    with Client(secured, tls=TLS(verify=TLSVerify.NOTHING)) as client:
        assert client.exists("/") is not None


def test_what_is_no_certificate_is_told(tmp_path: pathlib.Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(zoowarden.BadArgumentsError, match="PEM"):
        Client("127.0.0.1:1", tls=TLS(ca=nonsense)).connect()
    with pytest.raises(ValueError, match="key"):
        Client("127.0.0.1:1", tls=TLS(certificate=nonsense)).connect()
    with pytest.raises(FileNotFoundError):
        Client("127.0.0.1:1", tls=TLS(ca=tmp_path / "missing.pem")).connect()
