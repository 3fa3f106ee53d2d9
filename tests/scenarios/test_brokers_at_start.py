"""Brokers that nobody can reach when a process starts: it waits for them and says so, and ends when it has waited."""

import time

from support.addresses import free_port
from support.waiting import wait_until


def test_a_process_waits_for_brokers_says_which_and_ends(make_godwit) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    godwit = make_godwit({"cluster": "ours", "node": "one", "log": {"kind": "kafka", "kafka": {
        "brokers": [nobody], "startup_timeout": "11s"}}})
    began = time.monotonic()
    godwit.launch()

    def told() -> bool:
        try:
            status, page = godwit.get("/readyz")
        except OSError:
            return False  # not even listening
        return status == 503 and nobody in page

    wait_until(told, 60, "readiness names the broker")
    assert godwit.get("/livez")[0] == 200, "waiting is no reason to be killed"
    status = godwit.process.wait(90)
    assert (status, time.monotonic() - began > 11) == (3, True)
    lines = godwit.process.errors().splitlines()
    (waiting, ended) = [next(line for line in lines if text in line)
                        for text in ("brokers do not answer; asking again", "could not start")]
    assert nobody in waiting and nobody in ended, lines
