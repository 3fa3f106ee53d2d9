#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::smtp {

// An enhanced status code, "4.7.1" (RFC 3463 s2; registry of RFC 5248).
struct EnhancedCode {
  std::uint16_t status_class = 0;  // 2, 4 or 5
  std::uint16_t subject = 0;       // 0..999
  std::uint16_t detail = 0;        // 0..999

  [[nodiscard]] std::string to_text() const;
  // The whole of `text`, nothing around it.
  [[nodiscard]] static std::optional<EnhancedCode> parse(std::string_view text);
  bool operator==(const EnhancedCode&) const = default;
};

// One SMTP reply, ours or a peer's.
struct Reply {
  int code = 0;  // 200..599; 0: nobody said it, the text says what happened instead
  std::optional<EnhancedCode> enhanced;
  std::string text;  // lines separated by '\n', without codes; may be empty

  // Makes one of ours: Reply::of(550, {5, 7, 1}, "Relaying denied").
  [[nodiscard]] static Reply of(int code, EnhancedCode enhanced, std::string text) {
    return {code, enhanced, std::move(text)};
  }
  [[nodiscard]] bool positive() const { return code / 100 == 2; }
  [[nodiscard]] bool intermediate() const { return code / 100 == 3; }
  [[nodiscard]] bool transient() const { return code / 100 == 4; }
  [[nodiscard]] bool permanent() const { return code / 100 == 5; }
  // The text in one line (lines joined by " "), for logs and events.
  [[nodiscard]] std::string joined() const;
  // "550 5.7.1 Relaying denied".
  [[nodiscard]] std::string to_text() const;
  bool operator==(const Reply&) const = default;
};

// A reply on its way out; the text is borrowed. What is said to each command needs no string.
struct ReplyView {
  int code = 0;
  std::optional<EnhancedCode> enhanced;
  std::string_view text;

  ReplyView(int reply_code, std::optional<EnhancedCode> enhanced_code, std::string_view reply_text)
      : code(reply_code), enhanced(enhanced_code), text(reply_text) {}
  ReplyView(const Reply& reply)  // NOLINT(google-explicit-constructor): what it is a view of
      : ReplyView(reply.code, reply.enhanced, reply.text) {}
  [[nodiscard]] bool positive() const { return code / 100 == 2; }
  [[nodiscard]] bool intermediate() const { return code / 100 == 3; }
};

// Appends `reply` as it goes over the wire: each line with its code, the enhanced code on every
// line (RFC 2034 s4), CRLF. Characters that may not stand in a reply (controls, and octets above
// 126 unless `utf8`) become "?", so that peer text in it can do no harm. A line longer than 512
// octets is cut.
void append_reply(std::string& out, const ReplyView& reply, bool utf8 = false);

// Parses replies out of a stream.
//
// Input     octets received and not yet consumed
// Output    Parsed{reply, length}, or nothing when the reply is not all there yet: call again with
//           more. An enhanced code is recognised at the start of each line when its class fits the
//           reply's (RFC 2034 s4) and removed from the text. Text keeps its octets, except that
//           controls become "?".
// Errors    kBadSyntax (no three digits 200..599, another code on a later line), kBareControl,
//           kLineTooLong, kTooManyLines
// Limits    lines of `line_bytes_max` with CRLF (the RFC says 512; hosts exceed it), `lines_max`
//           lines
// Threads   pure
// Source    RFC 5321 s4.2, s4.2.1, s4.5.3.1.5; RFC 2034 s4; RFC 3463 s2
struct ReplyLimits {
  std::size_t line_bytes_max = 2048;
  std::size_t lines_max = 128;
};
struct ParsedReply {
  Reply reply;
  std::size_t length = 0;
};
[[nodiscard]] Result<std::optional<ParsedReply>> parse_reply(std::string_view input,
                                                             const ReplyLimits& limits = {});

}  // namespace godwit::smtp
