#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "cli/bench/source_impl.h"
#include "common/text/base64.h"

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;
using async::Shard;
using async::Task;

constexpr Duration kReconnectPause = 100ms;
constexpr Duration kConnectTimeout = 5s;

std::string_view take_line(std::string_view text) {
  return text.substr(0, text.find("\r\n"));
}

bool offers(std::string_view ehlo, std::string_view keyword) {
  while (!ehlo.empty()) {
    const std::string_view line = take_line(ehlo);
    ehlo.remove_prefix(std::min(ehlo.size(), line.size() + 2));
    if (line.size() < 4) continue;
    const std::string_view word = line.substr(4, line.find(' ', 4) - 4);
    if (std::ranges::equal(word, keyword, [](char a, char b) { return std::toupper(a) == b; }))
      return true;
  }
  return false;
}

Error protocol_error(std::string_view stage, std::string_view reply) {
  return {net::Errc::kIo, fmt::format("{}: {}", stage, joined(reply))};
}

}  // namespace

Task<void> Source::Impl::work(Shard& shard) {
  ShardState& state = states[shard.index()];
  async::Sleeper sleeper;
  const async::StopSignal::Callback on_stop(state.stop, [&sleeper] { sleeper.wake(); });
  const auto all_claimed = [this] {
    return options.messages != 0 && next_number >= options.messages;
  };
  while (!stopping && !all_claimed()) {
    const Instant begun = shard.now();
    std::optional<net::Address> local;
    if (options.from_address) local = net::Address{*options.from_address, 0};
    Result<net::Stream> connected =
        co_await net::connect(shard, options.to, local, begun + kConnectTimeout, &state.hard);
    Result<void> greeted = connected ? Result<void>() : fail(connected.error());
    Link link;
    if (connected) {
      link.stream = *std::move(connected);
      const async::StopSignal::Callback on_hard(state.hard, [&link] { link.stream.close(); });
      greeted = co_await greet(link);
      if (greeted) {
        state.report.connect.add(shard.now() - begun);
        ++state.report.connections;
        state.last_success = shard.now();
        co_await send_messages(link, state, sleeper);
      }
    }
    if (greeted) continue;
    ++state.report.connections_failed;
    ++state.report.refusals[greeted.error().code.message()];
    if (shard.now() - state.last_success > options.patience) {
      state.report.gave_up = true;
      co_return;
    }
    if (!co_await sleeper.sleep_until(shard.now() + kReconnectPause)) co_return;
  }
}

Task<Result<void>> Source::Impl::greet(Link& link) {
  const net::TlsPeer peer{.host = options.helo};
  if (options.tls == TlsMode::kImplicit) {
    CO_TRY_VOID(co_await link.stream.start_tls_client(*tls, peer, reply_deadline()));
  }
  CO_TRY(const Reply banner, co_await read_reply(link));
  if (!banner.positive()) co_return fail(protocol_error("banner", banner.text));
  CO_TRY(std::string extensions, co_await hello(link));
  if (options.tls == TlsMode::kStartTls) {
    if (!offers(extensions, "STARTTLS")) co_return fail(protocol_error("STARTTLS", "not offered"));
    CO_TRY(const Reply go, co_await command(link, "STARTTLS\r\n"));
    if (!go.positive()) co_return fail(protocol_error("STARTTLS", go.text));
    if (link.begin != link.end) co_return fail(net::Errc::kTlsInjected);
    CO_TRY_VOID(co_await link.stream.start_tls_client(*tls, peer, reply_deadline()));
    CO_TRY(extensions, co_await hello(link));
  }
  link.pipelining = options.pipelining != Pipelining::kNone && offers(extensions, "PIPELINING");
  if (!options.username.empty()) CO_TRY_VOID(co_await authenticate(link));
  co_return Result<void>{};
}

Task<Result<std::string>> Source::Impl::hello(Link& link) {
  CO_TRY(Reply reply, co_await command(link, fmt::format("EHLO {}\r\n", options.helo)));
  if (!reply.positive()) {
    CO_TRY(reply, co_await command(link, fmt::format("HELO {}\r\n", options.helo)));
  }
  if (!reply.positive()) co_return fail(protocol_error("EHLO", reply.text));
  co_return std::string(reply.text);
}

