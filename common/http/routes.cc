#include "common/http/routes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/check.h"

namespace godwit::http {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(path.starts_with('/') ? 1 : 0);
  while (true) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}
bool is_rest(std::string_view segment) {
  return is_parameter(segment) && segment.ends_with("...}");
}

// Literal before parameter before rest, segment by segment.
int rank(std::string_view segment) {
  return is_rest(segment) ? 2 : is_parameter(segment) ? 1 : 0;
}

std::optional<Parameters> parameters_of(const std::vector<std::string>& pattern,
                                        const std::vector<std::string_view>& segments) {
  Parameters parameters;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (i >= segments.size()) return std::nullopt;
    const std::string& expected = pattern[i];
    if (is_rest(expected)) {
      std::string rest;
      for (std::size_t j = i; j < segments.size(); ++j) {
        rest += (j == i ? "" : "/") + percent_decode(segments[j], false).value_or("");
      }
      parameters.emplace(expected.substr(1, expected.size() - 5), std::move(rest));
      return parameters;
    }
    auto decoded = percent_decode(segments[i], false);
    if (!decoded) return std::nullopt;
    if (is_parameter(expected)) {
      if (decoded->empty()) return std::nullopt;
      parameters.emplace(expected.substr(1, expected.size() - 2), *std::move(decoded));
    } else if (*decoded != expected) {
      return std::nullopt;
    }
  }
  return pattern.size() == segments.size() ? std::optional(std::move(parameters)) : std::nullopt;
}

async::Task<Response> answer_now(const std::function<Response(const Request&)>& handler,
                                 Request request) {
  co_return handler(request);
}

}  // namespace

void Routes::add(Method method, std::string_view pattern, Handler handler) {
  CHECK(pattern.starts_with('/'), "the pattern {} is no path", pattern);
  Route route{method, {}, std::move(handler)};
  for (const std::string_view segment : split(pattern)) route.segments.emplace_back(segment);
  const auto before = [](const Route& a, const Route& b) {
    return std::ranges::lexicographical_compare(a.segments, b.segments, {}, rank, rank);
  };
  routes_.insert(std::ranges::upper_bound(routes_, route, before), std::move(route));
}

void Routes::add_now(Method method, std::string_view pattern,
                     std::function<Response(const Request&)> handler) {
  // The coroutine borrows the handler from the route, which outlives every request.
  auto shared = std::make_shared<const std::function<Response(const Request&)>>(std::move(handler));
  add(method, pattern,
      [shared](Request request) { return answer_now(*shared, std::move(request)); });
}

Routes::Match Routes::match(Method method, std::string_view target) const {
  const std::vector<std::string_view> segments = split(target);
  Match match;
  for (const Route& route : routes_) {
    auto parameters = parameters_of(route.segments, segments);
    if (!parameters) continue;
    if (route.method == method) return {&route.handler, *std::move(parameters), {}};
    match.allowed.push_back(route.method);
  }
  return match;
}

}  // namespace godwit::http
