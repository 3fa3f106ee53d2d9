"""Content that fits into no record, from several clients at once; and content that goes to many places."""

import threading
from collections import Counter

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, message

pytestmark = pytest.mark.kafka

ONE_PARTITION = {"log": {"embedded": {"partitions": 1}}}


def body_of(number: int, octets: int) -> str:
    line = f"{number:06} " + "x" * 67 + "\r\n"
    return line * (octets // len(line))


def test_many_at_once(start_godwit, own) -> None:
    """Their pieces come to stand between one another; each is put together from its own."""
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, config=ONE_PARTITION)
    bodies = {f"number {n}": body_of(n, 1_700_000) for n in range(12)}
    failures: list[BaseException] = []

    def send(subject: str) -> None:
        try:
            with Client(godwit.relay) as client:
                client.submit(message(subject, bodies[subject]))
        except BaseException as failure:  # noqa: BLE001: told by the test's own thread
            failures.append(failure)

    clients = [threading.Thread(target=send, args=(subject,)) for subject in bodies]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)

    assert not failures, failures
    assert godwit.wait_until_ended(len(bodies))["delivered"] == len(bodies)
    arrived = {mail.subject: mail.content for mail in server.mails()}
    assert arrived.keys() == bodies.keys()
    for subject, body in bodies.items():
        assert arrived[subject].endswith(b"\r\n\r\n" + body.encode()), subject


def test_many_destinations(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    body = body_of(1, 400_000)
    recipients = [f"u@d{n}.test" for n in range(100)]  # carried by each delivery it were 40 MB
    with Client(godwit.relay) as client:
        client.submit(message("to many", body), "ann@sender.test", *recipients)
    assert godwit.wait_until_ended(len(recipients))["delivered"] == len(recipients)
    assert Counter(server.recipients()) == Counter(recipients)
    assert all(mail.content.endswith(b"\r\n\r\n" + body.encode()) for mail in server.mails())
