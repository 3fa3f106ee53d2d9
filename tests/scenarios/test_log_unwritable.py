"""A log that cannot be written: 451 4.3.0, not ready, and nothing is promised that was not kept.

The kernel's limit on the size of files (RLIMIT_FSIZE) makes each write to the disk fail.
"""

import resource
import smtplib

import pytest

from support.destinations import ScriptedServer
from support.mail import Client, message
from support.waiting import wait_until

# A write beyond the limit is to fail, not to end the process.
NO_SIGNAL = ("env", "--ignore-signal=XFSZ")


def test_log_unwritable(start_godwit, own) -> None:
    server = own(ScriptedServer())
    godwit = start_godwit(to=server.address, prefix=NO_SIGNAL)
    with Client(godwit.relay) as client:
        kept = client.submit(message("kept"), "ann@sender.test", "kept@example.test")
        godwit.wait_for_event("delivered", message_id=kept)

        _, hard = resource.prlimit(godwit.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(godwit.process.pid, resource.RLIMIT_FSIZE, (1, hard))
        refusals = []
        for n in range(5):
            with pytest.raises(smtplib.SMTPException) as refusal:
                client.submit(message("refused"), "ann@sender.test", f"refused{n}@example.test")
            refusals.append(refusal.value)
            if isinstance(refusal.value, smtplib.SMTPServerDisconnected):
                break
            client.rset()
    told = [r for r in refusals if isinstance(r, smtplib.SMTPResponseException)]
    assert told, "the client was told"
    assert all(r.smtp_code in (451, 421) and r.smtp_error.startswith(b"4.3.0") for r in told), told
    if godwit.process.status is None:
        wait_until(lambda: not godwit.is_ready(), 20, "503 from /readyz")
        godwit.kill()

    godwit.start()
    assert godwit.is_ready()
    with Client(godwit.relay) as client:
        again = client.submit(message("again"), "ann@sender.test", "again@example.test")
    godwit.wait_for_event("delivered", message_id=again)
    report = godwit.audit()
    assert report["clean"], report
    endings = godwit.endings()
    assert endings["kept@example.test"] == ["delivered"]
    assert server.recipients().count("kept@example.test") == 1
