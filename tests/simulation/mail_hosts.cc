#include "tests/simulation/mail_hosts.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <tuple>
#include <utility>

#include "common/async/sleep.h"
#include "common/base/check.h"

namespace godwit::simulation {

using namespace std::chrono_literals;

namespace {

std::vector<Habits> all_habits() {
  return {{.name = "kind"},
          {.name = "flaky", .defers = 30, .defers_content = 15, .slow = 5},
          {.name = "cutting", .takes_and_cuts = 20, .cuts = 20, .slow = 10},
          {.name = "never", .defers = 100},
          {.name = "strict", .defers = 10, .rejects = 60},
          {.name = "down", .refuses = 60, .turns_away = 20},
          {.name = "slow", .defers = 10, .slow = 60}};
}

}  // namespace

// One connection at a host.
struct MailHosts::Session {
  Session(MailHosts& all, std::size_t number, Process& from, int end)
      : hosts(all), host(number), client(from), life(from.life), stream(all.shard_, end) {
    ++hosts.sessions_;
    hosts.awake_ = true;
  }
  ~Session() {
    --hosts.sessions_;
    client.awake = true;  // it sees the end
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  MailHosts& hosts;
  const std::size_t host;
  Process& client;
  const std::uint64_t life;
  net::Stream stream;
  std::string input;
  std::size_t seen = 0;  // of the input: its RCPT commands were told
  std::vector<std::string> recipients;

  // Reads what comes, until the deadline; false: the client is gone.
  [[nodiscard]] async::Task<bool> read(Instant deadline) {
    char buffer[4096];
    const auto got = co_await stream.read_some(buffer, deadline);
    if (!got) co_return got.error().code == net::Errc::kTimeout;
    if (*got == 0) co_return false;
    input.append(buffer, *got);
    // An attempt begins when its command comes, not when it is read: the next one is pipelined behind the final dot.
    for (std::size_t end; (end = input.find("\r\n", seen)) != std::string::npos; seen = end + 2) {
      const std::string_view line = std::string_view(input).substr(seen, end - seen);
      if (line.starts_with("RCPT TO:<")) hosts.laws_.attempted(life, address_in(line));
    }
    co_return true;
  }
  [[nodiscard]] static std::string address_in(std::string_view line) {
    const std::size_t from = line.find('<') + 1;
    return std::string(line.substr(from, line.find('>') - from));
  }
  [[nodiscard]] async::Task<std::optional<std::string>> take(std::string_view mark) {
    std::size_t end;
    while ((end = input.find(mark)) == std::string::npos) {
      const Instant deadline = hosts.world_.now() + 10min;
      if (!co_await read(deadline) || hosts.world_.now() >= deadline) co_return std::nullopt;
    }
    std::string part = input.substr(0, end);
    input.erase(0, end + mark.size());
    seen = seen > end + mark.size() ? seen - end - mark.size() : 0;
    co_return part;
  }
  [[nodiscard]] async::Task<bool> say(std::string text) {
    text += "\r\n";
    client.awake = true;
    const auto written = co_await stream.write(text, hosts.world_.now() + 1min);
    co_return written.has_value();
  }
  // Still listening; false: the client is gone.
  [[nodiscard]] async::Task<bool> wait(Duration time) {
    const Instant until = hosts.world_.now() + time;
    while (hosts.world_.now() < until) {
      if (!co_await read(until)) co_return false;
    }
    co_return true;
  }
};

class MailHosts::Wires final : public net::Connector {
 public:
  Wires(MailHosts& hosts, Process& process) : hosts_(hosts), process_(process) {}
  [[nodiscard]] async::Task<Result<net::Stream>> connect(async::Shard&, net::Address remote,
                                                         std::optional<net::Address>,
                                                         Instant deadline) override {
    for (std::size_t host = 0; host < kDomains; ++host) {
      if (remote.ip == address(host)) co_return co_await hosts_.open(process_, host, deadline);
    }
    co_return fail(net::Errc::kUnreachable, remote.to_text());
  }

