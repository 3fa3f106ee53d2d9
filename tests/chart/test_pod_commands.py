"""What pods run beside `godwit run`: `godwit prestop`, and the script of `helm test`."""

import http.server
import json
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.addresses import free_port
from support.certificates import Certificate, make_certificate
from support.chart import Helm
from support.godwit import Godwit, RELAY

Answer = tuple[int, Any]


class ApiServer:
    """An API server that knows one StatefulSet, and keeps what it was asked."""

    def __init__(self, certificate: Certificate, answer: Answer) -> None:
        self.asked: list[tuple[str, str]] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append((self.path, self.headers["Authorization"]))
                status, body = answer
                text = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def stateful_set(replicas: int) -> Answer:
    return 200, {"kind": "StatefulSet", "apiVersion": "apps/v1", "spec": {"replicas": replicas}}


@pytest.fixture
def prestop(executable: Path, tmp_path: Path, certificate: Certificate,
            own: Callable[[Any], Any]) -> Callable[..., tuple["subprocess.CompletedProcess[str]", ApiServer]]:
    """prestop(answer, pod=..., config=...) runs it against an API server that answers so."""
    def run(answer: Answer, pod: str = "godwit-sender-3", config: Path | None = None, host: str | None = "127.0.0.1",
            trusted: Path | None = None) -> tuple["subprocess.CompletedProcess[str]", ApiServer]:
        server = own(ApiServer(certificate, answer))
        account = tmp_path / "account"
        account.mkdir(exist_ok=True)
        (account / "token").write_text("t0ken\n")
        (account / "namespace").write_text("mail")
        (account / "ca.crt").write_bytes((trusted or certificate.certificate).read_bytes())
        if config is None:
            config = tmp_path / "godwit.yaml"
            config.write_text(f"admin: {{listen: '127.0.0.1:{free_port()}'}}\n")
        environment = {"POD_NAME": pod, "KUBERNETES_SERVICE_PORT": str(server.port),
                       **({"KUBERNETES_SERVICE_HOST": host} if host else {})}
        done = subprocess.run([executable, "prestop", "-c", config, "--service-account", account], capture_output=True,
                              text=True, timeout=60, env=environment, check=False)
        return done, server

    return run


