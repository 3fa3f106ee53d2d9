#include "common/mail/header.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/text/escape.h"
#include "common/text/idna.h"
#include "common/text/octet_set.h"

namespace godwit::mail {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kCopyBytesFirst = 8 * 1024;

// RFC 5322 s3.6.8: printable ASCII without the colon.
constexpr auto kNameOctets = text::OctetSet().with(0x21, 0x7E).without(":");
constexpr auto kWhiteSpace = text::OctetSet().with(" \t");

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && kWhiteSpace.contains(text.front())) text.remove_prefix(1);
  while (!text.empty() && kWhiteSpace.contains(text.back())) text.remove_suffix(1);
  return text;
}

// Octets of the line at the front, its CRLF included; 0: none ends within `text`.
std::size_t line_bytes(std::string_view text) {
  for (std::size_t end = text.find('\n'); end != std::string_view::npos;
       end = text.find('\n', end + 1)) {
    if (end > 0 && text[end - 1] == '\r') return end + 1;
  }
  return 0;
}

// True when a line begins a field: a name, perhaps white space (RFC 5322 s4.5), a colon.
bool begins_field(std::string_view line) {
  const std::size_t name = kNameOctets.span(line);
  if (name == 0) return false;
  const std::size_t colon = name + kWhiteSpace.span(line.substr(name));
  return colon < line.size() && line[colon] == ':';
}

struct Section {
  std::size_t header_bytes = 0;
  std::size_t body_offset = 0;
  Header::End end{};
};

// Finds the end of the header section in `text`, which is all there is, or all that is looked at.
Section find_section(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with(kLineEnd)) return {at, at + kLineEnd.size(), Header::End::kEmptyLine};
    const std::size_t found = line_bytes(rest);
    const std::string_view line = rest.substr(0, found == 0 ? rest.size() : found);
    const bool continues = kWhiteSpace.contains(line.front()) && at > 0;
    if (!continues && !begins_field(line)) return {at, at, Header::End::kNotAField};
    at += line.size();
  }
  return {at, at, Header::End::kEndOfContent};
}

// The section runs into the limit: what is whole of it.
Section cut_to_whole_fields(std::string_view text) {
  std::size_t whole = 0;
  for (Header::Iterator field(text); !field->raw.empty(); ++field) {
    const std::size_t end = whole + field->raw.size();
    if (end == text.size()) break;  // it may go on behind the limit
    whole = end;
  }
  return {whole, whole, Header::End::kTooLong};
}

// True when more octets might change the verdict.
bool is_open(const Section& section, std::string_view text) {
  if (section.end == Header::End::kEndOfContent) return true;
  // The last line was looked at without its end: "Na" is no field, "Name: x" is one.
  return section.end == Header::End::kNotAField &&
         line_bytes(text.substr(section.header_bytes)) == 0;
}

}  // namespace

Header Header::scan(const Rope& content, std::size_t bytes_max) {
  CHECK(bytes_max > 0, "a header of no octets");
  const std::size_t looked_at_max = std::min(content.size(), bytes_max);
  Bytes text =
      content.pieces().empty() ? Bytes{} : content.pieces().front().slice(0, looked_at_max);
  Section section = find_section(text.view());
  // The section goes on in the next piece: join as little as will do.
  for (std::size_t copied = kCopyBytesFirst;
       is_open(section, text.view()) && text.size() < looked_at_max; copied *= 2) {
    if (copied <= text.size()) continue;
    text = content.slice(0, std::min(copied, looked_at_max)).flatten();
    section = find_section(text.view());
  }
  if (is_open(section, text.view()) && text.size() < content.size())
    section = cut_to_whole_fields(text.view());

  Header header;
  header.octets_ = text.slice(0, section.header_bytes);
  header.body_offset_ = section.body_offset;
  header.end_ = section.end;
  return header;
}

void Header::Iterator::read() {
  if (rest_.empty()) {
    field_ = {};
    return;
  }
  std::size_t size = 0;
  do {
    const std::size_t line = line_bytes(rest_.substr(size));
    size = line == 0 ? rest_.size() : size + line;
  } while (size < rest_.size() && kWhiteSpace.contains(rest_[size]));
  const std::string_view raw = rest_.substr(0, size);
  const std::size_t colon = std::min(raw.find(':'), raw.size());
  std::string_view value = raw.substr(std::min(colon + 1, raw.size()));
  if (value.ends_with(kLineEnd)) value.remove_suffix(kLineEnd.size());
  field_ = {.name = trimmed(raw.substr(0, colon)), .value = value, .raw = raw};
}

HeaderFacts facts_of(const Header& header) {
  HeaderFacts facts;
  facts.has_8bit = !text::is_ascii(header.octets());
  const struct {
    std::string_view name;
    std::optional<std::string_view>* value;
  } wanted[] = {
      {"from", &facts.from},
      {"sender", &facts.sender},
      {"to", &facts.to},
      {"subject", &facts.subject},
      {"date", &facts.date},
      {"message-id", &facts.message_id},
      {"mime-version", &facts.mime_version},
  };
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    ++facts.fields;
    if (is_ours(field->name)) ++facts.of_ours;
    if (text::equals_ignoring_case(field->name, "received")) ++facts.received;
    for (const auto& [name, value] : wanted) {
      if (field->name.size() != name.size() || !text::equals_ignoring_case(field->name, name))
        continue;
      if (value == &facts.from) ++facts.from_fields;
      if (!*value) *value = field->value;
    }
  }
  return facts;
}

bool is_ours(std::string_view name) {
  return text::equals_ignoring_case(name.substr(0, kOurPrefix.size()), kOurPrefix);
}

std::optional<Field> find_field(const Header& header, std::string_view name) {
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    if (text::equals_ignoring_case(field->name, name)) return *field;
  }
  return std::nullopt;
}

std::string unfolded(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  while (!value.empty()) {
    const std::size_t line = line_bytes(value);
    out += value.substr(0, line == 0 ? value.size() : line - kLineEnd.size());
    value.remove_prefix(line == 0 ? value.size() : line);
  }
  return std::string(trimmed(out));
}

}  // namespace godwit::mail
