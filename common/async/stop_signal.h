#pragma once

#include <functional>
#include <utility>

namespace godwit::async {

// How stop() ends what is under way: each session registers how it is ended (close the stream, wake
// the sleeper), request() calls them all, the gate waits until they are out.
//
//     StopSignal::Callback on_stop(signal, [&stream] { stream.close(); });
//
// Threads  belongs to one shard: request() by post() from elsewhere. Callbacks run inside it.
class StopSignal {
 public:
  class Callback {
   public:
    // Registers; when the request was made before, `call` runs at once.
    Callback(StopSignal& signal, std::move_only_function<void()> call);
    ~Callback();
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;

   private:
    friend class StopSignal;
    void unlink();
    StopSignal* signal_;
    std::move_only_function<void()> call_;
    Callback* previous_ = nullptr;
    Callback* next_ = nullptr;
  };

  StopSignal() = default;
  ~StopSignal();  // no callback may be registered any more
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Calls every callback once. Idempotent.
  void request();
  [[nodiscard]] bool requested() const { return requested_; }

 private:
  bool requested_ = false;
  Callback* first_ = nullptr;
};

}  // namespace godwit::async
