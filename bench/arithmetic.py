"""What a number of messages a day takes, computed from what one message was measured to take."""

from dataclasses import dataclass

DAY = 86_400
TB = 1e12


@dataclass(frozen=True)
class Measured:
    """Of one message of `octets`: CPU milliseconds, and octets appended to the log before replication."""

    octets: int
    embedded_cpu_ms: float
    embedded_log_octets: float
    kafka_cpu_ms: float  # Godwit's own processes
    brokers_cpu_ms: float  # all brokers together, with replication
    kafka_log_octets: float


@dataclass(frozen=True)
class Assumed:
    """Choices of whoever plans; the table prints them."""

    messages_a_day: float = 1e9
    peak: float = 3  # the busiest hour against the mean
    busy: float = 0.5  # share of a machine's cores that may be used at the peak
    cores_of_node: int = 16
    replication: int = 3
    retention_days: float = 14


def table(measured: Measured, assumed: Assumed = Assumed()) -> list[str]:
    """Markdown. Octets of network are of all machines together; each message comes in and goes out once."""
    mean = assumed.messages_a_day / DAY
    peak = mean * assumed.peak
    copies = assumed.replication

    def cores(cpu_ms: float) -> float:
        return peak * cpu_ms / 1000 / assumed.busy

    def nodes(cpu_ms: float) -> str:
        needed = cores(cpu_ms)
        return f"{needed:,.1f} cores, {max(1, -(-needed // assumed.cores_of_node)):.0f} nodes of {assumed.cores_of_node}"

    def rate(octets: float) -> str:
        return f"{peak * octets * 8 / 1e9:,.2f} Gbit/s"

    smtp = 2 * measured.octets
    # Producers send each record once, brokers to each other copies - 1 times, and once to whoever reads it.
    brokers = measured.kafka_log_octets * (1 + (copies - 1) + 1)
    kept = assumed.messages_a_day * assumed.retention_days
    return [
        f"{assumed.messages_a_day:,.0f} messages of {measured.octets:,} octets a day: {mean:,.0f}/s in the mean, {peak:,.0f}/s at a peak "
        f"of {assumed.peak:g} times that, cores {assumed.busy:.0%} busy then.",
        "",
        "| | embedded log | Kafka |",
        "| --- | --- | --- |",
        f"| Godwit | {nodes(measured.embedded_cpu_ms)} | {nodes(measured.kafka_cpu_ms)} |",
        f"| brokers | | {nodes(measured.brokers_cpu_ms)}, at least {copies} |",
        f"| network, SMTP in and out | {rate(smtp)} | {rate(smtp)} |",
        f"| network, to, between and from brokers | | {rate(brokers)} |",
        f"| disk, written at the peak | {peak * measured.embedded_log_octets / 1e6:,.0f} MB/s "
        f"| {peak * measured.kafka_log_octets * copies / 1e6:,.0f} MB/s over all brokers |",
        f"| disk, kept for {assumed.retention_days:g} days | what is under way | {kept * measured.kafka_log_octets * copies / TB:,.0f} TB "
        f"over all brokers |",
    ]
