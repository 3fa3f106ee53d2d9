#include "sender/mx_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace godwit::sender {
namespace {

using net::DnsAnswer;
using net::DnsOutcome;
using net::IpAddress;
using net::MxRecord;
using Kind = MxPlan::Step::Kind;

constexpr std::uint16_t kPort = 25;
const MxPlan::Refused kNone = [](const IpAddress&) { return false; };

DnsAnswer<MxRecord> mx(std::vector<MxRecord> records) {
  return {.outcome = DnsOutcome::kFound, .records = std::move(records)};
}
DnsAnswer<IpAddress> addresses(std::initializer_list<const char*> texts) {
  DnsAnswer<IpAddress> answer{.outcome = DnsOutcome::kFound};
  for (const char* text : texts) answer.records.push_back(*IpAddress::from_text(text));
  if (answer.records.empty()) answer.outcome = DnsOutcome::kNoData;
  return answer;
}
template <class Record>
DnsAnswer<Record> failure(DnsOutcome outcome) {
  return {.outcome = outcome};
}

class MxPlanTest : public testing::Test {
 protected:
  // Everything the plan tries, with the zone `hosts` (a missing host is NXDOMAIN).
  std::vector<std::string> tried(MxPlan& plan) {
    std::vector<std::string> order;
    for (;;) {
      const auto step = plan.next();
      if (step.kind == Kind::kExhausted) return order;
      if (step.kind == Kind::kConnect) {
        order.push_back(step.target.address.to_text());
        continue;
      }
      const auto four = v4_.find(step.host);
      const auto six = v6_.find(step.host);
      const bool known = four != v4_.end() || six != v6_.end();
      const auto missing = failure<IpAddress>(known ? DnsOutcome::kNoData : DnsOutcome::kNxDomain);
      plan.resolved(four != v4_.end() ? four->second : missing,
                    six != v6_.end() ? six->second : missing, families_, refused_, random_);
    }
  }

  std::map<std::string, DnsAnswer<IpAddress>> v4_;
  std::map<std::string, DnsAnswer<IpAddress>> v6_;
  MxPlan::Families families_;
  MxPlan::Refused refused_ = kNone;
  SeededRandom random_{3};
};

TEST_F(MxPlanTest, DnsFailuresOfTheDomain) {
  const struct {
    DnsOutcome outcome;
    bool permanent;
    const char* code;
  } cases[] = {
      {DnsOutcome::kServFail, false, "4.4.3"},
      {DnsOutcome::kTimeout, false, "4.4.3"},
      {DnsOutcome::kBogus, false, "4.4.3"},
      {DnsOutcome::kNxDomain, true, "5.1.2"},
  };
  for (const auto& test : cases) {
    MxPlan plan = MxPlan::from_mx("d.example", failure<MxRecord>(test.outcome), kPort, random_);
    EXPECT_TRUE(tried(plan).empty());
    EXPECT_EQ(plan.verdict().permanent, test.permanent);
    EXPECT_EQ(plan.verdict().reply.enhanced->to_text(), test.code);
    EXPECT_EQ(plan.verdict().reply.code, 0);
    EXPECT_NE(plan.verdict().reply.text.find("d.example"), std::string::npos);
  }
}

TEST_F(MxPlanTest, NullMxBounces) {
  MxPlan plan = MxPlan::from_mx("d.example", mx({{0, ""}}), kPort, random_);
  EXPECT_TRUE(tried(plan).empty());
  EXPECT_TRUE(plan.verdict().permanent);
  EXPECT_EQ(plan.verdict().reply.enhanced->to_text(), "5.1.10");
}

TEST_F(MxPlanTest, ARootBesideRealHostsIsIgnored) {
  v4_["mx.example"] = addresses({"8.8.8.1"});
  MxPlan plan = MxPlan::from_mx("d.example", mx({{0, ""}, {10, "mx.example"}}), kPort, random_);
  EXPECT_EQ(tried(plan), (std::vector<std::string>{"8.8.8.1:25"}));
}

TEST_F(MxPlanTest, WithoutMxTheDomainItselfIsTheHost) {
  v4_["d.example"] = addresses({"8.8.8.1"});
  MxPlan plan =
      MxPlan::from_mx("d.example", failure<MxRecord>(DnsOutcome::kNoData), kPort, random_);
  EXPECT_EQ(tried(plan), (std::vector<std::string>{"8.8.8.1:25"}));
}

TEST_F(MxPlanTest, PreferenceOrdersAndEqualsAreShuffled) {
  for (const char* host : {"a", "b", "c", "z"}) {
    v4_[host] = addresses({("8.8.8." + std::to_string(host[0])).c_str()});
  }
  std::set<std::vector<std::string>> orders;
  for (int i = 0; i < 200; ++i) {
    MxPlan plan = MxPlan::from_mx("d.example", mx({{20, "z"}, {10, "a"}, {10, "b"}, {10, "c"}}),
                                  kPort, random_);
    auto order = tried(plan);
    ASSERT_EQ(order.size(), 4U);
    EXPECT_EQ(order.back(), "8.8.8.122:25");
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6U);
}

TEST_F(MxPlanTest, FamiliesInTurnIpv6First) {
  families_.ipv6 = true;
  v4_["mx"] = addresses({"8.8.8.1", "8.8.8.2"});
  v6_["mx"] = addresses({"2a00:1450::1"});
  MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "mx"}}), kPort, random_);
  const auto order = tried(plan);
  ASSERT_EQ(order.size(), 3U);
  EXPECT_EQ(order[0], "[2a00:1450::1]:25");
}

