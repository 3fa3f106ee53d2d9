#pragma once

#include <chrono>
#include <concepts>
#include <expected>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

#include "common/base/result.h"
#include "common/log/kafka/client.h"

// librdkafka's, which our headers do not include.
struct rd_kafka_op_s;
struct rd_kafka_queue_s;
struct rd_kafka_AdminOptions_s;

namespace godwit::log {

// Why a request to the brokers brought nothing, and whether the same request may bring it later: a leader
// or a coordinator that is being elected, a topic that a broker has not heard of, a transaction that is
// about to end.
struct Refusal {
  Error error;
  bool passes = false;
  bool unanswered = false;  // and may still be
};
template <typename T>
using Answer = std::expected<T, Refusal>;

// `code` is a rd_kafka_resp_err_t; without `text` its own name is the reason. The error is kUnavailable.
[[nodiscard]] std::unexpected<Refusal> refused(std::string_view what, int code,
                                               const char* text = nullptr);

using AdminEvent = std::unique_ptr<rd_kafka_op_s, void (*)(rd_kafka_op_s*)>;
// `operation` is a rd_kafka_admin_op_t; `request` sends it with these options, to be answered on this queue.
// Blocks for kAdminTimeout at most.
constexpr std::chrono::milliseconds kAdminTimeout{10'000};
using AdminQuestion = std::function<void(rd_kafka_AdminOptions_s*, rd_kafka_queue_s*)>;
[[nodiscard]] Answer<AdminEvent> ask(rd_kafka_s* client, int operation, std::string_view what,
                                     const AdminQuestion& request);

// The same for a question that goes to the coordinator of a group. Librdkafka 2.15.1 ends the process when such a
// request has come to its time limit before its coordinator could be reached, and then can be (rdkafka_coord.c answers
// a request that rdkafka_admin.c has forgotten). So it gets no limit that it could come to, and a client that was not
// answered within `patience` is destroyed together with its question: `client` is empty then.
[[nodiscard]] Answer<AdminEvent> ask_coordinator(Handle& client, int operation,
                                                 std::string_view what,
                                                 std::chrono::milliseconds patience,
                                                 const AdminQuestion& request);

// Calls `attempt` until it brings something, is refused for good, or has been refused for `patience`.
template <typename Attempt>
  requires requires(Attempt a) {
    { a().error() } -> std::convertible_to<Refusal>;
  }
[[nodiscard]] auto with_patience(std::chrono::milliseconds patience, Attempt attempt)
    -> Result<typename std::invoke_result_t<Attempt>::value_type> {
  constexpr std::chrono::milliseconds kPause{20};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    auto answer = attempt();
    if (answer) return *std::move(answer);
    if (!answer.error().passes || std::chrono::steady_clock::now() > deadline) {
      return fail(std::move(answer).error().error);
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace godwit::log
