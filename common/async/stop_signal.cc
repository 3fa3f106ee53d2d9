#include "common/async/stop_signal.h"

#include "common/base/check.h"

namespace godwit::async {

StopSignal::Callback::Callback(StopSignal& signal, std::move_only_function<void()> call)
    : signal_(&signal), call_(std::move(call)) {
  if (signal.requested_) {
    signal_ = nullptr;
    call_();
    return;
  }
  next_ = signal.first_;
  if (next_ != nullptr) next_->previous_ = this;
  signal.first_ = this;
}

StopSignal::Callback::~Callback() {
  unlink();
}

void StopSignal::Callback::unlink() {
  if (signal_ == nullptr) return;
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    signal_->first_ = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
  signal_ = nullptr;
}

StopSignal::~StopSignal() {
  CHECK(first_ == nullptr, "a stop signal was destroyed in use");
}

void StopSignal::request() {
  requested_ = true;
  // A callback may end its owner and with it other registrations: always the first that is left.
  while (Callback* callback = first_) {
    callback->unlink();
    callback->call_();
  }
}

}  // namespace godwit::async
