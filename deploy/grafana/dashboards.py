"""Writes Grafana's dashboards beside it, from the queries that are in here.

    python3 deploy/grafana/dashboards.py

Needs nothing but Python. Metrics are named bare, `godwit_x_total{class="4xx"}`: each gets the selection of the
variables `job` and `instance`. A test compares the files with what this writes, and runs every query on a real
Prometheus (tests/observe).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCOPE = 'job=~"$job",instance=~"$instance"'
COLUMNS, HEIGHT = 24, 8
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def scoped(expression: str) -> str:
    """Every metric of ours with the selection of the variables."""
    def select(match: re.Match[str]) -> str:
        labels = (match[2] or "").strip("{}")
        return f"{match[1]}{{{SCOPE}{',' + labels if labels else ''}}}"

    return re.sub(r"\b(godwit_[a-z0-9_]+)(\{[^}]*\})?", select, expression)


@dataclass(frozen=True)
class Panel:
    """`queries`: (expression, legend). A `stat` shows the last value, a `table` the series of an instant query."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    description: str = ""
    kind: str = "timeseries"
    width: int = 8
    stacked: bool = False
    logarithmic: bool = False

    def model(self, number: int, x: int, y: int) -> dict[str, Any]:
        instant = self.kind != "timeseries"
        return {
            "id": number, "type": self.kind, "title": self.title, "description": self.description,
            "datasource": DATASOURCE, "gridPos": {"x": x, "y": y, "w": self.width, "h": HEIGHT},
            "targets": [{"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": scoped(expression),
                         "legendFormat": legend, "instant": instant, "range": not instant,
                         **({"format": "table"} if self.kind == "table" else {})}
                        for i, (expression, legend) in enumerate(self.queries)],
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0, "custom": self.custom()}, "overrides": []},
            "options": self.options()}

    def custom(self) -> dict[str, Any]:
        if self.kind != "timeseries":
            return {}
        return {"fillOpacity": 20 if self.stacked else 0, "showPoints": "never",
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "scaleDistribution": {"type": "log", "log": 10} if self.logarithmic else {"type": "linear"}}

    def options(self) -> dict[str, Any]:
        if self.kind == "timeseries":
            return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                    "tooltip": {"mode": "multi", "sort": "desc"}}
        if self.kind == "stat":
            return {"colorMode": "none", "graphMode": "area",
                    "reduceOptions": {"calcs": ["lastNotNull"], "values": False}}
        return {}


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """`variables`: name -> the metric whose label of that name it chooses from."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: tuple[tuple[str, str], ...] = ()

    def model(self) -> dict[str, Any]:
        panels: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            panels.append({"id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
                           "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
            x, y = 0, y + 1
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y = 0, y + HEIGHT
                panels.append(panel.model(len(panels) + 1, x, y))
                x += panel.width
            y += HEIGHT
        return {"uid": f"godwit-{self.name}", "title": f"Godwit / {self.title}", "description": self.description,
                "tags": ["godwit"], "schemaVersion": 39, "editable": True, "graphTooltip": 1,
                "time": {"from": "now-3h", "to": "now"}, "refresh": "30s", "annotations": {"list": []},
                "links": [{"type": "dashboards", "title": "Godwit", "tags": ["godwit"], "asDropdown": True,
                           "keepTime": True, "includeVars": True, "icon": "external link", "tooltip": "", "url": "",
                           "targetBlank": False}],
                "templating": {"list": self.templating()}, "panels": panels}

    def templating(self) -> list[dict[str, Any]]:
        chosen = [("job", "godwit_build_info"), ("instance", 'godwit_build_info{job=~"$job"}')]
        chosen += [(name, scoped(metric)) for name, metric in self.variables]
        return [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}] + [
            {"name": name, "label": name.capitalize(), "type": "query", "datasource": DATASOURCE,
             "query": f"label_values({metric}, {name})", "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
             "allValue": ".*"}
            for name, metric in chosen]


# --- expressions ---

def rate(metric: str, by: str = "") -> str:
    """Per second, summed over all processes, or kept apart by labels."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}[$__rate_interval]))"


