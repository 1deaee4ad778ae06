"""The containers' probe: it passes where a service answers, and says why where none does."""

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PROBE = Path(__file__).parents[2] / "deploy" / "healthcheck.py"


def probe(*arguments):
    return subprocess.run(
        [sys.executable, str(PROBE), *arguments], check=False, capture_output=True, text=True
    )


@pytest.fixture
def free_address():
    """An address of this machine at which nothing answers: bound, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def serving():
    """A gRPC server's address, and its health service."""
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", servicer
    server.stop(None).wait()


@pytest.fixture
def pages():
    """A web server with one page, /there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/there" else 503)
            self.end_headers()

        def log_message(self, *_):
            """Keeps the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_grpc_server_passes_while_it_says_that_it_serves(serving):
    address, servicer = serving
    assert probe("grpc", address).returncode == 0
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    result = probe("grpc", address)
    assert result.returncode == 1
    assert "NOT_SERVING" in result.stdout


def test_a_port_where_nobody_listens_fails(free_address):
    result = probe("grpc", free_address)
    assert result.returncode == 1
    assert "UNAVAILABLE" in result.stdout
    assert probe("http", f"http://{free_address}/there").returncode == 1


def test_a_page_passes_and_an_error_fails(pages):
    assert probe("http", f"{pages}/there").returncode == 0
    result = probe("http", f"{pages}/elsewhere")
    assert result.returncode == 1
    assert "503" in result.stdout


def test_misuse_is_told_from_bad_health():
    assert probe("ftp", "somewhere").returncode == 2
    assert probe().returncode == 2
