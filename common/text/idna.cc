#include "common/text/idna.h"

#include <idn2.h>

#include <algorithm>
#include <array>
#include <memory>

#include "common/text/errc.h"
#include "common/text/escape.h"
#include "common/text/octet_set.h"

namespace godwit::text {
namespace {

constexpr std::size_t kInputBytesMax = 1024;

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// RFC 1123 s2.1, and the underscore.
constexpr auto kHostOctets = OctetSet().with('a', 'z').with('0', '9').with("-_");

// `name` is lower case ASCII. Empty: fine; else what is wrong.
std::string_view problem_of(std::string_view name) {
  if (name.empty()) return "empty";
  if (name.size() > kDomainBytesMax) return "longer than 253 octets";
  while (true) {
    const std::size_t label = kHostOctets.span(name);
    const bool last = label == name.size();
    if (!last && name[label] != '.') return "a character that no host name has";
    if (label == 0) return "an empty label";
    if (label > kLabelBytesMax) return "a label longer than 63 octets";
    if (name.front() == '-' || name[label - 1] == '-') return "a label with a hyphen at its end";
    if (last) return {};
    name.remove_prefix(label + 1);
  }
}

// U-labels to A-labels by IDNA 2008. libidn2 wants well-formed, NUL-terminated UTF-8.
Result<std::string> map_labels(std::string_view domain) {
  if (!is_utf8(domain) || domain.contains('\0')) return fail(Errc::kBadDomain, "not UTF-8");
  const std::string input(domain);
  char* output = nullptr;
  // NFC and UTS #46 mapping: "BÜCHER" and a decomposed "bücher" are the same name.
  const int status =
      idn2_to_ascii_8z(input.c_str(), &output, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, decltype(&idn2_free)> owner(output, idn2_free);
  if (status != IDN2_OK) return fail(Errc::kBadDomain, idn2_strerror(status));
  return std::string(output);
}

}  // namespace

Result<std::string> to_ascii_domain(std::string_view domain) {
  if (domain.size() > kInputBytesMax) return fail(Errc::kBadDomain, "longer than 253 octets");
  if (domain.ends_with('.')) domain.remove_suffix(1);
  std::string name;
  if (is_ascii(domain)) {
    name = to_lower(domain);
  } else {
    TRY(name, map_labels(domain));
    name = to_lower(name);
  }
  if (const std::string_view problem = problem_of(name); !problem.empty()) {
    return fail(Errc::kBadDomain, std::string(problem));
  }
  return name;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return x == y || lower(x) == lower(y); });
}

bool is_below_or_equal(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  return name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

}  // namespace godwit::text
