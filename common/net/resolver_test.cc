// The resolver against a real authoritative server: Debian's knot, with zones made here, on a free
// port.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/test_directory.h"
#include "common/net/dns_wire.h"
#include "common/net/fake_resolver.h"
#include "common/net/test_support.h"
#include "common/net/unbound_resolver.h"

extern char** environ;

namespace godwit::net {
namespace {

using namespace testing;
using async::run_task;
using async::Task;

// --- wire form -----------------------------------------------------------------------------------

TEST(DnsWireTest, QuestionNames) {
  const struct {
    std::string text;
    const char* name;  // nullptr: no DNS message can carry it
  } cases[] = {
      {"Example.TEST", "example.test"},
      {"example.test.", "example.test"},
      {"_25._tcp.mx.example.test", "_25._tcp.mx.example.test"},
      {"", nullptr},
      {".", nullptr},
      {"a..b", nullptr},
      {".a", nullptr},
      {"a..", nullptr},
      {std::string(64, 'a') + ".test", nullptr},
      {"a b.test", nullptr},
      {"a\\046b.test", nullptr},
      {"b\xc3\xbc.test", nullptr},
      {std::string("a\0b", 3), nullptr},
  };
  for (const auto& c : cases) {
    const auto name = dns_question_name(c.text);
    ASSERT_EQ(name.has_value(), c.name != nullptr) << c.text;
    if (name) EXPECT_EQ(*name, c.name);
  }
  EXPECT_TRUE(dns_question_name(std::string(63, 'a') + ".test"));
  std::string longest;
  while (longest.size() < 252) longest += "a.";
  EXPECT_TRUE(dns_question_name(longest + "a"));
  EXPECT_FALSE(dns_question_name(longest + "ab"));
}

std::string_view octets(const char* text, std::size_t size) {
  return {text, size};
}

TEST(DnsWireTest, RecordData) {
  EXPECT_EQ(mx_from_wire(octets("\0\x0a\3MX1\4test\0", 12)), (MxRecord{10, "mx1.test"}));
  EXPECT_EQ(mx_from_wire(octets("\0\0\0", 3)), (MxRecord{0, ""}));  // RFC 7505
  EXPECT_FALSE(mx_from_wire(octets("\0\x0a", 2)));
  EXPECT_FALSE(mx_from_wire(octets("\0\x0a\3mx1", 6))) << "no end";
  EXPECT_FALSE(mx_from_wire(octets("\0\x0a\x09mx1\0", 7))) << "a label longer than the data";
  EXPECT_FALSE(mx_from_wire(octets("\0\x0a\xc0\x0c", 4))) << "compressed";
  EXPECT_FALSE(mx_from_wire(octets("\0\x0a\3m\n1\0", 7))) << "no host has such a name";
  EXPECT_FALSE(mx_from_wire(octets("\0\x0a\1a\0x", 6))) << "something behind the end";
  EXPECT_EQ(txt_from_wire(octets("\3abc\0\2de", 8)), "abcde");
  EXPECT_FALSE(txt_from_wire(octets("\4abc", 4)));
  EXPECT_FALSE(txt_from_wire(""));
  EXPECT_EQ(tlsa_from_wire(octets("\3\1\1xyz", 6)), (TlsaRecord{3, 1, 1, "xyz"}));
  EXPECT_FALSE(tlsa_from_wire(octets("\3\1\1", 3)));
}

// --- the fake ------------------------------------------------------------------------------------

TEST(FakeResolverTest, SaysWhatItWasTold) {
  FakeResolver dns;
  dns.set_mx("Example.test.", {{20, "b.test"}, {10, "a.test"}}).add_address("a.test", "127.0.0.2");
  dns.fail_mx("broken.test", DnsOutcome::kBogus);
  const auto mx = run_task(dns.mx("example.TEST"));
  ASSERT_TRUE(mx.found());
  EXPECT_EQ(mx.records.front().host, "a.test");
  EXPECT_EQ(run_task(dns.addresses("a.test", Family::kIpv6)).outcome, DnsOutcome::kNoData);
  EXPECT_EQ(run_task(dns.addresses("example.test", Family::kIpv4)).outcome, DnsOutcome::kNoData);
  EXPECT_EQ(run_task(dns.mx("nowhere.test")).outcome, DnsOutcome::kNxDomain);
  EXPECT_EQ(run_task(dns.mx("broken.test")).outcome, DnsOutcome::kBogus);
  EXPECT_EQ(dns.asked(), 5U);
}

// --- knot ----------------------------------------------------------------------------------------

constexpr const char* kZone = R"($TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
@ MX 20 mx2
@ MX 10 MX1
@ MX 10 mx0
mx0 A 127.0.0.10
mx1 A 127.0.0.11
mx1 A 127.0.0.12
mx1 AAAA 2001:db8::11
mx2 CNAME mx1
null MX 0 .
@ TXT "v=spf1 " "-all"
_25._tcp.mx1 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
)";

constexpr const char* kConfig = R"(server:
  rundir: {0}
  listen: 127.0.0.1@{1}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: error
database:
  storage: {0}
  journal-db-max-size: 16M
  kasp-db-max-size: 16M
  timer-db-max-size: 16M
policy:
  - id: one
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: {0}
zone:
  - domain: example.test
  - domain: unsigned.test
  - domain: signed.test
    dnssec-signing: on
    dnssec-policy: one
)";

