#include "common/capture/mail_view.h"

#include <algorithm>

#include "common/mail/header.h"
#include "common/mail/transfer_encoding.h"
#include "common/text/idna.h"

namespace godwit::capture {
namespace {

constexpr std::size_t kFieldsMax = 100;
constexpr std::size_t kFieldBytesMax = 2'000;
constexpr std::size_t kTextBytesMax = 256 << 10;
constexpr int kDepthMax = 5;
constexpr int kPartsMax = 100;

// "text/plain; charset=utf-8" taken apart; type in lower case.
struct ContentType {
  std::string type;
  std::string charset;
  std::string boundary;
  std::string name;
};

// The value of a parameter, quoted or not (RFC 2045 s5.1). Tolerant: this is for looking at.
std::string parameter(std::string_view value, std::string_view name) {
  for (std::size_t at = value.find(';'); at != std::string_view::npos;) {
    std::size_t begin = value.find_first_not_of(" \t\r\n;", at);
    if (begin == std::string_view::npos) break;
    const std::size_t equals = value.find('=', begin);
    if (equals == std::string_view::npos) break;
    std::size_t key_end = value.find_last_not_of(" \t", equals - 1);
    const bool wanted = key_end != std::string_view::npos && key_end + 1 > begin &&
                        text::equals_ignoring_case(value.substr(begin, key_end + 1 - begin), name);
    std::string content;
    std::size_t i = value.find_first_not_of(" \t\r\n", equals + 1);
    if (i != std::string_view::npos && value[i] == '"') {
      for (++i; i < value.size() && value[i] != '"'; ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        content.push_back(value[i]);
      }
    } else {
      for (; i < value.size() && value[i] != ';'; ++i) {
        if (value[i] != ' ' && value[i] != '\t' && value[i] != '\r' && value[i] != '\n') {
          content.push_back(value[i]);
        }
      }
    }
    if (wanted) return content;
    at = i < value.size() ? value.find(';', i) : std::string_view::npos;
  }
  return {};
}

std::string first_word(std::string_view value) {
  const std::size_t begin = value.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text::to_lower(value.substr(begin, value.find_first_of("; \t\r\n(", begin) - begin));
}

ContentType content_type(const mail::Header& header) {
  const auto field = mail::find_field(header, "Content-Type");
  if (!field) return {.type = "text/plain"};  // RFC 2045 s5.2
  return {.type = first_word(field->value),
          .charset = text::to_lower(parameter(field->value, "charset")),
          .boundary = parameter(field->value, "boundary"),
          .name = mail::decode_words(parameter(field->value, "name"))};
}

// The bodies between the boundary's lines (RFC 2046 s5.1.1), at most kPartsMax.
std::vector<std::string_view> parts_of(std::string_view body, std::string_view boundary) {
  std::vector<std::string_view> parts;
  const std::string delimiter = "--" + std::string(boundary);
  std::size_t part = std::string_view::npos;
  for (std::size_t line = 0; line <= body.size() && parts.size() < kPartsMax;) {
    const std::size_t end = std::min(body.find('\n', line), body.size());
    if (body.substr(line).starts_with(delimiter)) {
      if (part != std::string_view::npos) parts.push_back(body.substr(part, line - part));
      part = std::min(end + 1, body.size());
      if (body.substr(line + delimiter.size()).starts_with("--")) return parts;
    }
    line = end + 1;
  }
  if (part != std::string_view::npos && parts.size() < kPartsMax)
    parts.push_back(body.substr(part));
  return parts;
}

class Walk {
 public:
  explicit Walk(MailView& view) : view_(view) {}

  void entity(std::string_view octets, int depth) {
    if (++parts_ > kPartsMax || depth > kDepthMax) {
      view_.truncated = true;
      return;
    }
    const mail::Header header = mail::Header::scan(Rope(Bytes::of_static(octets)));
    const std::string_view body = octets.substr(std::min(header.body_offset(), octets.size()));
    const ContentType type = content_type(header);
    if (type.type.starts_with("multipart/") && !type.boundary.empty()) {
      for (const std::string_view part : parts_of(body, type.boundary)) entity(part, depth + 1);
    } else if (!attachment(header, type) && type.type.starts_with("text/")) {
      text(header, type, body);
    }
  }

 private:
  // True when it is one. Only parts of a multipart are.
  bool attachment(const mail::Header& header, const ContentType& type) {
    const auto field = mail::find_field(header, "Content-Disposition");
    const bool said = field && first_word(field->value) == "attachment";
    if (!said && type.type.starts_with("text/")) return false;
    std::string name =
        field ? mail::decode_words(parameter(field->value, "filename")) : std::string();
    if (name.empty()) name = type.name;
    if (name.empty()) name = type.type;
    view_.attachments.push_back(std::move(name));
    return true;
  }

  void text(const mail::Header& header, const ContentType& type, std::string_view body) {
    // The first plain one wins over whatever was found before.
    const bool plain = type.type == "text/plain";
    if (!view_.text_type.empty() && (view_.text_type == "text/plain" || !plain)) return;
    const auto encoding = mail::find_field(header, "Content-Transfer-Encoding");
    if (body.size() > 4 * kTextBytesMax) {
      body = body.substr(0, 4 * kTextBytesMax);
      view_.truncated = true;
    }
    std::string decoded = mail::to_utf8(
        mail::decode_transfer(body, encoding ? first_word(encoding->value) : ""), type.charset);
    if (decoded.size() > kTextBytesMax) {
      decoded.resize(kTextBytesMax);
      view_.truncated = true;
    }
    view_.text = std::move(decoded);
    view_.text_type = type.type;
  }

  MailView& view_;
  int parts_ = 0;
};

}  // namespace

std::string_view MailView::field(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields, [&](const Field& field) { return text::equals_ignoring_case(field.name, name); });
  return found == fields.end() ? std::string_view() : std::string_view(found->value);
}

MailView view_mail(std::string_view octets) {
  MailView view;
  const mail::Header header = mail::Header::scan(Rope(Bytes::of_static(octets)));
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    if (view.fields.size() == kFieldsMax) {
      view.truncated = true;
      break;
    }
    std::string value = mail::decode_words(mail::unfolded(field->value));
    if (value.size() > kFieldBytesMax) {
      value.resize(kFieldBytesMax);
      view.truncated = true;
    }
    view.fields.push_back({std::string(field->name), std::move(value)});
  }
  Walk(view).entity(octets, 0);
  return view;
}

}  // namespace godwit::capture