 private:
  MailHosts& hosts_;
  Process& process_;
};

MailHosts::MailHosts(World& world, Laws& laws)
    : world_(world), laws_(laws), shard_(0, world.clock()), habits_(all_habits()) {
  CHECK(habits_.size() == kDomains);
}

std::string MailHosts::domain(std::size_t index) {
  return fmt::format("d{}.example", index);
}

net::IpAddress MailHosts::address(std::size_t index) {
  return *net::IpAddress::from_text(fmt::format("11.0.0.{}", index + 1));
}

std::unique_ptr<net::Connector> MailHosts::connector(Process& process) {
  return std::make_unique<Wires>(*this, process);
}

async::Task<Result<net::Stream>> MailHosts::open(Process& process, std::size_t host,
                                                 Instant deadline) {
  co_await async::sleep_for(world_.between(0ms, 80ms));
  if (does(habits_[host].refuses)) {
    if (does(50)) co_return fail(net::Errc::kRefused, "simulated");
    co_await async::sleep_until(deadline);
    co_return fail(net::Errc::kTimeout, "simulated");
  }
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
        "socketpair: {}", errno);
  open_.erase(ends[1]);  // a number comes again only when what had it is closed
  open_[ends[0]] = process.life;
  auto session = std::make_unique<Session>(*this, host, process, ends[1]);
  shard_.spawn(serve(*this, std::move(session)), gate_);
  co_return net::Stream(process.shard(), ends[0]);
}

void MailHosts::killed(std::uint64_t life) {
  for (const auto& [end, whose] : open_) {
    if (whose == life) ::shutdown(end, SHUT_RDWR);
  }
  wake();
  std::erase_if(open_, [life](const auto& one) { return one.second == life; });
}

async::Task<void> MailHosts::serve(MailHosts& hosts, std::unique_ptr<Session> owned) {
  Session& session = *owned;
  const Habits habits = hosts.habits_[session.host];
  if (hosts.does(habits.turns_away)) {
    std::ignore = co_await session.say("421 4.3.2 not now");
    co_return;
  }
  if (!co_await session.say("220 host.example ESMTP")) co_return;
  while (auto line = co_await session.take("\r\n")) {
    std::string reply = "250 2.0.0 ok";
    if (line->starts_with("EHLO")) {
      reply = "250-host.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES";
    } else if (line->starts_with("MAIL")) {
      session.recipients.clear();
    } else if (line->starts_with("RCPT")) {
      if (hosts.does(habits.rejects)) {
        reply = "550 5.1.1 nobody";
      } else if (hosts.world_.chance(habits.defers)) {
        reply = "450 4.2.0 later";
      } else {
        session.recipients.push_back(Session::address_in(*line));
      }
    } else if (line->starts_with("DATA")) {
      if (session.recipients.empty()) {
        reply = "503 5.5.1 no recipients";
      } else {
        if (!co_await session.say("354 go on")) co_return;
        const auto content = co_await session.take("\r\n.\r\n");
        if (!content) co_return;
        if (hosts.does(habits.cuts)) co_return;
        const bool takes = !hosts.does(habits.defers_content);
        const bool slow = hosts.does(habits.slow);
        const bool takes_late = slow && hosts.does(50);
        std::vector<std::size_t> copies;
        const auto take_all = [&] {
          for (const auto& to : session.recipients) {
            copies.push_back(hosts.laws_.taken(session.life, to, *content + "\r\n"));
          }
        };
        if (takes && !takes_late) take_all();
        if (takes && hosts.does(habits.takes_and_cuts)) co_return;
        if (slow && !co_await session.wait(hosts.world_.between(1s, 80s))) {
          for (const auto& to : session.recipients) hosts.laws_.given_up(session.life, to);
          co_return;
        }
        if (takes && takes_late) take_all();
        if (!co_await session.say(takes ? "250 2.0.0 taken" : "451 4.3.0 later")) co_return;
        for (const std::size_t copy : copies) hosts.laws_.heard(copy);
        continue;
      }
    } else if (line->starts_with("QUIT")) {
      std::ignore = co_await session.say("221 2.0.0 bye");
      co_return;
    }
    if (!co_await session.say(reply)) co_return;
  }
}

}  // namespace godwit::simulation