def test_who_is_beyond_the_replicas_leaves(prestop: Callable[..., Any], start_godwit: Callable[..., Godwit]) -> None:
    godwit = start_godwit()
    done, server = prestop(stateful_set(3), config=godwit.config_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "godwit-sender-3 is beyond 3: leave" in done.stdout
    assert server.asked == [("/apis/apps/v1/namespaces/mail/statefulsets/godwit-sender", "Bearer t0ken")]
    assert godwit.process.wait(30) == 0, "it was told to drain, and that was its end"


def test_who_is_one_of_them_restarts(prestop: Callable[..., Any], start_godwit: Callable[..., Godwit]) -> None:
    godwit = start_godwit()
    done, _ = prestop(stateful_set(4), config=godwit.config_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "restart" in done.stdout
    assert godwit.command("ctl", "health", "-c", godwit.config_file).returncode == 0, "nobody was told anything"


def test_a_set_that_is_gone_has_no_heirs(prestop: Callable[..., Any]) -> None:
    done, _ = prestop((404, {"kind": "Status", "code": 404}))
    assert (done.returncode, done.stdout) == (0, "godwit-sender is gone: restart\n")


REFUSALS: list[tuple[str, dict[str, Any], int, str]] = [
    ("forbidden", {"answer": (403, {"kind": "Status"})}, 3, "answers 403"),
    ("no_object", {"answer": (200, {"kind": "Status"})}, 3, "no StatefulSet"),
    ("no_json", {"answer": (200, b"<html>")}, 3, "no StatefulSet"),
    ("endless", {"answer": (200, b" " * (2 << 20))}, 3, "too long"),
    ("not_in_a_pod", {"answer": stateful_set(1), "host": None}, 3, "KUBERNETES_SERVICE_HOST"),
    ("name_of_another", {"answer": stateful_set(1), "host": "no..name"}, 3, "no..name"),
    ("pod_of_a_deployment", {"answer": stateful_set(1), "pod": "godwit-router-7d4b9c5d-x2x4z"}, 2, "is no name"),
    ("nobody_to_tell", {"answer": stateful_set(1)}, 3, "godwit ctl"),
]


@pytest.mark.parametrize(("call", "status", "says"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_what_goes_wrong_is_said(prestop: Callable[..., Any], call: dict[str, Any], status: int, says: str) -> None:
    done, _ = prestop(**call)
    assert done.returncode == status, done
    assert says in done.stderr
    assert "t0ken" not in done.stderr + done.stdout


def test_a_server_that_says_nothing_is_not_waited_for(executable: Path, tmp_path: Path, certificate: Certificate) -> None:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "namespace").write_text("mail")
    (tmp_path / "ca.crt").write_bytes(certificate.certificate.read_bytes())
    (tmp_path / "godwit.yaml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = subprocess.run([executable, "prestop", "-c", tmp_path / "godwit.yaml", "--service-account", tmp_path],
                              capture_output=True, text=True, timeout=60, check=False, env={
                                  "POD_NAME": "godwit-sender-0", "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                                  "KUBERNETES_SERVICE_PORT": str(silent.getsockname()[1])})
    assert done.returncode == 3
    assert "the end that follows is a restart" in done.stderr


def test_a_server_that_is_not_trusted_is_not_asked(prestop: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    other = make_certificate(tmp_path_factory.mktemp("other"))
    done, server = prestop(stateful_set(1), trusted=other.certificate)
    assert done.returncode == 3
    assert "the end that follows is a restart" in done.stderr
    assert server.asked == [], "nobody saw the token"


def test_node_of_the_command_line(make_process: Callable[..., Godwit]) -> None:
    """Pods say their name: a pod on the node's network would have the node's."""
    godwit = make_process({"node": "of-the-file"})
    godwit.options = (*godwit.options, "--node=rel-godwit-0")
    godwit.start()
    done = godwit.command("ctl", "info", "-c", godwit.config_file, "--json")
    assert json.loads(done.stdout)["node"] == "rel-godwit-0"


@pytest.fixture
def helm_test(helm: Helm, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """helm_test(relay port, submission port, observe port) runs the script of `helm test`; Services are loopback."""
    def run(relay: int, submission: int, observe: int) -> "subprocess.CompletedProcess[str]":
        values = tmp_path / "values.json"
        values.write_text(json.dumps({"observe": {"containerPort": observe},
                                      "service": {"ports": {"relay": relay, "submission": submission}}}))
        (pod,) = [pod for pod in helm.template(values).pods() if pod.component == "test"]
        command = [*pod.container["command"], *pod.container["args"]]
        command = [word.replace("rel-godwit-pods", "127.0.0.1").replace("rel-godwit", "127.0.0.1") for word in command]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def godwit_with_submission(start_godwit: Callable[..., Godwit]) -> Iterator[Godwit]:
    submission = {"listen": "127.0.0.1:0", "kind": "submission"}
    yield start_godwit(config={"ingress": {"smtp": [RELAY, submission]}})


def test_helm_test_is_content(godwit_with_submission: Godwit, helm_test: Callable[..., Any]) -> None:
    godwit = godwit_with_submission
    done = helm_test(godwit.relay[1], godwit.submission[1], godwit.observe_port)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" 220 ") == 2
    assert " 200 OK" in done.stdout


class Grumpy:
    """Answers whoever connects with 554."""

    def __init__(self) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.sendall(b"554 not today\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_helm_test_sees_what_is_missing(godwit_with_submission: Godwit, helm_test: Callable[..., Any],
                                        own: Callable[[Any], Any]) -> None:
    godwit = godwit_with_submission
    assert helm_test(godwit.relay[1], free_port(), godwit.observe_port).returncode != 0
    assert helm_test(own(Grumpy()).port, godwit.submission[1], godwit.observe_port).returncode != 0, "no greeting"
    assert helm_test(godwit.relay[1], godwit.submission[1], free_port()).returncode != 0
