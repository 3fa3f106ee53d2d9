// Runs tests/dialogs/*.smtp against the two machines; tests/dialogs/README.md has the format.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sstream>

#include "common/smtp/client_session.h"
#include "common/smtp/server_session.h"

namespace godwit::smtp {
namespace {

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      out += text[at];
      continue;
    }
    switch (text[++at]) {
      case 'r': out += '\r'; break;
      case 'n': out += '\n'; break;
      case '0': out += '\0'; break;
      case 'x': {
        unsigned octet = 0;
        std::from_chars(text.data() + at + 1, text.data() + at + 3, octet, 16);
        out += static_cast<char>(octet);
        at += 2;
        break;
      }
      case '*': {
        std::size_t count = 0;
        const auto end =
            std::from_chars(text.data() + at + 1, text.data() + text.size(), count).ptr;
        out.append(count - 1, out.back());
        at = static_cast<std::size_t>(end - text.data()) - 1;
        break;
      }
      default: out += text[at];
    }
  }
  return out;
}

std::string escape(std::string_view octets) {
  std::string out;
  for (const char c : octets) {
    if (c == '\r')
      out += "\\r";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\0')
      out += "\\0";
    else
      out += c;
  }
  return out;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// "550 5.1.1 No such user"
Reply reply_of(const std::string& text) {
  const auto parsed = parse_reply(text + "\r\n");
  EXPECT_TRUE(parsed && *parsed) << text;
  return (*parsed)->reply;
}

struct Line {
  int number = 0;
  char side = 0;  // 'C' or 'S'; '=' a setting
  char kind = 0;  // ':' a line, '>' octets, '|' an event
  std::string text;

  [[nodiscard]] std::string octets() const { return kind == '>' ? unescape(text) : text + "\r\n"; }
  [[nodiscard]] std::string shown() const { return std::string{side, kind} + " " + text; }
};

struct Dialog {
  std::vector<Line> lines;
  std::vector<std::string> settings;

  static Dialog read(const std::filesystem::path& path) {
    Dialog dialog;
    std::ifstream in(path);
    EXPECT_TRUE(in) << path;
    int number = 0;
    for (std::string text; std::getline(in, text);) {
      ++number;
      if (text.empty() || text[0] == '#') continue;
      if (text[0] == '=') {
        dialog.settings.push_back(text.substr(2));
      } else if (text.size() >= 2 && (text[0] == 'C' || text[0] == 'S') &&
                 std::string_view(":>|").find(text[1]) != std::string_view::npos) {
        dialog.lines.push_back({number, text[0], text[1], text.size() > 3 ? text.substr(3) : ""});
      } else {
        ADD_FAILURE() << path << ":" << number << ": cannot read: " << text;
      }
    }
    return dialog;
  }
};

bool matches(const std::string& expected, const std::string& actual) {
  if (!expected.ends_with("...")) return expected == actual;
  return actual.starts_with(expected.substr(0, expected.size() - 3));
}

// Cuts a flight into the pieces that "arrive".
using Split = std::function<std::vector<std::string>(const std::string&)>;

// What a machine did since it was last asked, as lines of a dialog.
class Transcript {
 public:
  explicit Transcript(char side) : side_(side) {}
  void said(std::string_view octets) {
    pending_ += octets;
    flush_lines();
  }
  void did(const std::string& what) { shown_.push_back(std::string{side_} + "| " + what); }
  [[nodiscard]] std::deque<std::string>& shown() { return shown_; }
  [[nodiscard]] const std::string& half_line() const { return pending_; }

 private:
  void flush_lines() {
    for (auto end = pending_.find("\r\n"); end != std::string::npos; end = pending_.find("\r\n")) {
      shown_.push_back(std::string{side_} + ": " + escape(pending_.substr(0, end)));
      pending_.erase(0, end + 2);
    }
  }
  char side_;
  std::string pending_;
  std::deque<std::string> shown_;
};

// --- the server's machine ------------------------------------------------------------------------

class ServerPlayer {
 public:
  explicit ServerPlayer(const std::vector<std::string>& settings) {
    for (const std::string& setting : settings) configure(setting);
    session_ = std::make_unique<ServerSession>(config_, tls_);
    drive();
  }
  [[nodiscard]] Transcript& transcript() { return transcript_; }

  void receive(const std::string& octets) {
    if (closed_) return;
    input_ += octets;
    drive();
  }

 private:
  void configure(const std::string& setting) {
    const auto words = words_of(setting);
    const auto rest = [&](std::size_t skip) {
      std::string text = setting;
      for (; skip > 0; --skip) text = text.substr(text.find(' ') + 1);
      return text;
    };
    const std::string& name = words[0];
    if (name == "kind")
      config_.kind = words[1] == "relay"     ? ServerKind::kRelay
                     : words[1] == "inbound" ? ServerKind::kInbound
                                             : ServerKind::kSubmission;
    else if (name == "tls")
      tls_ = true;
    else if (name == "starttls")
      config_.starttls = true;
    else if (name == "tls_required")
      config_.tls_required = true;
    else if (name == "auth_in_clear")
      config_.auth_in_clear = true;
    else if (name == "no_chunking")
      config_.chunking = false;
    else if (name == "password")
      passwords_[words[1]] = words[2];
    else if (name == "refuse" && words[1] == "rcpt")
      refused_recipients_[words[2]] = reply_of(rest(3));
    else if (name == "refuse")
      refused_[words[1]] = reply_of(rest(2));
    else if (name == "limit")
      limit(words[1], std::stoul(words[2]));
    else if (name != "whole")
      ADD_FAILURE() << "unknown setting " << setting;
  }

  void limit(const std::string& name, std::size_t value) {
    ServerLimits& limits = config_.limits;
    if (name == "content_bytes_max")
      limits.content_bytes_max = value;
    else if (name == "content_drained_bytes_max")
      limits.content_drained_bytes_max = value;
    else if (name == "content_line_bytes_max")
      limits.content_line_bytes_max = value;
    else if (name == "recipients_max")
      limits.recipients_max = value;
    else if (name == "messages_max")
      limits.messages_max = value;
    else if (name == "errors_max")
      limits.errors_max = value;
    else if (name == "unknown_commands_max")
      limits.unknown_commands_max = value;
    else if (name == "idle_commands_max")
      limits.idle_commands_max = value;
    else if (name == "auth_failures_max")
      limits.auth_failures_max = value;
    else
      ADD_FAILURE() << "unknown limit " << name;
  }

  void decide(const std::string& stage) {
    const auto found = refused_.find(stage);
    found == refused_.end() ? session_->accept() : session_->answer(found->second);
  }

  void take_message() {
    const Envelope& envelope = session_->envelope();
    std::string recipients;
    for (const auto& recipient : envelope.recipients) {
      recipients += (recipients.empty() ? "<" : ",<") + recipient.address.text() + ">";
    }
    EXPECT_EQ(session_->content_facts().size, content_.size());
    transcript_.did("takes <" + envelope.sender.text() + "> -> " + recipients + " " +
                    escape(content_));
    content_.clear();
    const auto found = refused_.find("message");
    session_->answer(found == refused_.end() ? Reply::of(250, {2, 0, 0}, "Ok: queued as 1")
                                             : found->second);
  }

  void drive() {
    using Kind = ServerAction::Kind;
    for (;;) {
      const ServerAction action = session_->next(input_);
      ASSERT_LE(action.consumed, input_.size());
      if (action.kind == Kind::kContent) {
        ASSERT_EQ(action.content.data() + action.content.size(), input_.data() + action.consumed);
        content_ += action.content;
      }
      input_.erase(0, action.consumed);
      switch (action.kind) {
        case Kind::kContent: break;
        case Kind::kMail: decide("mail"); break;
        case Kind::kData: decide("data"); break;
        case Kind::kRcpt: {
          const auto found = refused_recipients_.find(session_->recipient().address.text());
          found == refused_recipients_.end() ? session_->accept() : session_->answer(found->second);
          break;
        }
        case Kind::kMessage:
          transcript_.said(session_->take_output());
          take_message();
          break;
        case Kind::kAbort:
          content_.clear();
          transcript_.said(session_->take_output());
          transcript_.did("drops");
          break;
        case Kind::kAuth: {
          const auto found = passwords_.find(session_->credentials().username);
          const bool right =
              found != passwords_.end() && found->second == session_->credentials().password;
          session_->answer(right ? Reply::of(235, {2, 7, 0}, "Authentication successful")
                                 : Reply::of(535, {5, 7, 8}, "Authentication failed"));
          break;
        }
        case Kind::kWrite: transcript_.said(session_->take_output()); break;
        case Kind::kStartTls:
          transcript_.said(session_->take_output());
          transcript_.did("starts tls");
          session_->tls_started();
          break;
        case Kind::kRead: transcript_.said(session_->take_output()); return;
        case Kind::kClose:
          transcript_.said(session_->take_output());
          transcript_.did("closes");
          closed_ = true;
          return;
      }
    }
  }

  ServerConfig config_{.hostname = "mx.example"};
  bool tls_ = false;
  bool closed_ = false;
  std::map<std::string, std::string> passwords_;
  std::map<std::string, Reply> refused_;
  std::map<std::string, Reply> refused_recipients_;
  std::unique_ptr<ServerSession> session_;
  std::string input_;
  std::string content_;
  Transcript transcript_{'S'};
};

// --- the client's machine ------------------------------------------------------------------------

class ClientPlayer {
 public:
  explicit ClientPlayer(const std::vector<std::string>& settings) {
    ClientConfig config{.helo = "client.example", .tls = ClientTls::kNever};
    for (const std::string& setting : settings) {
      const auto words = words_of(setting);
      if (words[0] == "tls")
        config.tls = words[1] == "offered"    ? ClientTls::kIfOffered
                     : words[1] == "required" ? ClientTls::kRequired
                                              : ClientTls::kNever;
      else if (words[0] == "user")
        config.credentials =
            Credentials{.authorization = {}, .username = words[1], .password = words[2]};
      else if (words[0] == "auth_in_clear")
        config.auth_in_clear = true;
      else if (words[0] == "no_pipelining")
        config.pipelining = false;
      else if (words[0] != "whole")
        ADD_FAILURE() << "unknown setting " << setting;
    }
    session_ = std::make_unique<ClientSession>(std::move(config));
    drive();
  }
  [[nodiscard]] Transcript& transcript() { return transcript_; }

  void receive(const std::string& octets) {
    input_ += octets;
    drive();
  }
  void server_event(const std::string& event) {
    if (event == "disconnects")
      session_->disconnected("peer closed");
    else if (event == "breaks tls")
      break_tls_ = true;
    else
      ADD_FAILURE() << "unknown event " << event;
    drive();
  }
  void offer(const std::string& event) {
    if (event == "quit") {
      session_->quit();
    } else {
      offered_.push_back(transaction_of(event));
    }
    drive();
  }

 private:
  static ClientTransaction transaction_of(const std::string& event) {
    ClientTransaction transaction;
    std::istringstream in(event);
    std::string word;
    in >> word >> transaction.tag >> word;
    transaction.sender = word.substr(1, word.size() - 2);
    in >> word;
    std::istringstream recipients(word);
    for (std::string one; std::getline(recipients, one, ',');) {
      transaction.recipients.push_back({.address = unescape(one.substr(1, one.size() - 2))});
    }
    while (in >> word) {
      const auto value = word.substr(word.find('=') + 1);
      if (word.starts_with("size="))
        transaction.size = std::stoul(value);
      else if (word == "8bit")
        transaction.eight_bit = true;
      else if (word == "utf8")
        transaction.smtputf8 = true;
      else if (word == "ret=FULL")
        transaction.ret = Ret::kFull;
      else if (word == "ret=HDRS")
        transaction.ret = Ret::kHeaders;
      else if (word.starts_with("envid="))
        transaction.envid = value;
      else if (word.starts_with("notify="))
        transaction.recipients.back().notify = static_cast<std::uint8_t>(std::stoul(value));
      else if (word.starts_with("orcpt="))
        transaction.recipients.back().orcpt = value;
      else if (word == "plain")
        transaction.dot_stuffed = false;
      else
        transaction.content = Bytes::adopt(unescape(word));
    }
    return transaction;
  }

  void show(const TransactionOutcome& outcome) {
    static constexpr const char* kKinds[] = {"delivered", "deferred", "refused", "unknown"};
    for (const RecipientOutcome& one : outcome.recipients) {
      transcript_.did("outcome " + std::to_string(outcome.tag) + " " +
                      kKinds[static_cast<int>(one.kind)] + " " +
                      std::string(stage_name(one.stage)) + " " + one.reply.to_text() +
                      (outcome.attempted ? "" : " (not attempted)"));
    }
  }

  void drive() {
    using Kind = ClientAction::Kind;
    for (;;) {
      const ClientAction action = session_->next(input_);
      ASSERT_LE(action.consumed, input_.size());
      input_.erase(0, action.consumed);
      if (session_->can_begin() && !offered_.empty()) {
        session_->begin(std::move(offered_.front()));
        offered_.pop_front();
        idle_ = false;
        continue;
      }
      switch (action.kind) {
        case Kind::kWrite:
          idle_ = false;
          transcript_.said(session_->take_output().to_string());
          break;
        case Kind::kStartTls:
          transcript_.did("starts tls");
          break_tls_ ? session_->tls_failed("bad certificate") : session_->tls_started();
          break;
        case Kind::kOutcome: show(session_->take_outcome()); break;
        case Kind::kRead: return;
        case Kind::kIdle:
          if (!std::exchange(idle_, true)) transcript_.did("idle");
          return;
        case Kind::kClosed:
          if (std::exchange(closed_, true)) return;
          if (session_->failure()) {
            transcript_.did("fails " + std::string(stage_name(session_->failure()->stage)) + " " +
                            session_->failure()->reply.to_text());
          }
          transcript_.did("closes");
          return;
      }
    }
  }

  std::unique_ptr<ClientSession> session_;
  std::deque<ClientTransaction> offered_;
  bool break_tls_ = false;
  bool idle_ = false;
  bool closed_ = false;
  std::string input_;
  Transcript transcript_{'C'};
};

// --- the play ------------------------------------------------------------------------------------

void expect_all(const std::vector<Line>& expected, Transcript& transcript, const std::string& how) {
  auto& shown = transcript.shown();
  for (const Line& line : expected) {
    ASSERT_FALSE(shown.empty()) << "line " << line.number << " (" << how
                                << "): expected and not seen: " << line.shown();
    EXPECT_TRUE(matches(line.shown(), shown.front()))
        << "line " << line.number << " (" << how << ")\n expected " << line.shown()
        << "\n got      " << shown.front();
    shown.pop_front();
  }
  EXPECT_TRUE(shown.empty()) << "behind line " << (expected.empty() ? 0 : expected.back().number)
                             << " (" << how << "): not expected: " << shown.front();
  EXPECT_EQ(transcript.half_line(), "") << how;
}

template <class Player>
void act(Player& player, const Line& line);
template <>
void act(ServerPlayer&, const Line& line) {
  ADD_FAILURE() << "line " << line.number << ": a client in a server's dialog only talks";
}
template <>
void act(ClientPlayer& player, const Line& line) {
  line.side == 'C' ? player.offer(line.text) : player.server_event(line.text);
}

// Lines of the scripted side go to the machine, a flight at a time; what it does is compared.
template <class Player>
void play(const Dialog& dialog, char machine, const Split& split, const std::string& how) {
  Player player(dialog.settings);
  const auto is_input = [machine](const Line& line) {
    if (line.side != machine) return true;
    return line.kind == '|' && (line.text.starts_with("begin ") || line.text == "quit");
  };
  std::size_t at = 0;
  while (at < dialog.lines.size()) {
    std::string flight;
    const auto send = [&] {
      for (const std::string& piece : split(std::exchange(flight, {}))) player.receive(piece);
    };
    for (; at < dialog.lines.size() && is_input(dialog.lines[at]); ++at) {
      const Line& line = dialog.lines[at];
      if (line.kind == '|') {
        send();
        act(player, line);
      } else {
        flight += line.octets();
      }
    }
    send();
    std::vector<Line> expected;
    for (; at < dialog.lines.size() && !is_input(dialog.lines[at]); ++at)
      expected.push_back(dialog.lines[at]);
    expect_all(expected, player.transcript(), how);
    if (testing::Test::HasFailure()) return;
  }
}

class DialogTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(DialogTest, Plays) {
  const Dialog dialog = Dialog::read(GetParam());
  ASSERT_FALSE(dialog.lines.empty());
  const bool server = GetParam().filename().string().starts_with("server_");
  const auto run = [&](const Split& split, const std::string& how) {
    server ? play<ServerPlayer>(dialog, 'S', split, how)
           : play<ClientPlayer>(dialog, 'C', split, how);
  };
  run([](const std::string& flight) { return std::vector{flight}; }, "whole");
  if (std::ranges::find(dialog.settings, "whole") != dialog.settings.end() || HasFailure()) return;
  run(
      [](const std::string& flight) {
        std::vector<std::string> pieces;
        for (const char c : flight) pieces.emplace_back(1, c);
        return pieces;
      },
      "octet by octet");
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    run(
        [&random](const std::string& flight) {
          std::vector<std::string> pieces;
          for (std::size_t at = 0; at < flight.size();) {
            const std::size_t length = 1 + random() % 60;
            pieces.push_back(flight.substr(at, length));
            at += length;
          }
          return pieces;
        },
        "seed " + std::to_string(seed));
  }
}

std::vector<std::filesystem::path> dialogs() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(GODWIT_SOURCE_DIR "/tests/dialogs")) {
    if (entry.path().extension() == ".smtp") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Dialogs, DialogTest, testing::ValuesIn(dialogs()),
                         [](const auto& instance) { return instance.param.stem().string(); });

}  // namespace
}  // namespace godwit::smtp