struct Reply {
  int status;
  std::string output;
};

Reply run_command(const std::string& command) {
  Reply reply{-1, ""};
  FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return reply;
  std::array<char, 4096> buffer;
  while (const std::size_t count = ::fread(buffer.data(), 1, buffer.size(), pipe)) {
    reply.output.append(buffer.data(), count);
  }
  reply.status = ::pclose(pipe);
  return reply;
}

// A port that was free for UDP and TCP a moment ago.
std::uint16_t free_port() {
  for (int i = 0; i < 20; ++i) {
    const Fd tcp(::socket(AF_INET, SOCK_STREAM, 0));
    const Fd udp(::socket(AF_INET, SOCK_DGRAM, 0));
    SocketAddress name = SocketAddress::of({IpAddress::loopback(), 0});
    if (::bind(tcp.get(), name.get(), name.length) != 0) continue;
    ::getsockname(tcp.get(), name.get(), &name.length);
    if (::bind(udp.get(), name.get(), name.length) == 0) return name.address().port;
  }
  return 0;
}

class Knot {
 public:
  Knot() {
    for (const char* zone : {"example.test", "signed.test", "unsigned.test"}) {
      folder_.write(std::string(zone) + ".zone", kZone);
    }
    // Another process may take the port in between: then another port.
    for (int attempt = 0; attempt < 5 && !ready_; ++attempt) start();
  }
  ~Knot() { stop(); }

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] std::string server() const { return "127.0.0.1@" + std::to_string(port_); }
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }

  // A DS record of signed.test, and one for a zone that is not signed.
  [[nodiscard]] std::string anchors() const {
    const Reply ds = run_command("keymgr -c " + config() + " signed.test ds");
    const std::string sha256 = ds.output.substr(0, ds.output.find('\n'));
    std::string rest = sha256.substr(sha256.find("DS"));
    const std::filesystem::path file = folder_ / "anchors";
    std::ofstream(file) << "signed.test. 3600 IN " << rest << "\n"
                        << "unsigned.test. 3600 IN " << rest << "\n";
    return file;
  }

 private:
  [[nodiscard]] std::string config() const { return folder_ / "knot.conf"; }

  void start() {
    port_ = free_port();
    std::ofstream(config()) << fmt::format(kConfig, folder_.path().string(), port_);
    const std::string file = config();
    const std::array<const char*, 4> arguments = {"knotd", "-c", file.c_str(), nullptr};
    if (::posix_spawnp(&process_, "knotd", nullptr, nullptr, const_cast<char**>(arguments.data()),
                       environ) != 0) {
      process_ = -1;
      return;
    }
    const Instant end = in(20s);
    while (std::chrono::steady_clock::now() < end && ::waitpid(process_, nullptr, WNOHANG) == 0) {
      const std::string kdig = "kdig +short +time=1 +retry=0 @127.0.0.1 -p " +
                               std::to_string(port_) + " signed.test DNSKEY";
      if (!run_command(kdig).output.empty()) {
        ready_ = true;
        return;
      }
      std::this_thread::sleep_for(50ms);
    }
    stop();
  }

  void stop() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }

  TestDirectory folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
  bool ready_ = false;
};

class UnboundTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { knot_ = std::make_unique<Knot>(); }
  static void TearDownTestSuite() { knot_.reset(); }

  void SetUp() override {
    ASSERT_TRUE(knot_->ready())
        << "knotd did not start: is the Debian package knot (and knot-dnsutils) installed?";
  }

  static std::unique_ptr<UnboundResolver> resolver(UnboundOptions options = {}) {
    if (options.servers.empty()) options.servers = {knot_->server()};
    auto made = UnboundResolver::create(std::move(options));
    EXPECT_TRUE(made) << made.error().to_string();
    return *std::move(made);
  }

  static std::unique_ptr<Knot> knot_;
};
std::unique_ptr<Knot> UnboundTest::knot_;

