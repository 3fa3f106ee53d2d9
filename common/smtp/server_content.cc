// DATA and BDAT: from the command to the last octet of the content, and its refusals.

#include <algorithm>
#include <utility>

#include "common/smtp/server_state.h"

namespace godwit::smtp {
namespace {

std::string_view name_of(DataScanner::Found found) {
  switch (found) {
    case DataScanner::Found::kBareCr: return "bare CR";
    case DataScanner::Found::kBareLf: return "bare LF";
    default: return "NUL";
  }
}

}  // namespace

// --- how it begins

// Why there is no content now.
std::optional<Reply> ServerSession::State::content_barred() const {
  if (!transaction_open()) return Reply::of(503, {5, 5, 1}, "Need MAIL command");
  if (current->envelope.recipients.empty()) return Reply::of(554, {5, 5, 1}, "No valid recipients");
  return std::nullopt;
}

void ServerSession::State::begin_content(bool chunked) {
  ContentTransfer& content = transaction().content;
  content.scanner = DataScanner(limits->content_line_bytes_max);
  content.drained_bytes = 0;
  content.by_bdat = chunked;
}

ServerSession::State::MaybeAction ServerSession::State::data(std::string_view argument) {
  std::optional<Reply> barred = content_barred();
  if (!argument.empty()) barred = Reply::of(501, {5, 5, 4}, "Syntax: DATA");
  if (!barred && by_bdat()) barred = Reply::of(503, {5, 5, 1}, "DATA behind BDAT");
  if (barred) {
    refuse(*barred);
    nothing_may_follow = true;
    return std::nullopt;
  }
  begin_content(false);
  wanted = Wanted::kData;
  return ServerAction{Kind::kData, 0, {}};
}

ServerSession::State::MaybeAction ServerSession::State::bdat(std::string_view argument) {
  if (!config->chunking) {
    ++errors_total;
    // A chunk follows; we cannot tell of what length.
    end_with(502, {5, 5, 1}, "BDAT not implemented, closing");
    return std::nullopt;
  }
  const auto parsed = parse_bdat(argument);
  if (!parsed) {
    ++errors_total;
    say(parsed.error());
    phase = Phase::kClosing;  // where the chunk ends cannot be known
    return std::nullopt;
  }
  ContentTransfer& content = transaction().content;
  content.chunk_size = content.chunk_left = parsed->size;
  content.chunk_last = parsed->last;
  phase = Phase::kBdat;
  if (auto barred = content_barred()) {
    refuse_chunk(*std::move(barred));
    return std::nullopt;
  }
  const bool first = !content.by_bdat;
  if (first) begin_content(true);
  const std::uint64_t so_far = content.scanner.size();
  if (limits->content_bytes_max != 0 &&
      parsed->size > limits->content_bytes_max - std::min(so_far, limits->content_bytes_max)) {
    refuse_chunk(Reply::of(552, {5, 3, 4}, "Message too big"));
    return std::nullopt;
  }
  if (!first) return std::nullopt;
  wanted = Wanted::kData;
  return ServerAction{Kind::kData, 0, {}};
}

void ServerSession::State::answered_data(const ReplyView& reply) {
  const bool accepted = reply.positive() || reply.intermediate();
  if (accepted && by_bdat()) return;
  if (accepted) {
    phase = Phase::kData;
    say(reply);
  } else if (by_bdat() && reply.code != 421) {
    refuse_chunk({reply.code, reply.enhanced, std::string(reply.text)});
  } else {
    refuse(reply);
    nothing_may_follow = true;
    abort_transaction();
  }
}

// --- how it comes

ServerSession::State::MaybeAction ServerSession::State::step_data(std::string_view rest,
                                                                  std::size_t& consumed) {
  const auto scan = current->content.scanner.scan(rest);
  switch (scan.found) {
    case DataScanner::Found::kMore:
    case DataScanner::Found::kEnd: break;
    default: refuse_octets(name_of(scan.found), 554); return std::nullopt;
  }
  if (scan.content_bytes > 0) return take_content(rest, scan.content_bytes, consumed);
  if (scan.found == DataScanner::Found::kMore) return ServerAction{Kind::kRead, 0, {}};
  consumed += DataScanner::kEndBytes;
  return end_content();
}

ServerSession::State::MaybeAction ServerSession::State::step_bdat(std::string_view rest,
                                                                  std::size_t& consumed) {
  ContentTransfer& content = current->content;
  if (content.chunk_left > 0) {
    if (rest.empty()) return ServerAction{Kind::kRead, 0, {}};
    const auto part = rest.substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(content.chunk_left, rest.size())));
    content.chunk_left -= part.size();
    if (!content.refusal) {
      const auto scan = content.scanner.scan_counted(part);
      if (scan.found != DataScanner::Found::kMore) {
        refuse_octets(name_of(scan.found), 554);
        return std::nullopt;
      }
    }
    return take_content(rest, part.size(), consumed);
  }
  if (content.refusal || content.chunk_last) {
    if (!content.refusal && content.scanner.ends_with_cr()) {
      refuse_octets("bare CR", 554);
      return std::nullopt;
    }
    return end_content();
  }
  say(250, {2, 0, 0}, std::to_string(content.chunk_size) + " octets received");
  phase = Phase::kCommand;
  return std::nullopt;
}

