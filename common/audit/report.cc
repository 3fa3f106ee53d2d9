#include "common/audit/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace godwit::audit {
namespace {

std::string_view kind_name(Exception::Kind kind) {
  return kind == Exception::Kind::kMissing ? "missing" : "doubled";
}

void row(std::string& out, std::string_view name, std::uint64_t count, std::string_view note = {}) {
  out += fmt::format("  {:<18}{:>14}{}{}\n", name, count, note.empty() ? "" : "  ", note);
}

// Lines that most audits do not need.
void row_if_any(std::string& out, std::string_view name, std::uint64_t count,
                std::string_view note) {
  if (count > 0) row(out, name, count, note);
}

void exceptions_to_table(std::string& out, const Report& report) {
  for (const Exception& exception : report.exceptions) {
    out += fmt::format("  {}  {}", kind_name(exception.kind), exception.recipient.to_text());
    const char* between = "  ";
    for (const Exception::Seen& seen : exception.endings) {
      out += fmt::format("{}{} at attempt {}", between, ending_name(seen.ending), seen.attempt);
      between = ", ";
    }
    out += '\n';
  }
  if (report.exceptions_total() > report.exceptions.size()) {
    out += fmt::format("  and {} more\n", report.exceptions_total() - report.exceptions.size());
  }
}

}  // namespace

std::string_view ending_name(Ending ending) {
  switch (ending) {
    case Ending::kDelivered: return "delivered";
    case Ending::kBounced: return "bounced";
    case Ending::kExpired: return "expired";
    case Ending::kSuppressed: return "suppressed";
    case Ending::kCancelled: return "cancelled";
  }
  return "unknown";
}

std::string to_table(const Report& report) {
  std::string out;
  row(out, "accepted", report.accepted, "recipients");
  out += '\n';
  row(out, "delivered", report.delivered);
  row(out, "bounced", report.bounced);
  row(out, "expired", report.expired);
  row(out, "suppressed", report.suppressed);
  row(out, "cancelled", report.cancelled);
  row(out, "pending", report.pending_unrouted + report.pending_outbound + report.pending_parked,
      fmt::format("{} not routed, {} to be tried, {} parked", report.pending_unrouted,
                  report.pending_outbound, report.pending_parked));
  row(out, "held", report.held,
      report.held > 0 ? "see `godwit ctl dead` and `godwit ctl held`" : "");
  row(out, "missing", report.missing);
  row(out, "doubled", report.doubled,
      report.doubled_outside > 0
          ? fmt::format("{} of them accepted before the window", report.doubled_outside)
          : "");
  const std::size_t notes = out.size();
  row_if_any(out, "late bounces", report.late_bounces, "after delivered: reports that came later");
  row_if_any(out, "repeated events", report.repeated_records,
             "the same ending written again: counted once");
  row_if_any(out, "ended and queued", report.ended_and_queued,
             "ended but still in a queue: should pass with the next commit");
  row_if_any(out, "outside", report.outside, "accepted before what the log still keeps");
  row_if_any(out, "unreadable", report.unreadable_records, "records");
  if (out.size() > notes) out.insert(notes, "\n");
  out += '\n';
  if (report.clean()) {
    out += "Every accepted recipient is accounted for.\n";
    return out;
  }
  out += fmt::format("NOT CLEAN: {} missing, {} doubled.\n", report.missing, report.doubled);
  exceptions_to_table(out, report);
  out += "`godwit events --message ID` shows what happened to one; docs/audit.md, what to do.\n";
  return out;
}

std::string to_json(const Report& report) {
  nlohmann::ordered_json json{
      {"clean", report.clean()},
      {"accepted", report.accepted},
      {"delivered", report.delivered},
      {"bounced", report.bounced},
      {"expired", report.expired},
      {"suppressed", report.suppressed},
      {"cancelled", report.cancelled},
      {"pending", report.pending_unrouted + report.pending_outbound + report.pending_parked},
      {"pending_unrouted", report.pending_unrouted},
      {"pending_outbound", report.pending_outbound},
      {"pending_parked", report.pending_parked},
      {"held", report.held},
      {"missing", report.missing},
      {"doubled", report.doubled},
      {"doubled_outside", report.doubled_outside},
      {"repeated_records", report.repeated_records},
      {"late_bounces", report.late_bounces},
      {"ended_and_queued", report.ended_and_queued},
      {"outside", report.outside},
      {"unreadable_records", report.unreadable_records},
      {"passes", report.passes},
      {"duration_ms", report.duration_ms},
      {"exceptions_total", report.exceptions_total()},
  };
  auto& exceptions = json["exceptions"] = nlohmann::ordered_json::array();
  for (const Exception& exception : report.exceptions) {
    nlohmann::ordered_json item{{"kind", kind_name(exception.kind)},
                                {"recipient_id", exception.recipient.to_text()}};
    auto& endings = item["endings"] = nlohmann::ordered_json::array();
    for (const Exception::Seen& seen : exception.endings) {
      endings.push_back({{"type", ending_name(seen.ending)}, {"attempt", seen.attempt}});
    }
    exceptions.push_back(std::move(item));
  }
  return json.dump() + '\n';
}

}  // namespace godwit::audit
