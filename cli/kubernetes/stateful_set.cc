#include "cli/kubernetes/stateful_set.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

namespace godwit::cli::kubernetes {
namespace {

using Json = nlohmann::json;

// What is not there has the default of the API.
std::optional<std::uint64_t> number(const Json& object, const char* key, std::uint64_t otherwise) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if (!found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

}  // namespace

std::optional<Member> member_of(std::string_view pod) {
  const std::size_t dash = pod.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  Member member{.set = std::string(pod.substr(0, dash))};
  const char* const end = pod.data() + pod.size();
  const auto [at, error] = std::from_chars(pod.data() + dash + 1, end, member.ordinal);
  if (error != std::errc{} || at != end) return std::nullopt;
  return member;
}

Result<Ordinals> ordinals_of(std::string_view stateful_set) {
  const auto none = [](const char* what) {
    return fail(std::make_error_code(std::errc::invalid_argument), what);
  };
  const Json object = Json::parse(stateful_set, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || object.value("kind", Json()) != "StatefulSet")
    return none("the API server's answer is no StatefulSet");
  const auto spec = object.find("spec");
  if (spec == object.end() || !spec->is_object()) return none("the StatefulSet has no spec");
  const auto replicas = number(*spec, "replicas", 1);
  std::optional<std::uint64_t> start = 0;
  if (const auto ordinals = spec->find("ordinals"); ordinals != spec->end())
    start = ordinals->is_object() ? number(*ordinals, "start", 0) : std::nullopt;
  if (!replicas || !start) return none("the StatefulSet has no number of replicas");
  return Ordinals{.start = *start, .replicas = *replicas};
}

}  // namespace godwit::cli::kubernetes