TEST_F(UnboundTest, MailExchangersInOrder) {
  const auto dns = resolver();
  const auto mx = run_task(dns->mx("Example.Test"));
  ASSERT_TRUE(mx.found()) << mx.why;
  EXPECT_EQ(mx.records,
            (std::vector<MxRecord>{
                {10, "mx0.example.test"}, {10, "mx1.example.test"}, {20, "mx2.example.test"}}));
  EXPECT_FALSE(mx.secure);
  EXPECT_LE(mx.ttl, 300s);
  EXPECT_GT(mx.ttl, 0s);
  const auto null_mx = run_task(dns->mx("null.example.test"));
  EXPECT_EQ(null_mx.records, (std::vector<MxRecord>{{0, ""}}));
}

TEST_F(UnboundTest, AddressesTextAndTlsa) {
  const auto dns = resolver();
  const auto v4 = run_task(dns->addresses("mx2.example.test", Family::kIpv4));
  ASSERT_TRUE(v4.found()) << v4.why;
  EXPECT_EQ(v4.records.size(), 2U);
  EXPECT_EQ(v4.canonical, "mx1.example.test") << "where the CNAME leads";
  EXPECT_EQ(run_task(dns->addresses("mx1.example.test", Family::kIpv6)).records.at(0).to_text(),
            "2001:db8::11");
  EXPECT_EQ(run_task(dns->txt("example.test")).records.at(0), "v=spf1 -all");
  const auto tlsa = run_task(dns->tlsa("_25._tcp.mx1.example.test"));
  ASSERT_TRUE(tlsa.found());
  EXPECT_EQ(tlsa.records.at(0).usage, 3);
  EXPECT_EQ(tlsa.records.at(0).data.size(), 32U);
}

TEST_F(UnboundTest, NothingThereIsToldApart) {
  const auto dns = resolver();
  EXPECT_EQ(run_task(dns->mx("nowhere.example.test")).outcome, DnsOutcome::kNxDomain);
  EXPECT_EQ(run_task(dns->mx("mx0.example.test")).outcome, DnsOutcome::kNoData);
  EXPECT_EQ(run_task(dns->addresses("mx0.example.test", Family::kIpv6)).outcome,
            DnsOutcome::kNoData);
  const auto refused = run_task(dns->mx("not-served-here.example"));
  EXPECT_EQ(refused.outcome, DnsOutcome::kServFail);
  EXPECT_TRUE(refused.temporary());
  EXPECT_EQ(run_task(dns->mx("not a name")).outcome, DnsOutcome::kNxDomain);
}

TEST_F(UnboundTest, SignaturesMakeSecureOrBogus) {
  const auto dns = resolver({.trust_anchor_file = knot_->anchors()});
  const auto found = run_task(dns->mx("signed.test"));
  ASSERT_TRUE(found.found()) << found.why;
  EXPECT_TRUE(found.secure);
  const auto none = run_task(dns->mx("nowhere.signed.test"));
  EXPECT_EQ(none.outcome, DnsOutcome::kNxDomain);
  EXPECT_TRUE(none.secure) << "its absence is proven";
  const auto bogus = run_task(dns->mx("unsigned.test"));
  EXPECT_EQ(bogus.outcome, DnsOutcome::kBogus);
  EXPECT_TRUE(bogus.records.empty());
  EXPECT_FALSE(bogus.why.empty());
  EXPECT_FALSE(run_task(dns->mx("example.test")).secure) << "no anchor for it";
  const auto trusting = resolver({.trust_anchor_file = knot_->anchors(), .validate = false});
  EXPECT_TRUE(run_task(trusting->mx("unsigned.test")).found());
}

TEST_F(UnboundTest, ASilentServerIsATimeout) {
  const Fd silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SocketAddress name = SocketAddress::of({IpAddress::loopback(), 0});
  ASSERT_EQ(::bind(silent.get(), name.get(), name.length), 0);
  ::getsockname(silent.get(), name.get(), &name.length);
  const auto dns =
      resolver({.servers = {"127.0.0.1@" + std::to_string(name.address().port)}, .timeout = 200ms});
  const auto answer = run_task(dns->mx("example.test"));
  EXPECT_EQ(answer.outcome, DnsOutcome::kTimeout);
  EXPECT_TRUE(answer.temporary());
}

Task<void> store_outcome(Resolver& dns, std::string domain, async::StopSignal& stop,
                         std::optional<DnsOutcome>& outcome) {
  outcome = (co_await dns.mx_until(std::move(domain), stop)).outcome;
}

