"""Control data on the log: applied, compared, printed; the same for every process that reads it."""

import json
import smtplib
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from support.mail import Client, message
from support.waiting import wait_until

SEED = {"control": {"mode": "seed"}, "log": {"embedded": {"partitions": 2}}}
ACME = """\
tenants:
  - name: acme
    pool: bulk
    credentials: [{username: ann, password: first}]
    api_keys: [{name: app, key: very-plain}]
    domains: [{name: acme.example, verified: true}]
pools: {bulk: [{source: default}]}
shaping:
  - {default: true, connection_limit: 7}
"""


def ctl(godwit, *arguments):
    command, *rest = arguments
    why = ("--reason", "a new customer") if command == "apply" else ()
    return godwit.command("ctl", command, "-c", godwit.config_file, *why, *rest)


def write(godwit, text: str, name: str = "wanted.yaml") -> Path:
    path = godwit.directory / name
    path.write_text(text)
    return path


def version(godwit) -> int:
    return json.loads(ctl(godwit, "get", "--json").stdout)["version"]


@pytest.mark.kafka
def test_apply_is_declarative_and_idempotent(start_godwit) -> None:
    godwit = start_godwit(config=SEED)
    wanted = write(godwit, ACME)
    diff = ctl(godwit, "diff", "-f", wanted)
    assert diff.returncode == 1
    assert "+ tenant acme\n" in diff.stdout
    assert version(godwit) == 0, "diff changes nothing"

    applied = ctl(godwit, "apply", "-f", wanted)
    assert applied.returncode == 0, applied.stderr
    assert "6 changed: version 1 is in force" in applied.stdout
    again = ctl(godwit, "apply", "-f", wanted)
    assert (again.returncode, again.stdout) == (0, "nothing to change: version 1 is in force\n")
    assert ctl(godwit, "diff", "-f", wanted).returncode == 0

    # What is printed is applied again, and has no secret in the clear.
    printed = ctl(godwit, "get").stdout
    assert "first" not in printed
    assert "very-plain" not in printed
    assert ctl(godwit, "apply", "--prune", "-f", write(godwit, printed, "printed.yaml")).stdout == again.stdout

    # Only pruning removes what the file does not have.
    other = write(godwit, "tenants: [{name: other}]\n", "other.yaml")
    applied = ctl(godwit, "apply", "-f", other)
    assert "tenant acme" in applied.stderr
    assert "name: acme" in ctl(godwit, "get").stdout
    pruned = ctl(godwit, "diff", "--prune", "-f", other)
    assert "- tenant acme\n" in pruned.stdout
    assert ctl(godwit, "apply", "--prune", "-f", other).returncode == 0
    assert "name: acme" not in ctl(godwit, "get").stdout

    entries = json.loads(ctl(godwit, "audit-log", "--json").stdout)["entries"]
    assert [entry["action"] for entry in entries] == ["control.apply"] * 3
    assert "removed tenant acme" in entries[0]["changes"]
    assert (entries[0]["actor"], entries[0]["reason"]) == ("loopback", "a new customer")
    assert "@" in entries[0]["client"]
    assert all("first" not in json.dumps(entry) for entry in entries)


@pytest.mark.kafka_long
def test_a_bad_file_is_refused_whole(start_godwit) -> None:
    godwit = start_godwit(config=SEED)
    assert ctl(godwit, "apply", "-f", write(godwit, ACME)).returncode == 0
    bad = write(godwit, "tenants:\n  - {name: good}\n  - {name: bad, pool: none}\nshapings: []\n", "bad.yaml")
    for command in ("diff", "apply"):
        refused = ctl(godwit, command, "-f", bad)
        assert refused.returncode == 1
        assert f"{bad}:3:23: tenants[1].pool: there is no pool `none`" in refused.stderr
        assert f"{bad}:4:1: shapings: unknown key" in refused.stderr
    assert "good" not in ctl(godwit, "get").stdout
    missing = ctl(godwit, "apply", "-f", "nowhere.yaml")
    assert missing.returncode == 3
    assert "nowhere.yaml" in missing.stderr


@pytest.mark.kafka_long
def test_a_file_that_is_the_truth_is_changed_by_nobody(start_godwit) -> None:
    godwit = start_godwit(config={"control": {"mode": "file"}}, control={"tenants": [{"name": "acme"}]})
    refused = ctl(godwit, "apply", "-f", write(godwit, ACME))
    assert refused.returncode == 3
    assert "control.mode is file" in refused.stderr
    assert "name: acme" in ctl(godwit, "get").stdout
    assert ctl(godwit, "diff", "-f", godwit.control_file).returncode == 0
    assert ctl(godwit, "diff", "-f", write(godwit, ACME)).returncode == 1