Task<Result<void>> Source::Impl::authenticate(Link& link) {
  std::string plain;  // RFC 4616: authorization identity, name, password
  plain.append(1, '\0').append(options.username).append(1, '\0').append(options.password);
  const std::string line = fmt::format("AUTH PLAIN {}\r\n", text::base64_encode(plain));
  CO_TRY(const Reply reply, co_await command(link, line));
  if (!reply.positive()) co_return fail(protocol_error("AUTH", reply.text));
  co_return Result<void>{};
}

Task<void> Source::Impl::send_messages(Link& link, ShardState& state, async::Sleeper& sleeper) {
  Shard& shard = Shard::current();
  const bool ahead = options.pipelining == Pipelining::kAhead && link.pipelining;
  std::optional<Message> next;  // its envelope is on the way already
  for (std::uint64_t sent = 0;
       options.messages_per_connection == 0 || sent < options.messages_per_connection; ++sent) {
    const bool envelope_sent = next.has_value();
    std::optional<Message> message =
        envelope_sent ? std::exchange(next, std::nullopt) : co_await next_message(sleeper);
    if (!message) break;
    const Result<std::string> refused_by = co_await envelope(link, state, *message, envelope_sent);
    if (!refused_by) {
      conclude(state, *message, Fate::kCut, refused_by.error().to_string());
      co_return;
    }
    if (!refused_by->empty()) {
      conclude(state, *message, Fate::kRefused, *refused_by);
      if (refused_by->find(" 421") != std::string::npos) co_return;
      if (const Result<Reply> reset = co_await command(link, "RSET\r\n");
          !reset || !reset->positive())
        co_return;
      continue;
    }

    const std::string header = header_of(*message);
    const std::string_view content = body_behind(header.size());
    std::string tail = ".\r\n";
    const bool last =
        options.messages_per_connection != 0 && sent + 1 >= options.messages_per_connection;
    if (ahead && !last) {
      Message following;
      Instant due{};
      if (claim(shard.now(), following.number, due) == Claim::kTaken) {
        append_envelope(tail, following);
        next = following;
        next->begun = shard.now();
      }
    }
    const std::array<std::string_view, 3> pieces{header, content, tail};
    const Result<void> written = co_await link.stream.write(pieces, reply_deadline());
    const Instant dot = shard.now();
    Result<Reply> reply = written ? co_await read_reply(link) : fail(written.error());
    if (!reply) {
      // What the kernel took may have arrived, the dot too.
      conclude(state, *message, Fate::kUnknown, reply.error().to_string());
      if (next) conclude(state, *next, Fate::kCut, "its connection ended");
      co_return;
    }
    state.report.dot.add(shard.now() - dot);
    if (reply->positive()) {
      state.report.bytes += header.size() + content.size();
      conclude(state, *message, Fate::kAccepted, reply->text);
    } else {
      refuse(state, "dot", reply->text);
      conclude(state, *message, Fate::kRefused, reply->text);
      if (reply->code == 421) {
        if (next) conclude(state, *next, Fate::kCut, "its connection ended");
        co_return;
      }
    }
  }
  (void)co_await command(link, "QUIT\r\n");
}

Task<Result<std::string>> Source::Impl::envelope(Link& link, ShardState& state, Message& message,
                                                 bool sent) {
  return link.pipelining ? envelope_at_once(link, state, message, sent)
                         : envelope_in_steps(link, state, message);
}

Task<Result<std::string>> Source::Impl::envelope_in_steps(Link& link, ShardState& state,
                                                          Message& message) {
  Shard& shard = Shard::current();
  const auto refused = [&](std::string_view stage, const Reply& reply) {
    refuse(state, stage, reply.text);
    return fmt::format("{} {}", stage, joined(reply.text));
  };
  std::string line;
  append_mail(line, message);
  Instant begun = shard.now();
  CO_TRY(const Reply mail, co_await command(link, line));
  state.report.mail.add(shard.now() - begun);
  if (!mail.positive()) co_return refused("mail", mail);
  std::string last_refusal;
  for (std::size_t i = 0; i < options.recipients; ++i) {
    line.clear();
    append_rcpt(line, message, i);
    begun = shard.now();
    CO_TRY(const Reply rcpt, co_await command(link, line));
    state.report.rcpt.add(shard.now() - begun);
    if (rcpt.positive()) {
      ++message.recipients_accepted;
    } else {
      ++state.report.recipients_refused;
      message.refused.push_back(i);
      last_refusal = refused("rcpt", rcpt);
    }
  }
  if (message.recipients_accepted == 0) co_return last_refusal;
  begun = shard.now();
  CO_TRY(const Reply data, co_await command(link, "DATA\r\n"));
  state.report.data.add(shard.now() - begun);
  if (data.code != 354) co_return refused("data", data);
  co_return std::string();
}