TEST_F(UnboundTest, AQuestionEndsAtTheStop) {
  const Fd silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SocketAddress name = SocketAddress::of({IpAddress::loopback(), 0});
  ASSERT_EQ(::bind(silent.get(), name.get(), name.length), 0);
  ::getsockname(silent.get(), name.get(), &name.length);
  const auto dns =
      resolver({.servers = {"127.0.0.1@" + std::to_string(name.address().port)}, .timeout = 60s});
  async::TestLoop loop;
  async::StopSignal stop;
  std::optional<DnsOutcome> under_way;
  std::optional<DnsOutcome> later;
  loop.spawn(store_outcome(*dns, "example.test", stop, under_way));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  EXPECT_FALSE(under_way);
  stop.request();
  loop.drive([&] { return under_way.has_value(); });
  EXPECT_EQ(*under_way, DnsOutcome::kStopped);
  loop.spawn(store_outcome(*dns, "later.example.test", stop, later));
  loop.drive([&] { return later.has_value(); });
  EXPECT_EQ(*later, DnsOutcome::kStopped);
}

TEST_F(UnboundTest, AnAnswerComesBeforeAStop) {
  const auto dns = resolver();
  async::TestLoop loop;
  async::StopSignal stop;
  std::optional<DnsOutcome> outcome;
  loop.spawn(store_outcome(*dns, "example.test", stop, outcome));
  loop.drive([&] { return outcome.has_value(); });
  EXPECT_EQ(*outcome, DnsOutcome::kFound);
  stop.request();  // nobody is told any more
}

TEST(FakeResolverTest, ADelayedAnswerComesInTimeOrAtTheStop) {
  FakeResolver dns;
  dns.set_mx("slow.test", {{10, "mx.slow.test"}}).delay("SLOW.test", 50ms);
  async::TestLoop loop;
  async::StopSignal stop;
  std::optional<DnsOutcome> outcome;
  loop.spawn(store_outcome(dns, "slow.test", stop, outcome));
  loop.shard().poll();
  EXPECT_FALSE(outcome);
  loop.drive([&] { return outcome.has_value(); });
  EXPECT_EQ(*outcome, DnsOutcome::kFound);
  dns.delay("slow.test", 1h);
  outcome.reset();
  loop.spawn(store_outcome(dns, "slow.test", stop, outcome));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  EXPECT_FALSE(outcome);
  stop.request();
  loop.drive([&] { return outcome.has_value(); });
  EXPECT_EQ(*outcome, DnsOutcome::kStopped);
  EXPECT_EQ(async::run_task(dns.mx_until("slow.test", stop)).outcome, DnsOutcome::kStopped);
}

Task<void> count_answers(UnboundResolver& dns, int number, int& refused, int& ended) {
  const auto answer = co_await dns.mx("m" + std::to_string(number) + ".example.test");
  if (answer.outcome == DnsOutcome::kServFail) ++refused;
  ++ended;
}

TEST_F(UnboundTest, QuestionsUnderWayAreBounded) {
  const Fd silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SocketAddress name = SocketAddress::of({IpAddress::loopback(), 0});
  ASSERT_EQ(::bind(silent.get(), name.get(), name.length), 0);
  ::getsockname(silent.get(), name.get(), &name.length);
  const auto dns = resolver({.servers = {"127.0.0.1@" + std::to_string(name.address().port)},
                             .questions_max = 10,
                             .timeout = 300ms});
  async::TestLoop loop;
  int refused = 0;
  int ended = 0;
  for (int i = 0; i < 25; ++i) loop.spawn(count_answers(*dns, i, refused, ended));
  loop.drive([&] { return ended == 25; });
  EXPECT_EQ(refused, 15);
}

TEST_F(UnboundTest, ManyAtOnceFromSeveralShards) {
  const auto dns = resolver();
  async::Shards shards(3);
  shards.start();
  async::Gate gate;
  std::array<int, 3> refused{};
  std::array<int, 3> ended{};
  for (int i = 0; i < 600; ++i) {
    const auto shard = static_cast<std::size_t>(i % 3);
    shards.at(shard).spawn(count_answers(*dns, i, refused[shard], ended[shard]), gate);
  }
  gate.close_and_wait();
  shards.stop();
  EXPECT_EQ(ended[0] + ended[1] + ended[2], 600);
  EXPECT_EQ(refused[0] + refused[1] + refused[2], 0);
}

TEST_F(UnboundTest, BadSettingsAreNamed) {
  const auto bad_server = UnboundResolver::create({.servers = {"not-an-address"}});
  ASSERT_FALSE(bad_server);
  EXPECT_EQ(bad_server.error().code, Errc::kInvalid);
  EXPECT_NE(bad_server.error().context.find("not-an-address"), std::string::npos);
  EXPECT_FALSE(UnboundResolver::create(
      {.servers = {knot_->server()}, .trust_anchor_file = "/nowhere/root.key"}));
}

}  // namespace
}  // namespace godwit::net
