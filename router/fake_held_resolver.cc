#include "router/fake_held_resolver.h"

namespace godwit::router {

void HeldResolver::answer(const std::string& domain) {
  auto question = held_.extract(domain);
  if (question.empty()) return;
  for (const auto& event : question.mapped().waiting) event->notify();
}

async::Task<net::DnsAnswer<net::MxRecord>> HeldResolver::mx(std::string domain) {
  asked_.push_back(domain);
  if (const auto held = held_.find(domain); held != held_.end()) {
    const auto event = std::make_shared<async::Event>();
    held->second.waiting.push_back(event);
    co_await event->wait();
  }
  co_return co_await answers.mx(std::move(domain));
}

}  // namespace godwit::router
