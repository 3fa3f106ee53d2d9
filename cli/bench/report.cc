#include "cli/bench/report.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace godwit::cli::bench {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds(std::chrono::microseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

std::array<std::pair<const char*, const Histogram*>, 5> stages_of(const SourceReport& report) {
  return {{{"connect", &report.connect},
           {"mail", &report.mail},
           {"rcpt", &report.rcpt},
           {"data", &report.data},
           {"dot", &report.dot}}};
}

double cpu_per_message(const SourceReport& report) {
  return report.accepted == 0 ? 0
                              : milliseconds(report.cpu_user + report.cpu_system) /
                                    static_cast<double>(report.accepted);
}

Json latency_json(const Histogram& histogram) {
  return {{"count", histogram.count()},
          {"mean_ms", milliseconds(histogram.mean())},
          {"p50_ms", milliseconds(histogram.percentile(0.5))},
          {"p90_ms", milliseconds(histogram.percentile(0.9))},
          {"p99_ms", milliseconds(histogram.percentile(0.99))},
          {"p999_ms", milliseconds(histogram.percentile(0.999))},
          {"max_ms", milliseconds(histogram.max())}};
}

}  // namespace

std::string to_table(const SourceReport& report) {
  const double seconds = std::chrono::duration<double>(report.elapsed).count();
  std::string text = fmt::format(
      "{} messages accepted in {:.2f} s: {:.0f}/s, {:.1f} MB/s\n"
      "{} refused, {} unknown (cut between dot and reply), {} cut before the dot\n"
      "{} recipients accepted, {} refused; {} connections, {} failed\n"
      "CPU of the source: {:.2f} s user, {:.2f} s system, {:.4f} ms a message\n",
      report.accepted, seconds, report.messages_per_second(),
      seconds > 0 ? static_cast<double>(report.bytes) / seconds / 1e6 : 0, report.refused,
      report.unknown, report.cut, report.recipients_accepted, report.recipients_refused,
      report.connections, report.connections_failed, milliseconds(report.cpu_user) / 1000,
      milliseconds(report.cpu_system) / 1000, cpu_per_message(report));
  text += fmt::format("{:<10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "ms", "count", "mean",
                      "p50", "p90", "p99", "p99.9", "max");
  for (const auto& [name, histogram] : stages_of(report)) {
    if (histogram->count() == 0) continue;
    text += fmt::format("{:<10}{:>10}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n",
                        name, histogram->count(), milliseconds(histogram->mean()),
                        milliseconds(histogram->percentile(0.5)),
                        milliseconds(histogram->percentile(0.9)),
                        milliseconds(histogram->percentile(0.99)),
                        milliseconds(histogram->percentile(0.999)), milliseconds(histogram->max()));
  }
  for (const auto& [reason, count] : report.refusals)
    text += fmt::format("{:>10} x {}\n", count, reason);
  if (report.gave_up) text += "Gave up: no connection succeeded for too long.\n";
  return text;
}

std::string to_json(const SourceReport& report) {
  Json json = {{"accepted", report.accepted},
               {"refused", report.refused},
               {"unknown", report.unknown},
               {"cut", report.cut},
               {"recipients_accepted", report.recipients_accepted},
               {"recipients_refused", report.recipients_refused},
               {"bytes", report.bytes},
               {"connections", report.connections},
               {"connections_failed", report.connections_failed},
               {"elapsed_s", std::chrono::duration<double>(report.elapsed).count()},
               {"messages_per_second", report.messages_per_second()},
               {"cpu_user_s", milliseconds(report.cpu_user) / 1000},
               {"cpu_system_s", milliseconds(report.cpu_system) / 1000},
               {"cpu_ms_per_message", cpu_per_message(report)},
               {"gave_up", report.gave_up},
               {"refusals", report.refusals}};
  for (const auto& [name, histogram] : stages_of(report))
    json["latency"][name] = latency_json(*histogram);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_table(const SinkCounters& counters) {
  return fmt::format(
      "{} connections ({} with TLS, {} dropped by the script)\n"
      "{} messages accepted, {} refused at the dot, {} dropped at the dot; {} bytes\n"
      "{} recipients accepted, {} refused\n",
      counters.connections, counters.tls_connections, counters.connections_dropped,
      counters.messages_accepted, counters.messages_refused, counters.messages_dropped,
      counters.bytes, counters.recipients_accepted, counters.recipients_refused);
}

std::string to_json(const SinkCounters& counters) {
  return Json{{"connections", counters.connections},
              {"tls_connections", counters.tls_connections},
              {"connections_dropped", counters.connections_dropped},
              {"messages_accepted", counters.messages_accepted},
              {"messages_refused", counters.messages_refused},
              {"messages_dropped", counters.messages_dropped},
              {"recipients_accepted", counters.recipients_accepted},
              {"recipients_refused", counters.recipients_refused},
              {"bytes", counters.bytes}}
      .dump();
}

std::string listening_json(const net::Address& address, TlsMode tls) {
  static constexpr std::array<const char*, 3> kNames = {"none", "starttls", "implicit"};
  return Json{{"listening", address.to_text()},
              {"port", address.port},
              {"tls", kNames.at(static_cast<std::size_t>(tls))}}
      .dump();
}

}  // namespace godwit::cli::bench
