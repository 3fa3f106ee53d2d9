#include "cli/bench/sink_dialogue.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <utility>

namespace godwit::cli::bench {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' ||
                           text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

// "FROM:<a@b> SIZE=5" without the key word: the address and what is behind it.
struct PathArgument {
  std::string_view address;
  std::string_view parameters;
};
std::optional<PathArgument> path_of(std::string_view argument, std::string_view keyword) {
  if (!starts_with_ignoring_case(argument, keyword)) return std::nullopt;
  argument = trimmed(argument.substr(keyword.size()));
  if (!argument.starts_with('<')) return std::nullopt;
  bool quoted = false;
  for (std::size_t i = 1; i < argument.size(); ++i) {
    if (argument[i] == '"' && argument[i - 1] != '\\') quoted = !quoted;
    if (argument[i] == '>' && !quoted)
      return PathArgument{argument.substr(1, i - 1), argument.substr(i + 1)};
  }
  return std::nullopt;
}

std::uint64_t size_parameter(std::string_view parameters) {
  for (std::size_t i = 0; i < parameters.size();) {
    const std::size_t end = std::min(parameters.find(' ', i), parameters.size());
    const std::string_view word = parameters.substr(i, end - i);
    if (starts_with_ignoring_case(word, "SIZE=")) {
      std::uint64_t size = 0;
      std::from_chars(word.data() + 5, word.data() + word.size(), size);
      return size;
    }
    i = end + 1;
  }
  return 0;
}

// "451 4.7.1 one\ntwo" as it goes over the wire.
void append_reply(std::string& out, std::string_view reply) {
  const std::string_view code = reply.substr(0, 3);
  reply.remove_prefix(std::min<std::size_t>(reply.size(), 4));
  while (true) {
    const std::size_t end = reply.find('\n');
    out.append(code)
        .append(end == std::string_view::npos ? " " : "-")
        .append(reply.substr(0, end))
        .append("\r\n");
    if (end == std::string_view::npos) return;
    reply.remove_prefix(end + 1);
  }
}

}  // namespace

std::size_t DotScanner::scan(std::string_view octets) {
  std::size_t i = 0;
  while (i < octets.size()) {
    if (matched_ == 0) {
      const void* found = std::memchr(octets.data() + i, '\r', octets.size() - i);
      if (found == nullptr) return octets.size();
      i = static_cast<std::size_t>(static_cast<const char*>(found) - octets.data());
    }
    if (octets[i] == kEnd[matched_]) {
      ++matched_;
      ++i;
      if (found()) return i;
    } else if (octets[i] == '\r') {
      matched_ = 1;
      ++i;
    } else {
      matched_ = 0;
      ++i;
    }
  }
  return i;
}

SinkDialogue::SinkDialogue(Script& script, const Settings& settings, Random& random)
    : script_(script), settings_(settings), random_(random) {}

void SinkDialogue::tls_started() {
  in_tls_ = true;
  reset_message();
}

SinkDialogue::Step SinkDialogue::next(std::string_view input, std::size_t& used, std::string& out) {
  used = 0;
  if (std::exchange(message_taken_, false)) reset_message();
  if (mode_ == Mode::kConnect) {
    const std::optional<Verdict> said = verdict(Stage::kConnect);
    if (!said) return waits_;
    mode_ = Mode::kBanner;
    if (!said->reply.empty() || said->drop != Drop::kNo) {
      if (!said->reply.empty()) append_reply(out, said->reply);
      mode_ = Mode::kDone;
      return {.kind = Step::Kind::kDrop,
              .drop = said->drop == Drop::kNo ? Drop::kClose : said->drop,
              .scripted = true};
    }
  }
  if (mode_ == Mode::kBanner) {
    const std::optional<Verdict> said = verdict(Stage::kBanner);
    if (!said) return waits_;
    mode_ = Mode::kCommand;
    answer(*said, "220 " + settings_.hostname + " ESMTP sink", out);
    if (Step step = after_answer(); step.kind != Step::Kind::kRead) return step;
  }
  while (mode_ != Mode::kDone) {
    const std::string_view rest = input.substr(used);
    if (mode_ == Mode::kContent || mode_ == Mode::kChunk) {
      const std::optional<Step> step =
          mode_ == Mode::kContent ? on_content(rest, used, out) : on_chunk(rest, used, out);
      if (step) return *step;
      continue;
    }
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      if (rest.size() < kLineMax) return {};
      append_reply(out, "500 5.5.2 Line too long");
      mode_ = Mode::kDone;
      return {.kind = Step::Kind::kDrop, .drop = Drop::kClose};
    }
    const Step step = on_line(trimmed(rest.substr(0, end)), end + 1, used, out);
    if (step.kind != Step::Kind::kRead) return step;
  }
  return {.kind = Step::Kind::kDrop, .drop = Drop::kClose};
}

