#include "cli/metrics/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace godwit::cli::metrics {
namespace {

constexpr std::string_view kIntroduction =
    R"(<!-- Written by `godwit metrics`; tests/observe/test_catalogue.py compares. -->
# Metrics

`GET /metrics` on `observe.listen` answers in the Prometheus text format. Every process has what its roles and its log
count; what a role that does not run here would count is not there. Dashboards are in
[deploy/grafana](../deploy/grafana/README.md), alerts in [deploy/prometheus](../deploy/prometheus/README.md), and what to
do about one in the [runbooks](operations/runbooks.md).

- Times are in seconds, sizes in octets. Counters end in `_total` and start at 0 with the process.
- A label's values are from a closed set, or from the configuration. No addresses or ids, and of recipient domains only
  the few with the most mail: a family takes 4,096 series, and what comes later is counted in one whose label values are
  `other`.
- Counting is an addition to a cell of the calling thread; cells are summed when somebody scrapes.
)";

constexpr auto kParts = std::to_array<Part>({
    {"build", "What runs"},
    {"process", "The process"},
    {"ingress", "Role ingress"},
    {"router", "Role router"},
    {"sender", "Role sender"},
    {"bouncer", "Role bouncer"},
    {"dns", "Questions to the DNS, of all roles"},
    {"log", "The embedded log"},
    {"kafka", "The log on Kafka"},
    {"store", "RocksDB: the tables of either log"},
    {"poison", "Records that killed a process"},
});

constexpr auto kLabels = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"class",
     "in `ingress`: of the reply, `4xx` or `5xx`; in `sender`: of the remote's reply, the "
     "categories of "
     "[bounces](bounces.md), `none` of what was delivered"},
    {"command", "`mail`, `rcpt`, `data`"},
    {"decision", "of an operator about a held recipient: `retry`, `delivered`, `failed`"},
    {"domain", "a recipient domain: of the sender.metric_domains_max with the most mail"},
    {"error", "librdkafka's name of an error, `_TRANSPORT`"},
    {"group", "who reads: `router`, `sender`, `bouncer`"},
    {"kind",
     "of a listener: `relay`, `submission`, `inbound`; of a mail that came back: `bounce`, "
     "`feedback`, "
     "`autoreply`, `unsubscribe`, `other`"},
    {"log", "`embedded`, `kafka`"},
    {"outcome", "of a question to the DNS; of a transaction of Kafka"},
    {"pool", "of the control data"},
    {"priority", "`urgent`, `bulk`"},
    {"provider",
     "a mail provider that Godwit knows (`google`, `microsoft`, ...), a `site` that a static route "
     "names, "
     "or `other`"},
    {"reason",
     "in `sender`: a limit by its name in [shaping](control.md), or `suspended`, `no_source`, "
     "`commit`; in `ingress`: `not_a_proxy`, `malformed`, `timeout`"},
    {"result",
     "of an attempt at a recipient: `delivered`, `deferred`, `bounced`, and `expired`; of a login: "
     "`ok`, "
     "`failed`"},
    {"resumed", "`yes`, `no`: with a session of before"},
    {"source", "an egress source of the control data"},
    {"state", "`waiting`, `active`, `parked`"},
    {"topic", "of [topics](formats/topics.md)"},
    {"type", "`mx`, `a`, `aaaa`, `txt`, `tlsa`"},
    {"version", "of Godwit; of TLS"},
});

std::string row(const observe::Definition& one) {
  return fmt::format(
      "| `{}` | {} | {} | {} |\n", one.name(), observe::type_name(one.type()),
      one.labels().empty() ? "" : fmt::format("`{}`", fmt::join(one.labels(), "` `")), one.help());
}

std::string table(std::string_view title, const std::vector<const observe::Definition*>& of) {
  std::string out =
      fmt::format("\n## {}\n\n| name | type | labels | |\n| --- | --- | --- | --- |\n", title);
  for (const observe::Definition* one : of) out += row(*one);
  return out;
}

std::string labels_table(Definitions definitions) {
  std::set<std::string_view> used;
  for (const observe::Definition* one : definitions)
    used.insert(one->labels().begin(), one->labels().end());
  std::string out = "\n## Labels\n\n| label | values |\n| --- | --- |\n";
  for (const std::string_view label : used)
    out += fmt::format("| `{}` | {} |\n", label, meaning_of_label(label));
  return out;
}

std::string bounds_table(Definitions definitions) {
  std::map<std::vector<double>, std::vector<std::string>> by_bounds;
  for (const observe::Definition* one : definitions) {
    if (!one->bounds().empty())
      by_bounds[{one->bounds().begin(), one->bounds().end()}].push_back(
          fmt::format("`{}`", one->name()));
  }
  std::string out = "\n## Buckets\n\n| bounds | of |\n| --- | --- |\n";
  for (const auto& [bounds, names] : by_bounds)
    out += fmt::format("| {} | {} |\n", fmt::join(bounds, " "), fmt::join(names, ", "));
  return out;
}

}  // namespace

std::span<const Part> parts() {
  return kParts;
}

std::string_view part_of(std::string_view metric) {
  constexpr std::string_view kPrefix = "godwit_";
  if (!metric.starts_with(kPrefix)) return {};
  metric.remove_prefix(kPrefix.size());
  return metric.substr(0, metric.find('_'));
}

std::string_view meaning_of_label(std::string_view label) {
  const auto at = std::ranges::find(kLabels, label, [](const auto& one) { return one.first; });
  return at == kLabels.end() ? std::string_view{} : at->second;
}

std::string as_markdown(Definitions definitions) {
  std::map<std::string_view, std::vector<const observe::Definition*>> by_part;
  for (const observe::Definition* one : definitions) by_part[part_of(one->name())].push_back(one);
  std::string out(kIntroduction);
  for (const Part& part : kParts) {
    if (const auto of = by_part.extract(part.name)) out += table(part.title, of.mapped());
  }
  for (const auto& [part, of] : by_part) out += table(part, of);
  return out + labels_table(definitions) + bounds_table(definitions);
}

std::string as_json(Definitions definitions) {
  std::string out = "[";
  for (const observe::Definition* one : definitions) {
    const nlohmann::ordered_json object{
        {"name", one->name()},
        {"type", observe::type_name(one->type())},
        {"help", one->help()},
        {"labels", std::vector<std::string>(one->labels().begin(), one->labels().end())},
        {"bounds", std::vector<double>(one->bounds().begin(), one->bounds().end())}};
    out += (out.size() > 1 ? ",\n" : "\n") + object.dump();
  }
  return out + "\n]\n";
}

}  // namespace godwit::cli::metrics
