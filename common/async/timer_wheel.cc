#include "common/async/timer_wheel.h"

#include <algorithm>

#include "common/base/check.h"

namespace godwit::async {
namespace {
// The list of timers that advance() is working through; behind the slots.
constexpr std::uint32_t kFiring = TimerWheel::kSlots;
}  // namespace

void TimerWheel::Timer::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(Instant now) : start_(now), heads_(kSlots + 1, nullptr) {}

TimerWheel::~TimerWheel() {
  for (Timer* head : heads_) {
    while (head != nullptr) {
      Timer* next = head->next_;
      unlink(*head);
      head = next;
    }
  }
}

TimerWheel::Tick TimerWheel::tick_of(Instant deadline) const {
  if (deadline <= start_) return 0;
  // Rounded up without adding first, because the deadline may be close to the end of time.
  const Duration since = deadline - start_;
  return static_cast<Tick>(since / kTick) + (since % kTick != Duration::zero() ? 1 : 0);
}

void TimerWheel::set(Timer& timer, Instant deadline) {
  timer.cancel();
  if (deadline == Instant::max()) return;
  timer.deadline_ = deadline;
  link(timer, static_cast<std::uint32_t>(std::max(tick_of(deadline), current_ + 1) % kSlots));
}

std::size_t TimerWheel::advance(Instant now) {
  if (now <= start_) return 0;
  const Tick target = static_cast<Tick>((now - start_) / kTick);
  std::size_t fired = 0;
  while (current_ < target) {
    // From one occupied slot to the next; a jump of more than a turn visits each slot once.
    const std::optional<Instant> upcoming = next();
    const Tick tick = upcoming ? static_cast<Tick>((*upcoming - start_) / kTick) : target + 1;
    if (tick > target) break;
    current_ = tick;
    const auto slot = static_cast<std::uint32_t>(tick % kSlots);
    while (heads_[slot] != nullptr) {
      Timer& timer = *heads_[slot];
      unlink(timer);
      link(timer, kFiring);
    }
    while (heads_[kFiring] != nullptr) {
      Timer& timer = *heads_[kFiring];
      unlink(timer);
      if (tick_of(timer.deadline_) <= target) {
        ++fired;
        timer.expired();  // may be the end of `timer`
      } else {
        link(timer, slot);
      }
    }
  }
  current_ = std::max(current_, target);
  return fired;
}

std::optional<Instant> TimerWheel::next() const {
  if (size_ == 0) return std::nullopt;
  const Tick first = current_ + 1;
  const std::size_t words = occupied_.size();
  const auto word = static_cast<std::size_t>(first % kSlots / 64);
  const unsigned bit = static_cast<unsigned>(first % 64);
  // The first word twice: its upper part first, its lower part after a whole turn.
  for (std::size_t step = 0; step <= words; ++step) {
    std::uint64_t bits = occupied_[(word + step) % words];
    if (step == 0) bits &= ~std::uint64_t{0} << bit;
    if (step == words) bits &= ~(~std::uint64_t{0} << bit);
    if (bits == 0) continue;
    const Tick tick = first - bit + step * 64 + static_cast<Tick>(std::countr_zero(bits));
    return start_ + kTick * static_cast<Duration::rep>(tick);
  }
  return std::nullopt;  // everything set is in the list that advance() is working through
}

void TimerWheel::unlink(Timer& timer) {
  CHECK(timer.wheel_ == this);
  if (timer.previous_ != nullptr) {
    timer.previous_->next_ = timer.next_;
  } else {
    heads_[timer.slot_] = timer.next_;
  }
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  if (heads_[timer.slot_] == nullptr && timer.slot_ != kFiring) {
    occupied_[timer.slot_ / 64] &= ~(std::uint64_t{1} << (timer.slot_ % 64));
  }
  timer.wheel_ = nullptr;
  timer.previous_ = timer.next_ = nullptr;
  --size_;
}

void TimerWheel::link(Timer& timer, std::uint32_t slot) {
  timer.wheel_ = this;
  timer.slot_ = slot;
  timer.previous_ = nullptr;
  timer.next_ = heads_[slot];
  if (timer.next_ != nullptr) timer.next_->previous_ = &timer;
  heads_[slot] = &timer;
  if (slot != kFiring) occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  ++size_;
}

}  // namespace godwit::async
