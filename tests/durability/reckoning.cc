#include "tests/durability/reckoning.h"

#include <fmt/format.h>

#include <utility>

#include "common/audit/audit.h"
#include "common/record/event_view.h"
#include "common/record/records.h"

namespace godwit::durability {
namespace {

constexpr std::size_t kComplaintsMax = 20;

v1::EventType end_of(Fate fate) {
  switch (fate) {
    case Fate::kTaken:
    case Fate::kDeferred: return v1::DELIVERED;
    case Fate::kRefused: return v1::BOUNCED;
    case Fate::kNever: return v1::EXPIRED;
  }
  return {};
}

class Reckoner {
 public:
  explicit Reckoner(log::Log& log) : log_(log) {}

  Reckoning run(const std::set<std::string>& promised, const Destination& destination,
                const Reckoning& before) {
    audit();
    read_accepted(log::Topic::kAcceptedUrgent);
    read_accepted(log::Topic::kAccepted);
    read_events();
    const auto taken = destination.taken();
    for (const std::string& address : promised) {
      if (result_.accepted.contains(address)) continue;
      ++result_.lost;
      complain(address, "was acknowledged and is gone");
    }
    for (const auto& [address, type] : result_.ended) {
      if (type != end_of(fate_of(address))) {
        complain(address, fmt::format("ended as {}", record::event_type_name(type)));
      }
      if (type == v1::DELIVERED && !taken.contains(address)) {
        complain(address, "is delivered, and nobody has the mail");
      }
    }
    for (const std::string& address : destination.spoiled()) {
      complain(address, "was sent a content that is not his");
    }
    for (const auto& [address, type] : before.ended) {
      if (!result_.ended.contains(address)) complain(address, "had ended, and has not any more");
    }
    return std::move(result_);
  }

 private:
  void complain(std::string_view who, std::string_view what) {
    if (result_.complaints.size() == kComplaintsMax) return;
    result_.complaints.push_back(fmt::format("{} {}", who, what));
  }
  void check(std::string_view what, const Result<void>& done) {
    if (!done) complain(what, done.error().to_string());
  }

  void audit() {
    auto report = audit::audit(log_, {});
    if (!report) return complain("audit", report.error().to_string());
    result_.report = *std::move(report);
    const audit::Report& found = result_.report;
    if (!found.clean() || found.held > 0 || found.unreadable_records > 0 || found.outside > 0) {
      complain("audit:", audit::to_table(found));
    }
  }

  void read_accepted(log::Topic topic) {
    check("accepted", log_.history(topic, {}, [&](const log::HistoryRecord& at) {
      const auto message = record::decode_message(at.record.value);
      if (!message) return true;  // the audit has said it
      for (const auto& recipient : message->envelope.recipients()) {
        result_.accepted.insert(recipient.address());
      }
      return true;
    }));
  }

  void read_events() {
    check("events", log_.history(log::Topic::kEvents, {}, [&](const log::HistoryRecord& at) {
      const auto event = record::decode_event(at.record.value);
      if (event && record::is_terminal(event->head)) {
        result_.ended[event->addresses.recipient()] = event->head.type();
      }
      return true;
    }));
  }

  log::Log& log_;
  Reckoning result_;
};

}  // namespace

Reckoning reckon(log::Log& log, const std::set<std::string>& promised,
                 const Destination& destination, const Reckoning& before) {
  return Reckoner(log).run(promised, destination, before);
}

std::map<std::string, v1::EventType> ended_now(log::Log& log) {
  std::map<std::string, v1::EventType> ended;
  (void)log.history(log::Topic::kEvents, {}, [&](const log::HistoryRecord& at) {
    const auto event = record::decode_event(at.record.value);
    if (event && record::is_terminal(event->head)) {
      ended[event->addresses.recipient()] = event->head.type();
    }
    return true;
  });
  return ended;
}

Copies count_copies(const std::map<std::string, std::vector<int>>& taken,
                    const std::vector<std::set<std::string>>& ended_before) {
  Copies copies;
  for (const auto& [address, lives] : taken) {
    for (std::size_t i = 1; i < lives.size(); ++i) {
      const int life = lives[i];
      if (lives[i - 1] == life) {
        copies.complaints.push_back(fmt::format("{} was sent twice in life {}", address, life));
      } else if (ended_before.at(static_cast<std::size_t>(life)).contains(address)) {
        copies.complaints.push_back(
            fmt::format("{} had ended before life {}, and was sent again", address, life));
      } else {
        ++copies.allowed;
      }
    }
  }
  return copies;
}

}  // namespace godwit::durability
