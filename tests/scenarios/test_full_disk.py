"""A disk full of accepted mail: new mail is answered 452 4.3.1, what is there drains, and then there is room again.

Nobody adds room, deletes a file or restarts anything.
"""

import smtplib
from collections import Counter

import pytest

from support.addresses import free_port
from support.destinations import ScriptedServer
from support.disk import SmallDisk
from support.godwit import HASTY
from support.load import Load
from support.mail import Client, message
from support.waiting import wait_until

DISK_MEBIBYTES = 160
LOG = {"embedded": {"segment_bytes": 4 << 20, "reserve_segments": 4, "reserve_table_bytes": 24 << 20}}


@pytest.mark.timeout(300)
def test_full_disk(make_godwit, own, tmp_path) -> None:
    disk = own(SmallDisk(tmp_path / "node" / "data", DISK_MEBIBYTES))
    port = free_port()
    node = make_godwit({"log": LOG, "sender": {"retry": HASTY, "routes": [{"domain": "*", "to": f"127.0.0.1:{port}"}]}},
                       directory=tmp_path / "node")
    node.start()

    load = own(Load(node.relay, clients=4, size=100_000, keep_going=lambda code: code != 452))
    load.join(120)
    refusals = {(code, text.split()[0]) for code, text in load.refused}
    assert refusals == {(452, "4.3.1")}, load.refused
    assert not load.unanswered
    assert load.count() >= 100, "the disk took a good part of its size"
    assert disk.free_mebibytes() > 0, "the reserve is intact"
    wait_until(lambda: not node.is_ready(), 20, "503 from /readyz: traffic should go elsewhere")

    # The destination comes back; that is all that changes.
    server = own(ScriptedServer(port=port))
    report = node.wait_until_ended(load.count(), 120)
    assert report["clean"], report
    arrived = Counter(server.recipients())
    assert set(load.acknowledged) <= set(arrived)

    def takes_mail() -> bool:
        with Client(node.relay) as client:
            try:
                client.submit(message("room again"), "ann@sender.test", "again@example.test")
            except smtplib.SMTPException:
                return False
        return True

    wait_until(takes_mail, 60, lambda: f"new mail is taken; {disk.free_mebibytes()} MiB free")
    wait_until(node.is_ready, 20, "readiness")
    wait_until(lambda: "again@example.test" in server.recipients(), 20, "its delivery")


def test_a_start_without_room(make_process, own, tmp_path) -> None:
    """Not an octet is free: it says so and ends, as often as it is started, and goes on when there is room."""
    disk = own(SmallDisk(tmp_path / "node" / "data", DISK_MEBIBYTES))
    port = free_port()
    node = make_process({"log": LOG, "sender": {"retry": HASTY, "routes": [{"domain": "*", "to": f"127.0.0.1:{port}"}]}},
                        directory=tmp_path / "node")
    node.start()
    with Client(node.relay) as client:
        for number in range(5):
            client.submit(message(f"mail {number}"), "ann@sender.test", f"r{number}@example.test")
    node.kill()
    disk.fill()
    assert disk.free_mebibytes() == 0
    for _ in range(3):
        node.launch()
        assert node.process.wait(60) == 3, node.process.errors()[-2000:]
    assert "no space" in node.process.errors()
    disk.free()
    server = own(ScriptedServer(port=port))
    node.start()
    report = node.wait_until_ended(5, 60)
    assert report["clean"], report
    assert Counter(server.recipients()) == Counter(f"r{number}@example.test" for number in range(5))
