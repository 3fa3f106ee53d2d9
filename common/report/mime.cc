#include "common/report/mime.h"

#include <algorithm>

#include "common/mail/transfer_encoding.h"
#include "common/text/idna.h"

namespace godwit::report {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string first_word(std::string_view value) {
  const std::size_t begin = value.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = std::min(value.find_first_of("; \t\r\n(", begin), value.size());
  return text::to_lower(value.substr(begin, end - begin));
}

std::string_view value_of(const mail::Header& header, std::string_view name) {
  const auto field = mail::find_field(header, name);
  return field ? field->value : std::string_view{};
}

// Calls `part` with what lies between the lines of the boundary (RFC 2046 s5.1.1).
template <class Visit>
void each_part(std::string_view body, std::string_view boundary, const Visit& part) {
  const std::string delimiter = "--" + std::string(boundary);
  std::size_t begin = std::string_view::npos;
  for (std::size_t line = 0; line < body.size();) {
    const std::size_t end = std::min(body.find('\n', line), body.size());
    if (body.substr(line).starts_with(delimiter)) {
      if (begin != std::string_view::npos && !part(body.substr(begin, line - begin))) return;
      begin = std::min(end + 1, body.size());
      if (body.substr(line + delimiter.size()).starts_with("--")) return;
    }
    line = end + 1;
  }
  if (begin != std::string_view::npos) part(body.substr(begin));
}

class Walk {
 public:
  explicit Walk(std::vector<Part>& leaves) : leaves_(leaves) {}

  void entity(const mail::Header& header, std::string_view body, int depth) {
    const std::string_view value = value_of(header, "Content-Type");
    std::string type = first_word(value);
    if (type.empty()) type = "text/plain";
    if (type.starts_with("multipart/") && depth < kPartDepthMax) {
      bool divided = false;
      if (const std::string boundary = parameter(value, "boundary"); !boundary.empty()) {
        each_part(body, boundary, [&](std::string_view octets) {
          divided = true;
          const mail::Header inner = mail::Header::scan(Rope(Bytes::of_static(octets)));
          entity(inner, octets.substr(std::min(inner.body_offset(), octets.size())), depth + 1);
          return leaves_.size() < kPartsMax;
        });
      }
      if (divided) return;
      type = "text/plain";  // its boundary is nowhere: what people see is the whole of it
    }
    if (leaves_.size() >= kPartsMax) return;
    leaves_.push_back({.type = std::move(type),
                       .encoding = first_word(value_of(header, "Content-Transfer-Encoding")),
                       .body = body});
  }

 private:
  std::vector<Part>& leaves_;
};

}  // namespace

std::string Part::decoded() const {
  return mail::decode_transfer(body, encoding);
}

std::string parameter(std::string_view value, std::string_view name) {
  for (std::size_t at = value.find(';'); at != std::string_view::npos;) {
    const std::size_t begin = value.find_first_not_of(" \t\r\n;", at);
    if (begin == std::string_view::npos) break;
    const std::size_t equals = value.find('=', begin);
    if (equals == std::string_view::npos) break;
    std::string_view key = value.substr(begin, equals - begin);
    key.remove_suffix(key.size() - (key.find_last_not_of(kSpace) + 1));
    std::string content;
    std::size_t i = value.find_first_not_of(kSpace, equals + 1);
    if (i != std::string_view::npos && value[i] == '"') {
      for (++i; i < value.size() && value[i] != '"'; ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        if (value[i] != '\r' && value[i] != '\n') content.push_back(value[i]);
      }
    } else {
      for (; i < value.size() && value[i] != ';' && !kSpace.contains(value[i]); ++i)
        content.push_back(value[i]);
    }
    if (text::equals_ignoring_case(key, name)) return content;
    at = i < value.size() ? value.find(';', i) : std::string_view::npos;
  }
  return {};
}

Parts take_apart(std::string_view octets) {
  Parts parts;
  parts.header = mail::Header::scan(Rope(Bytes::of_static(octets)));
  parts.body = octets.substr(std::min(parts.header.body_offset(), octets.size()));
  const std::string_view value = value_of(parts.header, "Content-Type");
  parts.type = first_word(value);
  parts.report_type = text::to_lower(parameter(value, "report-type"));
  Walk(parts.leaves).entity(parts.header, parts.body, 0);
  return parts;
}

}  // namespace godwit::report
