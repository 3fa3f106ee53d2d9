#include "common/mail/address_list.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/mail/errc.h"
#include "common/text/idna.h"
#include "common/text/octet_set.h"

namespace godwit::mail {
namespace {

// atext (RFC 5322 s3.2.3), what RFC 6532 adds to it, and what is just not special.
constexpr auto kAtomOctets = text::OctetSet().with(0x21, 0xFF).without("\x7F()<>[]:;@\\,.\"");
constexpr auto kNameOctets = kAtomOctets.with(" \t");
constexpr auto kSpace = text::OctetSet().with(" \t");
// What stands between quotes for itself.
constexpr auto kQuotedOctets = text::OctetSet().with("\t").with(0x20, 0xFF).without("\"\\");

// Atoms with single dots between them; how many octets at the front of `text`. 0: it begins with none.
std::size_t dot_atom_bytes(std::string_view text) {
  std::size_t bytes = kAtomOctets.span(text);
  while (bytes > 0 && bytes < text.size() && text[bytes] == '.') {
    const std::size_t atom = kAtomOctets.span(text.substr(bytes + 1));
    if (atom == 0) return 0;
    bytes += 1 + atom;
  }
  return bytes;
}

// The domain in one mailbox as nearly everybody writes it: `local@domain`, or in brackets behind
// words or one quoted string. nullopt: it takes the parser to tell.
std::optional<std::string_view> plain_domain(std::string_view value) {
  const auto take = [&value](std::size_t bytes) {
    const std::string_view taken = value.substr(0, bytes);
    value.remove_prefix(taken.size());
    return taken;
  };
  take(kSpace.span(value));
  const bool bracketed = value.ends_with('>');
  if (bracketed) {
    value.remove_suffix(1);
    if (value.starts_with('"')) {
      take(1);
      take(kQuotedOctets.span(value));
      if (take(1) != "\"") return std::nullopt;
    } else {
      take(kNameOctets.span(value));
    }
    take(kSpace.span(value));
    if (take(1) != "<") return std::nullopt;
  }
  if (take(dot_atom_bytes(value)).empty() || take(1) != "@") return std::nullopt;
  const std::string_view domain = take(dot_atom_bytes(value));
  return domain.empty() || !value.empty() ? std::nullopt : std::optional(domain);
}

// What stands before "<", ":", "@" or the end: a display name, a group's name or a local part.
struct Phrase {
  std::string as_name;   // words with one space where white space was
  std::string as_local;  // words and dots without anything between
  std::size_t words = 0;
  bool is_local = true;  // words and dots alternate: it may be a local part

  bool last_was_dot = true;  // so that a second word in a row is seen
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Mailbox>> list() {
    bool in_group = false;
    while (true) {
      TRY_VOID(skip_space());
      if (done()) break;
      if (take(',')) continue;  // an empty entry, RFC 5322 s4.4
      if (in_group && take(';')) {
        in_group = false;
        continue;
      }
      TRY(const bool group, entry(in_group));
      in_group = in_group || group;
      if (group) continue;
      TRY_VOID(skip_space());
      if (!done() && peek() != ',' && !(in_group && peek() == ';')) return bad();
    }
    // RFC 5322 has the semicolon mandatory; a group that is never closed hides what was meant.
    if (in_group) return bad();
    return std::move(mailboxes_);
  }

 private:
  [[nodiscard]] bool done() const { return at_ == text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }
  bool take(char c) {
    if (done() || peek() != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] std::unexpected<Error> bad() const {
    return fail(Errc::kBadAddressList, "at octet " + std::to_string(at_));
  }

  // White space, line ends and comments (CFWS).
  Result<void> skip_space() {
    std::size_t depth = 0;
    for (; !done(); ++at_) {
      const char c = peek();
      if (c == '(') {
        if (++depth > kCommentDepthMax) return fail(Errc::kTooMany, "nested comments");
      } else if (depth > 0) {
        if (c == ')') --depth;
        if (c == '\\' && at_ + 1 < text_.size()) ++at_;
      } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
        break;
      }
    }
    if (depth > 0) return bad();
    return {};
  }

  // Behind the opening quote.
  Result<std::string> quoted_string() {
    std::string out;
    while (!done()) {
      char c = text_[at_++];
      if (c == '"') return out;
      if (c == '\r' || c == '\n') continue;  // a fold
      if (c == '\\') {
        if (done()) break;
        c = text_[at_++];
      }
      if (static_cast<std::uint8_t>(c) < ' ' && c != '\t') return bad();
      out += c;
    }
    return bad();
  }

