#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "common/admin/errc.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::admin {

// Waits on a thread of the admin server for what the log answers. `begin` is given the completion.
// Errors: the log's; kDeadline: whether it was written is not known.
template <class Begin>
[[nodiscard]] Result<log::Written> await_log(Begin begin, std::chrono::milliseconds patience) {
  auto promise = std::make_shared<std::promise<Result<log::Written>>>();
  auto answer = promise->get_future();
  begin(log::WriteDone(
      [promise](Result<log::Written> written) { promise->set_value(std::move(written)); }));
  if (answer.wait_for(patience) != std::future_status::ready)
    return fail(Errc::kDeadline, "the log has not answered");
  return answer.get();
}

}  // namespace godwit::admin
