#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/commands/command.h"
#include "common/record/records.h"
#include "sender/event_record.h"
#include "sender/notice.h"
#include "sender/outcome.h"
#include "sender/queued_delivery.h"
#include "sender/retry_schedule.h"

namespace godwit::sender {

// What one attempt said about one recipient.
struct RecipientResult {
  Verdict verdict = Verdict::kDeferred;
  v1::Reply reply;
  std::string category;
};

// What one attempt came to: a result for every recipient of the delivery, in the order of its
// envelope.
struct AttemptReport {
  std::vector<RecipientResult> recipients;
  SourceName source;
  std::string host;     // empty: no host was reached
  std::string address;  // "192.0.2.1", with the port when it is not 25
  bool dsn = false;     // the host tells of success itself (RFC 3461)
  std::string tls;      // "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: in the clear
};

// Turns reports into events and the state that goes on: the only place where a recipient ends.
//
//   delivered, bounced   its terminal event; out of the envelope
//   deferred, unknown    a `deferred` event (outcome: unknown); stays, attempts + 1, due by the
//                        schedule
//   unknown, to be held  the same with `held`; stays, and is not offered again. A delivery in which all are held
//                        is due when it expires
//   held before          stays as it was, without an event
//   an operator decided  `delivered`, or `bounced`; or is offered again
//   a command cancels    a `cancelled` event; held ones stay
//   past its expiry      an `expired` event, without an attempt
//   who wants to know    the event carries what the notification needs (sender/notice.h)
//
// Threads   pure but for `random`
class Settlement {
 public:
  struct Context {
    const RetrySchedule& schedule;
    Random& random;
    const std::string& node;
    Timestamp now;
    NoticeRules notices;
    bool hold_unknown = false;  // the tenant's policy
  };

  // The delivery's record is changed; finished() says whether nobody is left in it.
  [[nodiscard]] static Settlement of_attempt(QueuedDelivery& delivery, const AttemptReport& report,
                                             const Context& context);
  [[nodiscard]] static Settlement of_expiry(QueuedDelivery& delivery, const Context& context);
  // Everybody who is not held ends as cancelled; who is held waits for the decision about the attempt that was made.
  [[nodiscard]] static Settlement of_cancel(QueuedDelivery& delivery,
                                            const commands::Command& command,
                                            const Context& context);
  // What an operator says about those recipients of `about` that are held here since the same attempt.
  [[nodiscard]] static Settlement of_decision(QueuedDelivery& delivery,
                                              const v1::Decision& decision,
                                              const v1::Envelope& about, const Context& context);

  // What followed at the same moment; how many events it has.
  std::uint32_t add(Settlement later);

  [[nodiscard]] bool finished() const { return finished_; }
  // Recipients it was about: of a decision those it found, of an attempt those it has put aside.
  [[nodiscard]] std::uint32_t held() const { return held_; }
  [[nodiscard]] const std::vector<EventRecord>& events() const { return events_; }
  [[nodiscard]] std::vector<EventRecord>& events() { return events_; }

 private:
  std::vector<EventRecord> events_;
  bool finished_ = false;
  std::uint32_t held_ = 0;
};

// Nobody in it may be offered: each waits for an operator.
[[nodiscard]] bool all_held(const v1::Envelope& envelope);

}  // namespace godwit::sender
