#include "common/smtp/dot_stuffing.h"

namespace godwit::smtp {

Rope dot_stuffed(const Rope& content) {
  Rope out;
  bool at_line_start = true;
  char before = 0;  // the last octet of the piece before
  for (const Bytes& piece : content.pieces()) {
    const std::string_view text = piece.view();
    if (text.empty()) continue;
    std::size_t begin = 0;  // what is not yet in `out`
    if (text.front() == '.' && at_line_start) out.append(Bytes::of_static("."));
    for (std::size_t at = text.find('\n'); at != std::string_view::npos;
         at = text.find('\n', at + 1)) {
      const char previous = at > 0 ? text[at - 1] : before;
      if (previous != '\r' || at + 1 == text.size() || text[at + 1] != '.') continue;
      out.append(piece.slice(begin, at + 1 - begin));
      out.append(Bytes::of_static("."));
      begin = at + 1;
    }
    out.append(piece.slice(begin));
    const char last = text.back();
    at_line_start = last == '\n' && (text.size() > 1 ? text[text.size() - 2] : before) == '\r';
    before = last;
  }
  if (!at_line_start) out.append(Bytes::of_static("\r\n"));
  return out;
}

bool ends_with_crlf(const Rope& content) {
  return content.size() >= 2 && content.slice(content.size() - 2).to_string() == "\r\n";
}

std::string dot_unstuffed(std::string_view content) {
  std::string out;
  out.reserve(content.size());
  while (!content.empty()) {
    if (content.front() == '.') content.remove_prefix(1);
    const auto end = content.find("\r\n");
    const auto line = content.substr(0, end == std::string_view::npos ? end : end + 2);
    out += line;
    content.remove_prefix(line.size());
  }
  return out;
}

}  // namespace godwit::smtp