TEST_F(MxPlanTest, NoIpv6WithoutAnAddress6) {
  v4_["mx"] = addresses({"8.8.8.1"});
  v6_["mx"] = addresses({"2a00:1450::1"});
  MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "mx"}}), kPort, random_);
  EXPECT_EQ(tried(plan), (std::vector<std::string>{"8.8.8.1:25"}));

  v4_.clear();
  MxPlan only_six = MxPlan::from_mx("d.example", mx({{1, "mx"}}), kPort, random_);
  EXPECT_TRUE(tried(only_six).empty());
  EXPECT_FALSE(only_six.verdict().permanent);
  EXPECT_EQ(only_six.verdict().reply.enhanced->to_text(), "4.4.4");
}

TEST_F(MxPlanTest, AddressesOfNobodyAndOfOursAreRefused) {
  refused_ = [](const IpAddress& address) { return address.to_text() == "8.8.8.7"; };
  families_.ipv6 = true;
  for (const char* address : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1",
                              "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "8.8.8.7"}) {
    v4_["mx"] = addresses({address});
    MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "mx"}}), kPort, random_);
    EXPECT_TRUE(tried(plan).empty()) << address;
    EXPECT_TRUE(plan.verdict().permanent) << address;
    EXPECT_EQ(plan.verdict().reply.enhanced->to_text(), "5.4.4") << address;
  }
  v4_.clear();
  for (const char* address : {"::1", "fe80::1", "fc00::1", "::", "ff02::1", "::ffff:127.0.0.1"}) {
    v6_["mx"] = addresses({address});
    MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "mx"}}), kPort, random_);
    EXPECT_TRUE(tried(plan).empty()) << address;
    EXPECT_EQ(plan.verdict().reply.enhanced->to_text(), "5.4.4") << address;
  }
}

TEST_F(MxPlanTest, AGoodHostBesideARefusedOneIsUsed) {
  v4_["bad"] = addresses({"127.0.0.1"});
  v4_["good"] = addresses({"10.0.0.1", "8.8.8.1"});
  MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "bad"}, {2, "good"}}), kPort, random_);
  EXPECT_EQ(tried(plan), (std::vector<std::string>{"8.8.8.1:25"}));
}