// Takes `length` octets of content from the front of `rest`.
ServerSession::State::MaybeAction ServerSession::State::take_content(std::string_view rest,
                                                                     std::size_t length,
                                                                     std::size_t& consumed) {
  ContentTransfer& content = current->content;
  if (!content.refusal && limits->content_bytes_max != 0 &&
      content.scanner.size_unstuffed() > limits->content_bytes_max) {
    refuse_content(Reply::of(552, {5, 3, 4}, "Message too big"));
  }
  if (!content.refusal && content.scanner.line_too_long()) {
    refuse_content(Reply::of(554, {5, 6, 0}, "Text line too long (RFC 5321 section 4.5.3.1.6)"));
  }
  consumed += length;
  if (!content.refusal) return ServerAction{Kind::kContent, 0, rest.substr(0, length)};
  content.drained_bytes += length;
  if (content.drained_bytes > limits->content_drained_bytes_max) {
    ++errors_total;
    say(*content.refusal);
    phase = Phase::kClosing;
  }
  return std::nullopt;
}

// --- how it ends

// The content is complete: the caller's turn, unless it was refused.
ServerSession::State::MaybeAction ServerSession::State::end_content() {
  phase = Phase::kCommand;
  if (current->content.refusal) {
    const Reply reply = *std::exchange(current->content.refusal, std::nullopt);
    refuse(reply);
    abort_due = false;  // was given out when the refusal was made
    forget_transaction();
    return std::nullopt;
  }
  wanted = Wanted::kMessage;
  return ServerAction{Kind::kMessage, 0, {}};
}

void ServerSession::State::answered_message(const ReplyView& reply) {
  forget_transaction();
  phase = Phase::kCommand;
  if (!reply.positive()) {
    refuse(reply);
    return;
  }
  say(reply);
  ++messages;
  errors = 0;
  idle_commands = 0;
}

void ServerSession::State::refuse_content(Reply reply) {
  ContentTransfer& content = transaction().content;
  if (content.refusal) return;
  content.refusal = std::move(reply);
  abort_due = true;
}

// RFC 3030 s2: the octets of a refused chunk are read all the same.
void ServerSession::State::refuse_chunk(Reply reply) {
  ContentTransfer& content = transaction().content;
  if (content.chunk_left > limits->content_drained_bytes_max) {
    ++errors_total;
    say(reply);
    phase = Phase::kClosing;
    return;
  }
  refuse_content(std::move(reply));
  abort_due = transaction_open();
  content.drained_bytes = 0;
}

}  // namespace godwit::smtp
