#include "router/fake_held_resolver.h"

#include <optional>

namespace godwit::router {

void HeldResolver::answer(const std::string& domain) {
  auto question = held_.extract(domain);
  if (question.empty()) return;
  for (const auto& event : question.mapped().waiting) event->notify();
}

async::Task<net::DnsAnswer<net::MxRecord>> HeldResolver::ask(std::string domain,
                                                             async::StopSignal* stop) {
  asked_.push_back(domain);
  if (const auto held = held_.find(domain); held != held_.end()) {
    const auto event = std::make_shared<async::Event>();
    held->second.waiting.push_back(event);
    std::optional<async::StopSignal::Callback> on_stop;
    if (stop != nullptr) on_stop.emplace(*stop, [event] { event->notify(); });
    co_await event->wait();
  }
  if (stop != nullptr) co_return co_await answers.mx_until(std::move(domain), *stop);
  co_return co_await answers.mx(std::move(domain));
}

}  // namespace godwit::router