def part(metric: str, of: str, by: str = "") -> str:
    """The share of some events in others; 0 and not nothing while nothing happens."""
    return f"{rate(metric, by)} / ({rate(of, by)} > 0 or {rate(of, by)} * 0 + 1)"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Of a histogram, named without _bucket; `by`: kept apart by labels."""
    name, brace, labels = histogram.partition("{")
    return f"histogram_quantile({share}, {rate(f'{name}_bucket{brace}{labels}', f'le, {by}' if by else 'le')})"


def quantiles(histogram: str) -> list[tuple[str, str]]:
    return [(quantile(share, histogram), f"p{100 * share:.0f}") for share in (0.5, 0.95, 0.99)]


def latency(title: str, histogram: str, description: str = "") -> Panel:
    return Panel(title, quantiles(histogram), "s", description)


def rates(title: str, metric: str, by: str, description: str = "", unit: str = "ops") -> Panel:
    return Panel(title, [(rate(metric, by), " ".join(f"{{{{{label}}}}}" for label in by.split(", ")))], unit, description,
                 stacked=True)


# --- dashboards ---

RECIPIENTS = "godwit_sender_recipients_total"
OUTCOMES = 'godwit_sender_provider_recipients_total{provider=~"$provider",pool=~"$pool"}'


def outcomes(labels: str) -> str:
    return OUTCOMES.replace("}", f",{labels}}}")


CLUSTER = Dashboard("cluster", "Cluster", "What comes in, what goes out, and whether processes are well.", [
    Row("Mail", [
        Panel("Accepted", [(rate("godwit_ingress_messages_accepted_total"), "messages")], "ops", kind="stat", width=4),
        Panel("Delivered", [(rate(f'{RECIPIENTS}{{result="delivered"}}'), "recipients")], "ops", kind="stat", width=4),
        Panel("Deferred", [(part(f'{RECIPIENTS}{{result="deferred"}}', RECIPIENTS), "of attempts")], "percentunit",
              kind="stat", width=4),
        Panel("Bounced", [(part(f'{RECIPIENTS}{{result="bounced"}}', f'{RECIPIENTS}{{result!="deferred"}}'), "of endings")],
              "percentunit", kind="stat", width=4),
        Panel("In the queue", [("sum(godwit_sender_queue_recipients)", "recipients")], kind="stat", width=4),
        Panel("Not ready", [("count(godwit_process_ready) - sum(godwit_process_ready)", "processes")], kind="stat", width=4),
        Panel("In and out", [(rate("godwit_ingress_recipients_accepted_total"), "accepted"),
                             (rate("godwit_router_recipients_total"), "routed"),
                             (rate(f'{RECIPIENTS}{{result="delivered"}}'), "delivered"),
                             (rate(f'{RECIPIENTS}{{result=~"bounced|expired"}}'), "bounced, expired")], "ops",
              "Recipients. What is routed and not delivered is in the queue."),
        Panel("Each hop, p95", [(quantile(0.95, "godwit_ingress_store_seconds"), "ingress: stored"),
                                (quantile(0.95, "godwit_router_queued_seconds"), "router: accepted to routed"),
                                (quantile(0.95, "godwit_sender_first_attempt_seconds"), "sender: accepted to first attempt"),
                                (quantile(0.95, "godwit_sender_transaction_seconds"), "sender: one transaction")], "s",
              logarithmic=True),
        Panel("Queue", [("sum by (state) (godwit_sender_queue_recipients)", "{{state}}")], stacked=True),
    ]),
    Row("What goes wrong", [
        Panel("Refused and failed", [(rate("godwit_ingress_messages_refused_total", "class"), "messages refused {{class}}"),
                                     (rate("godwit_ingress_commands_refused_total", "class"), "commands refused {{class}}"),
                                     (rate("godwit_sender_connection_failures_total"), "connections to hosts failed")], "ops"),
        Panel("Commits that failed", [(rate("godwit_router_commit_failures_total"), "router"),
                                      (rate("godwit_sender_commits_refused_total"), "sender"),
                                      (rate("godwit_bouncer_commit_failures_total"), "bouncer")], "ops"),
        Panel("Needs somebody", [("sum(godwit_sender_held)", "recipients held"),
                                 ("sum(increase(godwit_router_dead_total[1h])) + sum(increase(godwit_sender_records_dead_total[1h]))"
                                  " + sum(increase(godwit_bouncer_dead_total[1h]))", "records to dead, in an hour"),
                                 ("sum(increase(godwit_process_reload_failures_total[1h]))", "reloads refused, in an hour")]),
    ]),
    Row("Processes", [
        Panel("CPU", [("rate(godwit_process_cpu_seconds_total[$__rate_interval])", "{{instance}}")], "none",
              "Processors in use."),
        Panel("Memory", [("godwit_process_resident_memory_bytes", "{{instance}}")], "bytes"),
        Panel("Event loops late, p99", [(quantile(0.99, "godwit_process_loop_delay_seconds", "instance"), "{{instance}}")],
              "s", "How long what is due waits for its turn."),
        Panel("File descriptors", [("godwit_process_open_descriptors / godwit_process_descriptors_max", "{{instance}}")],
              "percentunit"),
        Panel("Room on the disk", [("godwit_process_data_dir_free_bytes / godwit_process_data_dir_size_bytes", "{{instance}}")],
              "percentunit"),
        Panel("Up for", [("time() - godwit_process_start_time_seconds", "{{instance}}")], "s"),
        Panel("Versions", [("count by (version, log) (godwit_build_info)", "{{version}} {{log}}")], kind="table", width=12),
        Panel("Log lines dropped", [(rate("godwit_process_log_lines_dropped_total", "instance"), "{{instance}}")], "ops",
              "Standard error was slow.", width=12),
    ]),
])

DELIVERABILITY = Dashboard(
    "deliverability", "Deliverability", "How providers take the mail of each pool and each source.", [
        Row("By provider", [
            rates("Delivered", outcomes('result="delivered"'), "provider"),
            Panel("Deferred", [(part(outcomes('result="deferred"'), OUTCOMES, "provider"), "{{provider}}")], "percentunit",
                  "Of all attempts."),
            Panel("Bounced", [(part(outcomes('result="bounced"'), outcomes('result=~"bounced|delivered"'), "provider"),
                               "{{provider}}")], "percentunit", "Of what ended with an answer."),
            Panel("Acceptance to delivery, p95",
                  [(quantile(0.95, 'godwit_sender_delivery_seconds{provider=~"$provider"}', "provider"), "{{provider}}")], "s",
                  logarithmic=True),
            Panel("Waits for", [('sum by (provider, reason) (godwit_sender_lanes_waiting{provider=~"$provider",pool=~"$pool"})',
                                 "{{provider}} {{reason}}")], description="Lanes, by the limit or state."),
            Panel("In the queue", [('sum by (provider) (godwit_sender_provider_queue_recipients{provider=~"$provider",'
                                    'pool=~"$pool"})', "{{provider}}")], stacked=True),
        ]),
        Row("What hosts say", [
            rates("Deferred, by class", outcomes('result="deferred"'), "class"),
            rates("Bounced, by class", outcomes('result="bounced"'), "class"),
            Panel("Reputation", [(part(outcomes('class=~"spam-related|policy-related"'), OUTCOMES, "provider, pool"),
                                  "{{provider}} {{pool}}")], "percentunit",
                  "Refused or deferred as spam or by policy, of all attempts."),
        ]),
        Row("By pool and source", [
            rates("Delivered, by pool", outcomes('result="delivered"'), "pool"),
            Panel("Not delivered, by pool", [(part(outcomes('result=~"deferred|bounced"'), OUTCOMES, "pool"), "{{pool}}")],
                  "percentunit", "Of all attempts."),
            Panel("Delivered, by source", [(part('godwit_sender_source_recipients_total{result="delivered"}',
                                                 "godwit_sender_source_recipients_total", "source"), "{{source}}")],
                  "percentunit", "Of all attempts of an egress address."),
            Panel("All of it", [(f"sum by (provider, pool, result, class) (increase({OUTCOMES}[1h]))", "")], kind="table",
                  width=24, description="Recipients, in the last hour."),
        ]),
        Row("What comes back", [
            rates("Reports", "godwit_bouncer_reports_total", "kind"),
            Panel("Complaints", [("sum(rate(godwit_bouncer_complaints_total[1d])) / "
                                  "(sum(rate(godwit_sender_recipients_total{result=\"delivered\"}[1d])) > 0)", "complaints")],
                  "percentunit", "Of what was delivered, over a day."),
            Panel("Late bounces", [(rate("godwit_bouncer_late_bounces_total"), "late")], "ops"),
        ]),
    ], (("provider", "godwit_sender_provider_recipients_total"), ("pool", "godwit_sender_provider_recipients_total")))

QUEUES = Dashboard("queues", "Queues", "What waits, for how long, and for what.", [
    Row("Recipients that have not ended", [
        Panel("By state", [("sum by (state) (godwit_sender_queue_recipients)", "{{state}}")], stacked=True),
        Panel("By provider and pool", [("sum by (provider, pool) (godwit_sender_provider_queue_recipients)",
                                        "{{provider}} {{pool}}")], stacked=True),
        Panel("By sender", [("sum by (instance) (godwit_sender_queue_recipients)", "{{instance}}")], stacked=True),
        Panel("Oldest", [("max by (instance) (godwit_sender_queue_oldest_seconds)", "{{instance}}")], "s",
              "Since it was accepted."),
        Panel("Overdue", [("max by (instance) (godwit_sender_queue_overdue_seconds)", "{{instance}}")], "s",
              "Since the first parked delivery was due."),
        Panel("Held for a decision", [("sum by (instance) (godwit_sender_held)", "{{instance}}")]),
    ]),
    Row("Time", [
        Panel("Acceptance to first attempt, p95", [(quantile(0.95, "godwit_sender_first_attempt_seconds", "priority"),
                                                    "{{priority}}")], "s", logarithmic=True),
        latency("Acceptance to delivery", "godwit_sender_delivery_seconds"),
        Panel("How long delivered mail waited", [(rate("godwit_sender_delivery_seconds_bucket", "le"), "{{le}} s")], "ops",
              "Recipients delivered within so many seconds, cumulative."),
    ]),
    Row("What moves", [
        Panel("Parked", [(rate("godwit_sender_deliveries_parked_total"), "parked"),
                         (rate("godwit_sender_deliveries_throttled_total"), "of them for a slow lane"),
                         (rate("godwit_sender_deliveries_moved_total"), "moved to another partition"),
                         (rate("godwit_sender_deferrals_unwritten_total"), "kept in memory")], "ops"),
        Panel("Lanes that wait", [("sum by (reason) (godwit_sender_lanes_waiting)", "{{reason}}")], stacked=True,
              description="Lanes with mail in memory, by what they wait for."),
        Panel("Lanes that began to wait", [(rate("godwit_sender_lane_waits_total", "reason"), "{{reason}}")], "ops"),
    ]),
    Row("Behind", [
        Panel("Embedded log: records not finished", [("sum by (group, topic) (godwit_log_lag_records)", "{{group}} {{topic}}")]),
        Panel("Embedded log: oldest", [("max by (group, topic) (godwit_log_oldest_unfinished_seconds)", "{{group}} {{topic}}")],
              "s"),
        Panel("Kafka: offsets not finished", [("max by (group, topic) (godwit_kafka_lag_offsets)", "{{group}} {{topic}}")]),
    ]),
])

INGRESS = Dashboard("ingress", "Ingress", "SMTP in: sessions, messages, logins, the way to the log.", [
    Row("Rate", [
        rates("Messages accepted", "godwit_ingress_messages_accepted_total", "kind"),
        Panel("Content", [(rate("godwit_ingress_content_bytes_total"), "accepted")], "Bps"),
        rates("Sessions begun", "godwit_ingress_sessions_total", "kind"),
        Panel("Sessions open", [("sum by (instance) (godwit_ingress_sessions)", "{{instance}}")], stacked=True),
        Panel("Recipients of a message", [(f"{rate('godwit_ingress_recipients_accepted_total')} / "
                                           f"({rate('godwit_ingress_messages_accepted_total')} > 0)", "mean")]),
        Panel("Size of a message", [(f"{rate('godwit_ingress_content_bytes_total')} / "
                                     f"({rate('godwit_ingress_messages_accepted_total')} > 0)", "mean")], "bytes"),
    ]),
    Row("Errors", [
        rates("Messages refused", "godwit_ingress_messages_refused_total", "class", "Behind their content."),
        rates("Commands refused", "godwit_ingress_commands_refused_total", "command, class"),
        Panel("Sessions", [(rate("godwit_ingress_sessions_refused_total"), "over a limit, 421"),
                           (rate("godwit_ingress_timeouts_total"), "closed for silence"),
                           (rate("godwit_ingress_over_budget_total"), "messages over the budget, 452")], "ops"),
        Panel("Logins", [(rate("godwit_ingress_auth_total", "result"), "{{result}}"),
                         (rate("godwit_ingress_password_hashes_total"), "that cost a hash")], "ops"),
        Panel("TLS", [(rate("godwit_ingress_tls_handshakes_total", "version"), "{{version}}"),
                      (rate("godwit_ingress_tls_failed_total"), "failed")], "ops"),
        Panel("Certificate ends in", [("(godwit_ingress_tls_certificate_not_after_seconds > 0) - time()", "{{instance}}")], "s"),
    ]),
    Row("Duration and budgets", [
        latency("Final dot to the log's acknowledgement", "godwit_ingress_store_seconds"),
        latency("TLS handshake", "godwit_ingress_tls_handshake_seconds"),
        Panel("Content not yet acknowledged", [("godwit_ingress_message_bytes / godwit_ingress_message_bytes_max",
                                                "{{instance}}")], "percentunit", "Of budgets.message_bytes_max."),
    ]),
])

ROUTER = Dashboard("router", "Router", "From accepted mail to deliveries: sites, lanes, the DNS.", [
    Row("Rate", [
        Panel("Routed", [(rate("godwit_router_messages_total"), "messages"),
                         (rate("godwit_router_deliveries_total"), "deliveries"),
                         (rate("godwit_router_recipients_total"), "recipients")], "ops"),
        Panel("Read and not yet committed", [("sum by (instance) (godwit_router_window_messages)", "{{instance}}")],
              stacked=True),
        Panel("Sites", [(rate("godwit_router_sites_remembered_total"), "remembered"),
                        (rate("godwit_router_mx_lookups_total", "outcome"), "looked up: {{outcome}}")], "ops", stacked=True),
    ]),
    Row("Errors", [
        Panel("Failures", [(rate("godwit_router_commit_failures_total"), "commits"),
                           (rate("godwit_router_dead_total"), "records to dead")], "ops"),
        Panel("Routed without knowing", [(rate("godwit_router_pools_unknown_total"), "pool does not exist"),
                                         (rate("godwit_router_lookup_patience_ended_total"), "the DNS was slow")], "ops"),
        rates("DNS", "godwit_dns_questions_total", "type, outcome", "Of all roles."),
    ]),
    Row("Duration", [
        latency("Acceptance to the routed commit", "godwit_router_queued_seconds"),
        latency("Commit", "godwit_router_commit_seconds"),
        Panel("DNS, p95", [(quantile(0.95, "godwit_dns_question_seconds", "type"), "{{type}}")], "s", logarithmic=True),
        Panel("Questions under way", [("sum by (instance) (godwit_dns_questions_under_way)", "{{instance}}")], stacked=True),
    ]),
])

SENDER = Dashboard("sender", "Sender", "Connections, transactions, commits of outcomes.", [
    Row("Rate", [
        rates("Recipients", RECIPIENTS, "result"),
        Panel("Deliveries", [(rate("godwit_sender_deliveries_consumed_total"), "read"),
                             (rate("godwit_sender_ends_committed_total"), "ends and states committed")], "ops"),
        Panel("Connections", [("sum by (instance) (godwit_sender_connections)", "{{instance}}")], stacked=True),
        Panel("Deliveries of a connection", [(f"{rate('godwit_sender_transaction_seconds_count')} / "
                                              f"({rate('godwit_sender_connect_seconds_count')} > 0)", "transactions")]),
        rates("TLS", "godwit_sender_tls_handshakes_total", "version, resumed"),
        Panel("Lanes that wait", [("sum by (reason) (godwit_sender_lanes_waiting)", "{{reason}}")], stacked=True),
    ]),
    Row("Errors", [
        Panel("Connections and handshakes", [(rate("godwit_sender_connection_failures_total"), "connections"),
                                             (rate("godwit_sender_tls_failures_total"), "TLS handshakes")], "ops"),
        Panel("Outcome unknown", [(rate("godwit_sender_outcomes_unknown_total"), "died behind the final dot"),
                                  (rate("godwit_sender_recipients_held_total"), "held for a decision"),
                                  (rate("godwit_sender_held_decided_total", "decision"), "decided: {{decision}}")], "ops"),
        Panel("Commits and records", [(rate("godwit_sender_commits_refused_total"), "commits refused"),
                                      (rate("godwit_sender_records_dead_total"), "records to dead"),
                                      ("sum(godwit_poison_crashes_total)", "in hand at the last crash")], "ops"),
    ]),
    Row("Duration", [
        latency("Connect", "godwit_sender_connect_seconds"),
        latency("TLS handshake", "godwit_sender_tls_handshake_seconds"),
        latency("MAIL to the reply to the final dot", "godwit_sender_transaction_seconds"),
        latency("Commit", "godwit_sender_commit_seconds"),
    ]),
    Row("Memory", [
        Panel("Content loaded", [("godwit_sender_content_bytes / godwit_sender_content_bytes_max", "{{instance}}")],
              "percentunit", "Of sender.content_memory."),
        Panel("Waits for memory", [(rate("godwit_sender_content_waits_total", "instance"), "{{instance}}")], "ops"),
        Panel("Large contents read", [(rate("godwit_sender_bodies_read_total"), "bodies")], "ops"),
    ]),
])

BOUNCER = Dashboard("bouncer", "Bouncer", "What comes back, and who is told.", [
    Row("Rate", [
        rates("Reports", "godwit_bouncer_reports_total", "kind"),
        Panel("Events", [(rate("godwit_bouncer_late_bounces_total"), "late bounces"),
                         (rate("godwit_bouncer_complaints_total"), "complaints")], "ops"),
        Panel("Notifications to submitters", [(rate("godwit_bouncer_notifications_total"), "written")], "ops"),
    ]),
    Row("Errors and duration", [
        Panel("Failures", [(rate("godwit_bouncer_commit_failures_total"), "commits"),
                           (rate("godwit_bouncer_dead_total"), "records to dead")], "ops"),
        Panel("Of nobody", [(rate("godwit_bouncer_unattributed_total"), "name no recipient of ours")], "ops"),
        latency("Commit", "godwit_bouncer_commit_seconds"),
    ]),
])

KAFKA = Dashboard("kafka", "Kafka", "The log on Kafka, as Godwit's processes see it.", [
    Row("Behind", [
        Panel("Offsets not finished", [("max by (group, topic) (godwit_kafka_lag_offsets)", "{{group}} {{topic}}")],
              description="Of the whole cluster, markers of transactions among them."),
        Panel("Oldest record not finished", [("max by (group, topic) (godwit_kafka_oldest_unfinished_seconds)",
                                              "{{group}} {{topic}}")], "s"),
        Panel("Hidden by transactions", [("max by (topic) (godwit_kafka_hidden_offsets)", "{{topic}}")],
              description="High watermark less last stable offset, of the worst partition."),
    ]),
    Row("Commits", [
        latency("Transactions", "godwit_kafka_commit_seconds"),
        rates("Transactions, how they end", "godwit_kafka_transactions_total", "group, outcome"),
        Panel("Lease", [("max by (instance, group) (godwit_kafka_lease_age_seconds)", "{{instance}} {{group}}")], "s",
              "Since the newest acknowledged transaction was sent."),
        Panel("Commits that wait", [("sum by (instance, group) (godwit_kafka_commit_queue_bytes)", "{{instance}} {{group}}")],
              "bytes"),
        Panel("Appends under way", [("sum by (instance) (godwit_kafka_append_queue_records)", "{{instance}} records")]),
        Panel("Appends under way, octets", [("sum by (instance) (godwit_kafka_append_queue_bytes)", "{{instance}}")], "bytes"),
    ]),
    Row("Partitions", [
        Panel("Owned", [("sum by (instance, group) (godwit_kafka_partitions_owned)", "{{instance}} {{group}}")], stacked=True),
        Panel("Being taken", [("sum by (instance, group) (godwit_kafka_partitions_taking)", "{{instance}} {{group}}"),
                              ("sum by (instance, group) (godwit_kafka_rebuild_offsets_left)",
                               "{{instance}} {{group}}: offsets left")]),
        Panel("In danger", [("sum by (group) (godwit_kafka_partitions_halted)", "halted {{group}}"),
                            ("max(godwit_kafka_overdue_partitions)", "mail near its retention"),
                            ("sum by (group) (godwit_kafka_expired_offsets_total)", "offsets expired {{group}}")]),
    ]),
    Row("Clients", [
        rates("Errors", "godwit_kafka_client_errors_total", "error"),
        Panel("Given up after an error", [
            ("sum by (group) (increase(godwit_kafka_transactional_producers_replaced_total[1h]))", "transactions {{group}}"),
            ("sum(increase(godwit_kafka_append_clients_replaced_total[1h]))", "appends")], description="In the last hour."),
    ]),
])

STORAGE = Dashboard("storage", "Embedded log and RocksDB", "Segments, syncs, and the tables of either log.", [
    Row("The embedded log", [
        Panel("Written", [(rate("godwit_log_written_bytes_total", "instance"), "{{instance}}")], "Bps"),
        Panel("Records", [(rate("godwit_log_records_total"), "records"),
                          (rate("godwit_log_table_changes_total"), "changes of tables"),
                          (rate("godwit_log_batches_total"), "batches"),
                          (rate("godwit_log_archived_records_total"), "moved to the archive")], "ops"),
        Panel("One sync", [("sum by (instance) (rate(godwit_log_sync_seconds_total[$__rate_interval])) / "
                            "(sum by (instance) (rate(godwit_log_syncs_total[$__rate_interval])) > 0)", "{{instance}}")], "s"),
        Panel("Segments", [("sum by (instance) (godwit_log_segments_live)", "{{instance}} live"),
                           ("sum by (instance) (godwit_log_segments_free)", "{{instance}} free, reserve included")]),
        Panel("Recycling", [(rate("godwit_log_segments_recycled_total"), "segments used again"),
                            (rate("godwit_log_checkpoints_total"), "checkpoints")], "ops"),
        Panel("Room above the reserve", [("godwit_log_free_bytes", "{{instance}}")], "bytes"),
        Panel("Refused and failed", [(rate("godwit_log_refused_no_space_total"), "no space"),
                                     (rate("godwit_log_refused_unavailable_total"), "takes nothing"),
                                     (rate("godwit_log_sync_failures_total"), "syncs failed"),
                                     (rate("godwit_log_checkpoint_failures_total"), "checkpoints failed")], "ops"),
        Panel("Read from memory", [(f"{rate('godwit_log_tail_cache_hits_total')} / "
                                    f"({rate('godwit_log_tail_cache_hits_total')} + "
                                    f"{rate('godwit_log_tail_cache_misses_total')} > 0)", "of all reads")], "percentunit"),
        Panel("In memory", [("sum by (instance) (godwit_log_tail_cache_bytes)", "{{instance}} newest records")], "bytes"),
        Panel("Not yet synced", [("sum by (instance) (godwit_log_unsynced_batches)", "{{instance}} batches")]),
        Panel("Records not finished", [("sum by (group, topic) (godwit_log_lag_records)", "{{group}} {{topic}}")]),
        Panel("Oldest record not finished", [("max by (group, topic) (godwit_log_oldest_unfinished_seconds)",
                                              "{{group}} {{topic}}")], "s"),
    ]),
    Row("RocksDB", [
        Panel("Files", [("sum by (instance) (godwit_store_files_bytes)", "{{instance}} keys, small values"),
                        ("sum by (instance) (godwit_store_blob_files_bytes)", "{{instance}} large values")], "bytes"),
        Panel("Memory", [("sum by (instance) (godwit_store_memtable_bytes)", "{{instance}} not flushed"),
                         ("sum by (instance) (godwit_store_block_cache_bytes)", "{{instance}} block cache"),
                         ("sum by (instance) (godwit_store_table_readers_bytes)", "{{instance}} indexes, filters")], "bytes"),
        Panel("Keys", [("sum by (instance) (godwit_store_keys)", "{{instance}}")]),
        Panel("Compactions", [("sum by (instance) (godwit_store_compactions)", "{{instance}} compactions"),
                              ("sum by (instance) (godwit_store_flushes)", "{{instance}} flushes")]),
        Panel("To be compacted", [("sum by (instance) (godwit_store_pending_compaction_bytes)", "{{instance}}")], "bytes"),
        Panel("Stalls and errors", [("max by (instance) (godwit_store_writes_stopped)", "{{instance}} stopped"),
                                    ("max by (instance) (godwit_store_delayed_write_bytes_per_second)", "{{instance}} slowed to B/s"),
                                    ("sum by (instance) (increase(godwit_store_background_errors_total[1h]))",
                                     "{{instance}} errors in an hour")]),
    ]),
])

DASHBOARDS = (CLUSTER, DELIVERABILITY, QUEUES, INGRESS, ROUTER, SENDER, BOUNCER, KAFKA, STORAGE)


def files() -> dict[str, str]:
    """Name -> text of each file."""
    return {f"{one.name}.json": json.dumps(one.model(), indent=1, ensure_ascii=False) + "\n" for one in DASHBOARDS}


if __name__ == "__main__":
    for name, text in files().items():
        (HERE / name).write_text(text)