Task<Result<std::string>> Source::Impl::envelope_at_once(Link& link, ShardState& state,
                                                         Message& message, bool sent) {
  Shard& shard = Shard::current();
  std::string first_refusal;
  const auto judge = [&](std::string_view stage, const Reply& reply) {
    refuse(state, stage, reply.text);
    if (first_refusal.empty()) first_refusal = fmt::format("{} {}", stage, joined(reply.text));
  };
  if (!sent) {
    std::string lines;
    append_envelope(lines, message);
    message.begun = shard.now();
    CO_TRY_VOID(co_await link.stream.write(lines, reply_deadline()));
  }
  CO_TRY(const Reply mail, co_await read_reply(link));
  if (!sent) state.report.mail.add(shard.now() - message.begun);
  const bool sender_taken = mail.positive();
  if (!sender_taken) judge("mail", mail);
  for (std::size_t i = 0; i < options.recipients; ++i) {
    CO_TRY(const Reply rcpt, co_await read_reply(link));
    if (rcpt.positive()) {
      ++message.recipients_accepted;
    } else if (sender_taken) {
      ++state.report.recipients_refused;
      message.refused.push_back(i);
      judge("rcpt", rcpt);
    }
  }
  CO_TRY(const Reply data, co_await read_reply(link));
  if (data.code == 354) {
    if (message.recipients_accepted != 0) co_return std::string();
    CO_TRY(const Reply empty,
           co_await command(link, ".\r\n"));  // RFC 2920 s3.1: nobody to send it to
    (void)empty;
  } else if (message.recipients_accepted != 0) {
    judge("data", data);
  }
  co_return first_refusal.empty() ? "data" : first_refusal;
}

Task<Result<Reply>> Source::Impl::command(Link& link, std::string_view line) {
  // Borrowed until the task ends; so is `line` by the callers, who await at once.
  CO_TRY_VOID(co_await link.stream.write(line, reply_deadline()));
  co_return co_await read_reply(link);
}

Task<Result<Reply>> Source::Impl::read_reply(Link& link) {
  while (true) {
    const std::string_view input(link.buffer.data() + link.begin, link.end - link.begin);
    for (std::size_t at = 0;;) {
      const std::size_t line_end = input.find("\r\n", at);
      if (line_end == std::string_view::npos) break;
      if (line_end < at + 3) co_return fail(protocol_error("reply", input.substr(0, line_end)));
      if (line_end == at + 3 || input[at + 3] != '-') {  // the last line
        Reply reply;
        std::from_chars(input.data() + at, input.data() + at + 3, reply.code);
        reply.text = input.substr(0, line_end);
        link.begin += line_end + 2;
        states[Shard::current().index()].last_reply = Shard::current().now();
        co_return reply;
      }
      at = line_end + 2;
    }
    if (link.begin == link.end) {
      link.begin = link.end = 0;
    } else if (link.end == link.buffer.size()) {
      if (link.begin == 0) co_return fail(protocol_error("reply", "too long"));
      std::copy(link.buffer.begin() + static_cast<std::ptrdiff_t>(link.begin), link.buffer.end(),
                link.buffer.begin());
      link.end -= std::exchange(link.begin, 0);
    }
    CO_TRY(
        const std::size_t count,
        co_await link.stream.read_some(std::span(link.buffer).subspan(link.end), reply_deadline()));
    if (count == 0) co_return fail(net::Errc::kPeerClosed);
    link.end += count;
  }
}

}  // namespace godwit::cli::bench