@pytest.mark.kafka_long
def test_a_seed_fills_an_empty_table_once(make_godwit) -> None:
    godwit = make_godwit(config=SEED, control={"tenants": [{"name": "seeded"}]}).start()
    assert "name: seeded" in ctl(godwit, "get").stdout
    assert ctl(godwit, "apply", "-f", write(godwit, ACME)).returncode == 0
    before = ctl(godwit, "get").stdout
    assert godwit.terminate() == 0
    godwit.control = {"tenants": [{"name": "changed"}]}
    godwit.write_files()
    godwit.start()
    assert ctl(godwit, "get").stdout == before
    assert "godwit ctl diff" in godwit.process.errors()


@pytest.mark.kafka_long
def test_what_is_applied_is_in_force_within_a_second(start_godwit) -> None:
    """Measured at the front door: a new user name logs in."""
    godwit = start_godwit(config={**SEED, "ingress": {"smtp": [
        {"listen": "127.0.0.1:0", "kind": "submission", "tls": "implicit"}]}})
    address = next(address for name, address in godwit.addresses() if name.startswith("smtp.submission"))

    def logs_in(password: str) -> bool:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with smtplib.SMTP_SSL(*address, context=context, timeout=20) as client:
            try:
                client.login("ann", password)
            except smtplib.SMTPAuthenticationError:
                return False
            return True

    assert not logs_in("first")
    assert ctl(godwit, "apply", "-f", write(godwit, ACME)).returncode == 0
    since = time.monotonic()
    wait_until(lambda: logs_in("first"), 10, "the new user name")
    assert time.monotonic() - since < 1
    assert ctl(godwit, "apply", "-f", write(godwit, ACME.replace("first", "second"))).returncode == 0
    assert logs_in("second")
    assert not logs_in("first")


@pytest.mark.kafka_long
@pytest.mark.parametrize("after", [0.0, 0.05])
def test_a_kill_in_the_middle_leaves_all_or_nothing(make_godwit, after: float) -> None:
    godwit = make_godwit(config=SEED).start()
    many = "pools:\n" + "".join(f"  p{i}: [{{source: default}}]\n" for i in range(10_000))
    wanted = write(godwit, many)
    applying = subprocess.Popen([str(godwit.executable), "ctl", "apply", "-c", str(godwit.config_file), "-f",
                                 str(wanted), "--reason", "test"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Somewhere between its first row and its last: the audit is written before.
    wait_until(lambda: json.loads(ctl(godwit, "audit-log", "--json").stdout)["total"] == 1
               or applying.poll() is not None, 60, "the batch is begun")
    time.sleep(after)
    godwit.kill()
    applying.wait(60)
    godwit.start()
    pools = ctl(godwit, "get").stdout.count("source: default")
    assert pools in (0, 10_000)
    assert ctl(godwit, "apply", "-f", wanted).returncode == 0
    assert ctl(godwit, "get").stdout.count("source: default") == 10_000


def test_the_cluster_as_the_log_knows_it(make_godwit) -> None:
    godwit = make_godwit(config={"node": "mta1", "log": {"embedded": {"partitions": 2}}}).start()

    def node() -> dict:
        (row,) = json.loads(ctl(godwit, "nodes", "--json").stdout)["nodes"]
        return row

    row = wait_until(lambda: node() if node()["partitions"].get("sender") == [0, 1] else None, 30, "partitions")
    assert (row["node"], row["state"]) == ("mta1", "up")
    assert [role["name"] for role in row["roles"]] == ["bouncer", "ingress", "router", "sender"]
    assert row["admin"] == f"127.0.0.1:{godwit.admin_port}"
    topics = {topic["name"]: topic for topic in json.loads(ctl(godwit, "topics", "--json").stdout)["topics"]}
    assert topics["accepted"]["groups"] == ["router"]
    assert topics["accepted"]["partitions"] == 2
    assert topics["control"]["kind"] == "table"
    lag = json.loads(ctl(godwit, "lag", "--all", "--json").stdout)
    assert {row["owner"] for row in lag["partitions"] if row["group"] == "sender"} == {"mta1"}
    for command in ("nodes", "topics", "lag"):
        assert ctl(godwit, command).returncode == 0
    first = row["pid"]
    assert godwit.terminate() == 0
    godwit.start()
    assert node()["pid"] != first, "a process that starts again takes over its row"


@pytest.mark.kafka_long
def test_lag_names_the_oldest_unread(make_godwit) -> None:
    godwit = make_godwit(config={"log": {"embedded": {"partitions": 1}}})
    godwit.options = ("--roles", "ingress")
    godwit.start()
    with Client(godwit.relay) as client:
        for _ in range(3):
            client.submit(message("b@example.test"), "a@sender.test", "b@example.test")
    lag = json.loads(ctl(godwit, "lag", "--json").stdout)
    (row,) = lag["partitions"]
    assert (row["group"], row["topic"], row["lag"], row["owner"]) == ("router", "accepted", 3, "")
    assert row["oldest"]
