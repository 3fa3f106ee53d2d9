#include "cli/run/observe_endpoints.h"

#include <utility>

namespace godwit::cli::run {
namespace {

http::Response verdict(const Troubles& troubles) {
  if (troubles.empty()) return http::Response::text("ok\n");
  std::string text;
  for (const auto& trouble : troubles) text += trouble.name + ": " + trouble.problem + "\n";
  return http::Response::text(std::move(text), 503);
}

}  // namespace

std::shared_ptr<const http::Routes> observe_routes(const observe::Metrics& metrics,
                                                   std::function<Troubles()> live,
                                                   std::function<Troubles()> ready) {
  auto routes = std::make_shared<http::Routes>();
  routes->add_now(http::Method::kGet, "/livez",
                  [live = std::move(live)](const http::Request&) { return verdict(live()); });
  routes->add_now(http::Method::kGet, "/readyz",
                  [ready = std::move(ready)](const http::Request&) { return verdict(ready()); });
  routes->add_now(http::Method::kGet, "/metrics", [&metrics](const http::Request&) {
    return http::Response{
        200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, metrics.text()};
  });
  return routes;
}

}  // namespace godwit::cli::run
