"""SMTP smuggling: only CRLF ends a line, and only CRLF.CRLF ends a mail.

Whatever else a client offers as the end of the data is refused, and nothing behind it is taken for commands: one
mail never becomes two on its way through Godwit.
"""

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, Conversation, message

ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r",
    "LF.CR": b"\n.\r",
    "NUL": b"\r\n\0.\r\n",
}
SECOND = (b"MAIL FROM:<ceo@victim.test>\r\nRCPT TO:<smuggled@example.test>\r\nDATA\r\n"
          b"Subject: smuggled\r\n\r\nPay at once.\r\n.\r\n")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_smuggling(start_godwit, own, end: bytes) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)

    with Conversation(godwit.relay) as client:
        assert client.ask("EHLO client.test").startswith("250")
        assert client.ask("MAIL FROM:<ann@sender.test>").startswith("250")
        assert client.ask("RCPT TO:<bob@example.test>").startswith("250")
        assert client.ask("DATA").startswith("354")
        client.send(b"Subject: first\r\n\r\nHello." + end + SECOND)
        replies = client.replies_until_closed()
    assert replies and all(reply[0] in "45" for reply in replies), replies

    with Client(godwit.relay) as client:
        client.submit(message("afterwards"))
    assert godwit.wait_until_ended(1)["accepted"] == 1
    assert [mail.subject for mail in server.mails()] == ["afterwards"]


@pytest.mark.parametrize("command", [b"NOOP\nRSET\r\n", b"NOOP\rRSET\r\n", b"NO\0OP\r\n"],
                         ids=["bare LF", "bare CR", "NUL"])
def test_commands_have_whole_line_ends(start_godwit, command: bytes) -> None:
    godwit = start_godwit()
    with Conversation(godwit.relay) as client:
        assert client.ask("EHLO client.test").startswith("250")
        client.send(command)
        replies = client.replies_until_closed()
    assert len(replies) >= 1 and replies[0][0] == "5", replies


def test_dots_cannot_escape(start_godwit, own) -> None:
    """A line of one dot inside a mail stays inside it, on the way in and on the way out."""
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address)
    with Client(godwit.relay) as client:
        client.submit(message("dots", body=".\r\nMAIL FROM:<x@y.test>\r\n.\r\n"))
    godwit.wait_until_ended(1)
    assert len(server.mails()) == 1
    assert server.mails()[0].content.endswith(b"\r\n\r\n.\r\nMAIL FROM:<x@y.test>\r\n.\r\n")
