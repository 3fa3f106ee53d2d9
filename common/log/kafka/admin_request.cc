#include "common/log/kafka/admin_request.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>

#include "common/base/check.h"
#include "common/log/errc.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;
using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;

bool passes(int code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:  // of a topic that was just made
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE: return true;
    default: return false;
  }
}

// `limit` is librdkafka's own, `patience` is ours.
Answer<AdminEvent> ask_within(rd_kafka_t* client, int operation, std::string_view what,
                              std::chrono::milliseconds limit, std::chrono::milliseconds patience,
                              const AdminQuestion& request) {
  const Queue queue(rd_kafka_queue_new(client), rd_kafka_queue_destroy);
  const Options options(
      rd_kafka_AdminOptions_new(client, static_cast<rd_kafka_admin_op_t>(operation)),
      rd_kafka_AdminOptions_destroy);
  std::array<char, 128> problem{};
  CHECK(rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(limit.count()),
                                                  problem.data(), problem.size()) == 0,
        "{}", problem.data());
  request(options.get(), queue.get());
  AdminEvent event(rd_kafka_queue_poll(queue.get(), static_cast<int>(patience.count())),
                   rd_kafka_event_destroy);
  if (!event) {
    auto refusal = refused(what, RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer");
    refusal.error().unanswered = true;
    return refusal;
  }
  if (const auto code = rd_kafka_event_error(event.get())) {
    return refused(what, code, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

}  // namespace

std::unexpected<Refusal> refused(std::string_view what, int code, const char* text) {
  const char* reason =
      text != nullptr ? text : rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code));
  return std::unexpected(Refusal{.error = {Errc::kUnavailable, fmt::format("{}: {}", what, reason)},
                                 .passes = passes(code)});
}

Answer<AdminEvent> ask(rd_kafka_t* client, int operation, std::string_view what,
                       const AdminQuestion& request) {
  return ask_within(client, operation, what, kAdminTimeout, kAdminTimeout + 1s, request);
}

Answer<AdminEvent> ask_coordinator(Handle& client, int operation, std::string_view what,
                                   std::chrono::milliseconds patience,
                                   const AdminQuestion& request) {
  constexpr std::chrono::milliseconds kNever = 1h;  // the longest that librdkafka takes
  auto answer = ask_within(client.get(), operation, what, kNever, patience, request);
  if (!answer && answer.error().unanswered) client.reset();
  return answer;
}

}  // namespace godwit::log