  std::string_view atom() {
    const std::string_view found = text_.substr(at_, kAtomOctets.span(text_.substr(at_)));
    at_ += found.size();
    return found;
  }

  Result<Phrase> phrase() {
    Phrase out;
    while (true) {
      const std::size_t before = at_;
      TRY_VOID(skip_space());
      const bool space = at_ != before;
      if (done()) return out;
      if (take('.')) {
        out.is_local = out.is_local && !out.last_was_dot;
        out.last_was_dot = true;
        out.as_name += '.';
        out.as_local += '.';
        continue;
      }
      std::string word;
      if (take('"')) {
        TRY(word, quoted_string());
      } else {
        word = atom();
        if (word.empty()) return out;
      }
      ++out.words;
      out.is_local = out.is_local && out.last_was_dot;
      out.last_was_dot = false;
      if (space && !out.as_name.empty()) out.as_name += ' ';
      out.as_name += word;
      out.as_local += word;
    }
  }

  // Behind the "@".
  Result<std::string> domain() {
    TRY_VOID(skip_space());
    std::string out;
    if (take('[')) {
      out = "[";
      while (!done() && peek() != ']') {
        const char c = text_[at_++];
        if (c == '[' || c == '\\' || static_cast<std::uint8_t>(c) <= ' ') return bad();
        out += c;
      }
      if (!take(']')) return bad();
      return out += ']';
    }
    while (true) {
      const std::string_view label = atom();
      if (label.empty()) return bad();
      out += label;
      TRY_VOID(skip_space());
      if (!take('.')) return out;
      out += '.';
      TRY_VOID(skip_space());
    }
  }

  // Behind the "<": [route] addr-spec ">"
  Result<Mailbox> angle_address() {
    TRY_VOID(skip_space());
    while (!done() &&
           (peek() == '@' || peek() == ',')) {  // RFC 5322 s4.4: obs-route, read and dropped
      if (take(',')) {
        TRY_VOID(skip_space());
        continue;
      }
      ++at_;
      TRY_VOID(domain());
      if (take(':')) break;
      if (done() || peek() != ',') return bad();
    }
    TRY(const Phrase local, phrase());
    if (local.words == 0 || !local.is_local || local.last_was_dot) return bad();
    Mailbox out;
    out.local_part = local.as_local;
    if (take('@')) {
      TRY(out.domain, domain());
    }
    TRY_VOID(skip_space());
    if (!take('>')) return bad();
    return out;
  }

  // One mailbox, or the name of a group and its colon (true).
  Result<bool> entry(bool in_group) {
    TRY(const Phrase before, phrase());
    if (take('<')) {
      TRY(Mailbox mailbox, angle_address());
      return add(std::move(mailbox), before.as_name);
    }
    if (before.words == 0) return bad();
    if (take(':')) {
      if (in_group) return bad();
      return true;
    }
    if (!before.is_local || before.last_was_dot) return bad();
    Mailbox mailbox{.local_part = before.as_local};
    if (take('@')) {
      TRY(mailbox.domain, domain());
    }
    TRY_VOID(skip_space());
    if (mailbox.domain.empty() || !take('<')) return add(std::move(mailbox), {});
    // "a@b.example <c@d.example>": against the grammar, and common. The brackets say what counts.
    TRY(Mailbox bracketed, angle_address());
    return add(std::move(bracketed), mailbox.local_part + "@" + mailbox.domain);
  }

  Result<bool> add(Mailbox mailbox, std::string display_name) {
    if (mailboxes_.size() >= kMailboxesMax) return fail(Errc::kTooMany, "addresses");
    mailbox.display_name = std::move(display_name);
    mailboxes_.push_back(std::move(mailbox));
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Mailbox> mailboxes_;
};

}  // namespace

Result<std::vector<Mailbox>> parse_address_list(std::string_view value) {
  return Parser(value).list();
}

Result<std::string> from_domain(std::string_view from_value) {
  if (const auto domain = plain_domain(from_value)) return text::to_lower(*domain);
  TRY(const std::vector<Mailbox> mailboxes, parse_address_list(from_value));
  if (mailboxes.empty() || mailboxes.front().domain.empty()) return fail(Errc::kNoAddress);
  return text::to_lower(mailboxes.front().domain);
}

}  // namespace godwit::mail