TEST_F(MxPlanTest, HostsThatCannotBeResolved) {
  const struct {
    DnsOutcome one;
    DnsOutcome two;
    bool permanent;
    const char* code;
  } cases[] = {
      {DnsOutcome::kNxDomain, DnsOutcome::kNxDomain, true, "5.4.4"},
      {DnsOutcome::kNxDomain, DnsOutcome::kServFail, false, "4.4.3"},
      {DnsOutcome::kTimeout, DnsOutcome::kNxDomain, false, "4.4.3"},
      {DnsOutcome::kNxDomain, DnsOutcome::kNoData, false, "4.4.4"},
      {DnsOutcome::kBogus, DnsOutcome::kNoData, false, "4.4.3"},
  };
  for (const auto& test : cases) {
    v4_["one"] = failure<IpAddress>(test.one);
    v4_["two"] = failure<IpAddress>(test.two);
    MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "one"}, {2, "two"}}), kPort, random_);
    EXPECT_TRUE(tried(plan).empty());
    EXPECT_EQ(plan.verdict().permanent, test.permanent) << test.code;
    EXPECT_EQ(plan.verdict().reply.enhanced->to_text(), test.code);
  }
}

TEST_F(MxPlanTest, AFailedConnectionIsReportedBeforeAnythingElse) {
  v4_["one"] = addresses({"8.8.8.1"});
  MxPlan plan = MxPlan::from_mx("d.example", mx({{1, "one"}, {2, "gone"}}), kPort, random_);
  auto step = plan.next();
  plan.resolved(v4_["one"], failure<IpAddress>(DnsOutcome::kNoData), families_, kNone, random_);
  step = plan.next();
  ASSERT_EQ(step.kind, Kind::kConnect);
  plan.failed(smtp::Reply::of(421, {4, 3, 2}, "busy"), "policy-related", "banner");
  EXPECT_TRUE(tried(plan).empty());
  EXPECT_FALSE(plan.verdict().permanent);
  EXPECT_EQ(plan.verdict().reply.code, 421);
}

TEST_F(MxPlanTest, HostsAddressesAndConnectionsAreBounded) {
  std::vector<MxRecord> records;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const std::string host = "mx" + std::to_string(i);
    records.push_back({i, host});
    auto& answer = v4_[host] = addresses({"8.8.8.1"});
    for (int n = 0; n < 100; ++n) answer.records.push_back(answer.records.front());
  }
  MxPlan plan = MxPlan::from_mx("d.example", mx(records), kPort, random_);
  EXPECT_EQ(tried(plan).size(), MxPlan::kConnectionsMax);
  EXPECT_FALSE(plan.names("mx10"));
}

TEST_F(MxPlanTest, Literals) {
  for (const char* literal : {"[8.8.8.1]", "[IPv6:2a00:1450::1]"}) {
    MxPlan plan = MxPlan::from_literal(literal, kPort);
    const auto step = plan.next();
    ASSERT_EQ(step.kind, Kind::kResolve) << literal;
    EXPECT_TRUE(IpAddress::from_text(step.host));
  }
  MxPlan bad = MxPlan::from_literal("[tag:thing]", kPort);
  EXPECT_EQ(bad.next().kind, Kind::kExhausted);
  EXPECT_TRUE(bad.verdict().permanent);
}

TEST_F(MxPlanTest, AStaticRouteMayLeadAnywhere) {
  MxPlan plan = MxPlan::from_route("127.0.0.1", 2530);
  EXPECT_EQ(plan.next().host, "127.0.0.1");
  plan.resolved(
      addresses({"127.0.0.1"}), failure<IpAddress>(DnsOutcome::kNoData), families_,
      [](const IpAddress&) { return true; }, random_);
  EXPECT_EQ(plan.next().target.address.to_text(), "127.0.0.1:2530");
  MxPlan gone = MxPlan::from_route("smarthost.example", 25);
  EXPECT_TRUE(tried(gone).empty());
  EXPECT_FALSE(gone.verdict().permanent);
}

}  // namespace
}  // namespace godwit::sender
