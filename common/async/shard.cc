#include "common/async/shard.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <string>

#include "common/base/check.h"

namespace godwit::async {
namespace {

thread_local Shard* current_shard = nullptr;

class CurrentShard {
 public:
  explicit CurrentShard(Shard* shard) : outer_(std::exchange(current_shard, shard)) {}
  ~CurrentShard() { current_shard = outer_; }
  CurrentShard(const CurrentShard&) = delete;
  CurrentShard& operator=(const CurrentShard&) = delete;

 private:
  Shard* outer_;
};

std::size_t usable_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return static_cast<std::size_t>(std::max(CPU_COUNT(&cpus), 1));
}

// A task that throws broke the rule that errors are Results; the text says where to look.
void fail_on(const std::exception_ptr& thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    CHECK(false, "an exception left a task: {}", error.what());
  } catch (...) {
    CHECK(false, "an exception of unknown type left a task");
  }
}

}  // namespace

Shard::Shard(std::size_t index, const Clock& clock)
    : index_(index),
      clock_(clock),
      real_time_(&clock == &system_clock()),
      timers_(clock.instant()) {}

Shard::~Shard() = default;

Shard& Shard::current() {
  CHECK(current_shard != nullptr, "this thread runs no shard");
  return *current_shard;
}

bool Shard::is_current(const Shard* shard) {
  return current_shard == shard;
}

void Shard::post(std::move_only_function<void()> work) {
  asio::post(context_, [work = std::move(work)]() mutable { work(); });
}

bool Shard::spawn(Task<void> task, Gate& gate) {
  Gate::Pass pass = gate.try_enter();
  if (!pass) return false;
  asio::co_spawn(executor(), std::move(task),
                 [pass = std::move(pass)](const std::exception_ptr& thrown) { fail_on(thrown); });
  return true;
}

void Shard::set_timer(TimerWheel::Timer& timer, Instant deadline) {
  timers_.set(timer, deadline);
  if (deadline < armed_) arm();
}

void Shard::arm() {
  if (!real_time_) return;
  const std::optional<Instant> next = timers_.next();
  if (!next || *next >= armed_) return;
  armed_ = *next;
  kernel_timer_.expires_at(armed_);
  kernel_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) fire();
  });
}

void Shard::fire() {
  armed_ = Instant::max();
  timers_.advance(now());
  arm();
}

void Shard::run() {
  const CurrentShard scope(this);
  context_.run();
}

void Shard::stop() {
  context_.stop();
}

std::size_t Shard::poll() {
  const CurrentShard scope(this);
  const std::size_t fired = timers_.advance(now());
  return fired + context_.poll();
}

std::size_t Shard::poll_one() {
  const CurrentShard scope(this);
  const std::size_t fired = timers_.advance(now());
  return fired > 0 ? fired : context_.poll_one();
}

Shards::Shards(std::size_t count, const Clock& clock) {
  if (count == 0) count = usable_cpus();
  for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(i, clock));
}

Shards::~Shards() {
  stop();
}

void Shards::start() {
  CHECK(threads_.empty(), "the shards run already");
  for (const auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] {
      pthread_setname_np(pthread_self(), ("shard-" + std::to_string(shard.index())).c_str());
      shard.run();
    });
  }
}

void Shards::stop() {
  for (const auto& shard : shards_) shard->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace godwit::async