std::optional<Verdict> SinkDialogue::verdict(Stage stage, std::span<const std::string> recipients) {
  if (waited_) return std::exchange(waited_, std::nullopt);
  if (!script_.concerns(stage)) return Verdict{};
  Verdict said = script_.decide(
      {.stage = stage, .sender = message_.sender, .recipients = recipients}, random_);
  if (said.delay == Duration::zero()) return said;
  waits_ = {.kind = Step::Kind::kDelay, .delay = said.delay};
  said.delay = Duration::zero();
  waited_ = said;
  return std::nullopt;
}

bool SinkDialogue::answer(const Verdict& said, std::string_view usual, std::string& out) {
  const std::string_view reply = said.reply.empty() ? usual : said.reply;
  dropping_ = said.drop;
  // A drop without a reply says nothing at all.
  if (said.drop == Drop::kNo || !said.reply.empty()) append_reply(out, reply);
  return said.drop == Drop::kNo && (reply.front() == '2' || reply.front() == '3');
}

SinkDialogue::Step SinkDialogue::after_answer() const {
  if (dropping_ == Drop::kNo) return {};
  return {.kind = Step::Kind::kDrop, .drop = dropping_, .scripted = true};
}

void SinkDialogue::say_hello(bool extended, std::string& out) {
  if (!extended) {
    append_reply(out, "250 " + settings_.hostname);
    return;
  }
  const Offers& offers = script_.offers();
  std::string reply = "250 " + settings_.hostname;
  if (offers.pipelining) reply += "\nPIPELINING";
  if (offers.chunking) reply += "\nCHUNKING";
  if (offers.eight_bit) reply += "\n8BITMIME";
  if (offers.smtputf8) reply += "\nSMTPUTF8";
  if (offers.dsn) reply += "\nDSN";
  if (offers.enhanced_status_codes) reply += "\nENHANCEDSTATUSCODES";
  if (offers.size != 0) reply += "\nSIZE " + std::to_string(offers.size);
  if (offers.auth) reply += "\nAUTH PLAIN LOGIN";
  if (settings_.offers_starttls && !in_tls_) reply += "\nSTARTTLS";
  append_reply(out, reply);
}

