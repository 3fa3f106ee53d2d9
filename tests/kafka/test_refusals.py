"""What is wrong with the brokers or the topics is said in one line, within 15 seconds, and the exit status is 3."""

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from support.addresses import free_port
from support.cluster import fresh_prefix
from support.godwit import Godwit, merged
from support.kafka import USER, Brokers

SECONDS = 15


def refusal(godwit: Godwit) -> str:
    """The one line that says why the process did not start."""
    started = time.monotonic()
    done = godwit.command("run", "-c", godwit.config_file, seconds=60)
    took = time.monotonic() - started
    assert done.returncode == 3, done.stderr
    lines = [line for line in done.stderr.splitlines() if "could not start" in line]
    assert len(lines) == 1, done.stderr
    assert took < SECONDS, f"{took:.1f} s: {lines[0]}"
    return lines[0]


def kafka(cluster: Brokers, prefix: str, **settings: Any) -> dict[str, Any]:
    return {"cluster": "ours", "node": "one", "log": {"kind": "kafka", "kafka": {
        "brokers": [cluster.bootstrap], "topic_prefix": prefix, "partitions": 2, "replication": 1,
        "min_insync_replicas": 1, **settings}}}


def make_topic(cluster: Brokers, name: str, partitions: int = 2, **config: str) -> None:
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1,
                     config={key.replace("_", "."): value for key, value in config.items()})
    admin = AdminClient(cluster.client_settings())
    for made in admin.create_topics([topic]).values():
        made.result(20)


def test_no_broker(make_godwit: Callable[..., Godwit], broker: Brokers) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    line = refusal(make_godwit(kafka(broker, fresh_prefix(), brokers=[nobody], startup_timeout="1s")))
    assert nobody in line and "refused" in line, line


def test_wrong_password(make_godwit: Callable[..., Godwit], secured_broker: Brokers) -> None:
    config = kafka(secured_broker, fresh_prefix(),
                   tls={"enabled": True, "ca": str(secured_broker.certificate.certificate)},
                   sasl={"mechanism": "scram-sha-256", "username": USER, "password": "wrong"})
    line = refusal(make_godwit(config))
    assert "uthentication failed" in line, line


def test_untrusted_broker(make_godwit: Callable[..., Godwit], secured_broker: Brokers) -> None:
    config = kafka(secured_broker, fresh_prefix(), tls={"enabled": True},
                   sasl={"mechanism": "scram-sha-256", "username": USER, "password": "whatever"})
    line = refusal(make_godwit(config))
    assert "certificate" in line, line


def test_a_topic_with_another_setting(make_godwit: Callable[..., Godwit], broker: Brokers) -> None:
    prefix = fresh_prefix()
    make_topic(broker, f"{prefix}outbound", message_timestamp_type="LogAppendTime", retention_ms="86400000")
    line = refusal(make_godwit(kafka(broker, prefix)))
    assert f"{prefix}outbound: retention.ms is 86400000, wanted at least 1209600000" in line, line


def test_a_topic_with_too_few_partitions(make_godwit: Callable[..., Godwit], broker: Brokers) -> None:
    prefix = fresh_prefix()
    make_topic(broker, f"{prefix}events", partitions=1)
    line = refusal(make_godwit(kafka(broker, prefix)))
    assert f"{prefix}events: it has 1 partitions, wanted at least 2" in line, line


def test_topics_with_unequal_partitions(make_godwit: Callable[..., Godwit], broker: Brokers) -> None:
    prefix = fresh_prefix()
    make_topic(broker, f"{prefix}retries", partitions=3, cleanup_policy="compact", delete_retention_ms="604800000",
               message_timestamp_type="LogAppendTime", min_insync_replicas="1", max_message_bytes="1048588")
    line = refusal(make_godwit(kafka(broker, prefix)))
    assert f"{prefix}retries: it has 3 partitions, wanted 2 as {prefix}outbound has" in line, line


def test_a_prefix_of_another_cluster(make_godwit: Callable[..., Godwit], broker: Brokers) -> None:
    prefix = fresh_prefix()
    ours = make_godwit(kafka(broker, prefix)).start()
    assert ours.terminate() == 0
    line = refusal(make_godwit(merged(kafka(broker, prefix), {"cluster": "theirs"})))
    assert f"topics {prefix}* belong to the cluster ours, and this one is theirs" in line, line