SinkDialogue::Step SinkDialogue::on_line(std::string_view line, std::size_t length,
                                         std::size_t& used, std::string& out) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view verb = line.substr(0, space);
  const std::string_view argument = trimmed(line.substr(space));
  const auto is = [verb](std::string_view name) { return equal_ignoring_case(verb, name); };
  // A stage that has to wait is asked again with the same line.
  std::optional<Verdict> said = Verdict{};
  dropping_ = Drop::kNo;

  if (mode_ == Mode::kAuthReply) {
    if (--auth_lines_ > 0) {
      append_reply(out, "334 UGFzc3dvcmQ6");
    } else {
      said = verdict(Stage::kAuth);
      if (!said) {
        ++auth_lines_;
        return waits_;
      }
      mode_ = Mode::kCommand;
      answer(*said, "235 2.7.0 Authenticated", out);
    }
  } else if (is("EHLO") || is("HELO")) {
    said = verdict(Stage::kEhlo);
    if (!said) return waits_;
    reset_message();
    const bool extended = is("EHLO");
    if (extended && script_.offers().helo_only && said->usual())
      said->reply = "502 5.5.1 EHLO is not known here";
    if (said->usual()) {
      say_hello(extended, out);
    } else {
      answer(*said, "250 ", out);
    }
  } else if (is("MAIL")) {
    const std::optional<PathArgument> path = path_of(argument, "FROM:");
    if (path && !has_sender_) message_.sender = path->address;
    said = verdict(Stage::kMail);
    if (!said) return waits_;
    on_mail(argument, *said, out);
  } else if (is("RCPT")) {
    const std::optional<PathArgument> path = path_of(argument, "TO:");
    const std::string recipient(path ? path->address : "");
    if (path) said = verdict(Stage::kRcpt, {&recipient, 1});
    if (!said) return waits_;
    if (!has_sender_) {
      append_reply(out, "503 5.5.1 MAIL first");
    } else if (!path) {
      append_reply(out, "501 5.5.4 RCPT TO:<address>");
    } else if (message_.recipients.size() >= kRecipientsMax) {
      append_reply(out, "452 4.5.3 Too many recipients");
    } else if (answer(*said, "250 2.1.5 Ok", out)) {
      message_.recipients.push_back(recipient);
    } else {
      ++recipients_refused_;
    }
  } else if (is("DATA")) {
    if (message_.recipients.empty()) {
      append_reply(out, has_sender_ ? "554 5.5.1 No valid recipients" : "503 5.5.1 MAIL first");
    } else {
      said = verdict(Stage::kData, message_.recipients);
      if (!said) return waits_;
      if (answer(*said, "354 End with a dot", out)) {
        mode_ = Mode::kContent;
        scanner_.reset();
      } else {
        reset_message();
      }
    }
  } else if (is("BDAT")) {
    const std::size_t size_end = std::min(argument.find(' '), argument.size());
    std::uint64_t size = 0;
    const bool valid =
        std::from_chars(argument.data(), argument.data() + size_end, size).ec == std::errc{};
    last_chunk_ = equal_ignoring_case(trimmed(argument.substr(size_end)), "LAST");
    if (!valid || message_.recipients.empty()) {
      // The chunk comes whatever is said; with no size there is nothing to go on with.
      append_reply(out, "503 5.5.1 No valid recipients");
      mode_ = Mode::kDone;
      dropping_ = Drop::kClose;
    } else {
      if (message_.bytes == 0) said = verdict(Stage::kData, message_.recipients);
      if (!said) return waits_;
      if (!said->usual()) {
        answer(*said, "", out);
        dropping_ = said->drop == Drop::kNo ? Drop::kClose : said->drop;
      } else {
        mode_ = Mode::kChunk;
        chunk_left_ = size;
      }
    }
  } else if (is("STARTTLS")) {
    if (!settings_.offers_starttls || in_tls_) {
      append_reply(out, "502 5.5.1 Not here");
    } else {
      said = verdict(Stage::kStartTls);
      if (!said) return waits_;
      if (answer(*said, "220 2.0.0 Go ahead", out)) {
        used += length;
        return {.kind = Step::Kind::kStartTls};
      }
    }
  } else if (is("AUTH")) {
    const bool login = starts_with_ignoring_case(argument, "LOGIN");
    const bool complete = !login && argument.find(' ') != std::string_view::npos;
    if (complete) {
      said = verdict(Stage::kAuth);
      if (!said) return waits_;
      answer(*said, "235 2.7.0 Authenticated", out);
    } else {
      append_reply(out, login ? "334 VXNlcm5hbWU6" : "334 ");
      auth_lines_ = login && argument.find(' ') == std::string_view::npos ? 2 : 1;
      mode_ = Mode::kAuthReply;
    }
  } else if (is("RSET")) {
    reset_message();
    append_reply(out, "250 2.0.0 Ok");
  } else if (is("NOOP") || is("HELP")) {
    append_reply(out, "250 2.0.0 Ok");
  } else if (is("VRFY")) {
    append_reply(out, "252 2.1.5 Send and see");
  } else if (is("QUIT")) {
    said = verdict(Stage::kQuit);
    if (!said) return waits_;
    answer(*said, "221 2.0.0 Bye", out);
    mode_ = Mode::kDone;
    used += length;
    return {.kind = Step::Kind::kDrop, .drop = said->drop == Drop::kNo ? Drop::kClose : said->drop};
  } else {
    append_reply(out, "500 5.5.2 Unknown command");
  }
  used += length;
  return after_answer();
}

void SinkDialogue::on_mail(std::string_view argument, const Verdict& said, std::string& out) {
  const std::optional<PathArgument> path = path_of(argument, "FROM:");
  const std::uint64_t size_max = script_.offers().size;
  if (has_sender_) {
    append_reply(out, "503 5.5.1 There is a sender already");
  } else if (!path) {
    append_reply(out, "501 5.5.4 MAIL FROM:<address>");
  } else if (size_max != 0 && size_parameter(path->parameters) > size_max) {
    append_reply(out, "552 5.3.4 Too large");
  } else {
    has_sender_ = answer(said, "250 2.1.0 Ok", out);
  }
}

std::optional<SinkDialogue::Step> SinkDialogue::on_content(std::string_view input,
                                                           std::size_t& used, std::string& out) {
  if (!scanner_.found()) {
    if (!content_judged_) {
      const std::optional<Verdict> said = verdict(Stage::kContent, message_.recipients);
      if (!said) return waits_;
      content_judged_ = true;
      drop_in_content_ = said->drop;
      drop_at_ = said->after_bytes;
    }
    const std::size_t length = scanner_.scan(input);
    note_head(input.substr(0, length));
    message_.bytes += length;
    used += length;
    if (drop_in_content_ != Drop::kNo && (message_.bytes >= drop_at_ || scanner_.found())) {
      return Step{.kind = Step::Kind::kDrop, .drop = drop_in_content_, .scripted = true};
    }
    if (!scanner_.found()) return Step{};
    message_.bytes -= std::min<std::uint64_t>(message_.bytes, 3);  // the dot's line
  }
  return finish_message(out);
}

std::optional<SinkDialogue::Step> SinkDialogue::on_chunk(std::string_view input, std::size_t& used,
                                                         std::string& out) {
  const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
  note_head(input.substr(0, length));
  message_.bytes += length;
  chunk_left_ -= length;
  used += length;
  if (chunk_left_ > 0) return Step{};
  if (last_chunk_) return finish_message(out);
  append_reply(out, "250 2.0.0 Chunk taken");
  mode_ = Mode::kCommand;
  return std::nullopt;
}

SinkDialogue::Step SinkDialogue::finish_message(std::string& out) {
  const std::optional<Verdict> said = verdict(Stage::kDot, message_.recipients);
  if (!said) return waits_;
  static constexpr std::string_view kUsual = "250 2.0.0 Ok";
  answer(*said, kUsual, out);
  message_.reply = said->drop != Drop::kNo && said->reply.empty() ? ""
                   : said->reply.empty()                          ? kUsual
                                                                  : said->reply;
  mode_ = Mode::kCommand;
  message_taken_ = true;
  return {.kind = Step::Kind::kTaken, .drop = said->drop, .scripted = said->drop != Drop::kNo};
}

void SinkDialogue::note_head(std::string_view octets) {
  if (!settings_.wants_message_id || head_done_) return;
  const std::size_t room = kHeadMax - head_.size();
  head_.append(octets.substr(0, room));
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos && head_.size() < kHeadMax) return;
  head_done_ = true;
  std::string_view fields = std::string_view(head_).substr(0, end);
  while (!fields.empty()) {
    const std::size_t line_end = std::min(fields.find('\n'), fields.size() - 1);
    const std::string_view line = fields.substr(0, line_end + 1);
    fields.remove_prefix(line_end + 1);
    if (starts_with_ignoring_case(line, "Message-ID:")) {
      message_.message_id = trimmed(line.substr(11));
      return;
    }
  }
}

void SinkDialogue::reset_message() {
  has_sender_ = false;
  message_.sender.clear();
  message_.recipients.clear();
  message_.message_id.clear();
  message_.bytes = 0;
  message_.reply.clear();
  head_.clear();
  head_done_ = false;
  content_judged_ = false;
  drop_in_content_ = Drop::kNo;
}

}  // namespace godwit::cli::bench
