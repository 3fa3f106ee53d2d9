#include "common/net/measured_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/async/test_loop.h"
#include "common/net/fake_resolver.h"

namespace godwit::net {
namespace {

using async::run_task;
using testing::HasSubstr;

TEST(MeasuredResolver, CountsByTypeAndOutcomeAndPassesAnswersOn) {
  FakeResolver dns;
  dns.set_mx("example.test", {{10, "mx1.example.test"}});
  dns.add_address("mx1.example.test", "192.0.2.1");
  dns.fail_txt("example.test", DnsOutcome::kServFail);
  observe::Metrics metrics;
  MeasuredResolver resolver(dns, system_clock(), metrics);
  async::StopSignal stop;

  EXPECT_EQ(run_task(resolver.mx("example.test")).records.at(0).host, "mx1.example.test");
  EXPECT_EQ(run_task(resolver.mx_until("nowhere.test", stop)).outcome, DnsOutcome::kNxDomain);
  EXPECT_TRUE(run_task(resolver.addresses("mx1.example.test", Family::kIpv4)).found());
  EXPECT_EQ(run_task(resolver.addresses_until("mx1.example.test", Family::kIpv6, stop)).outcome,
            DnsOutcome::kNoData);
  EXPECT_EQ(run_task(resolver.txt("example.test")).outcome, DnsOutcome::kServFail);
  EXPECT_EQ(run_task(resolver.tlsa_until("_25._tcp.mx1.example.test", stop)).outcome,
            DnsOutcome::kNxDomain);

  const std::string text = metrics.text();
  const auto asked = [](std::string_view type, std::string_view outcome) {
    return HasSubstr("godwit_dns_questions_total{type=\"" + std::string(type) + "\",outcome=\"" +
                     std::string(outcome) + "\"} 1\n");
  };
  EXPECT_THAT(text, asked("mx", "found"));
  EXPECT_THAT(text, asked("mx", "nxdomain"));
  EXPECT_THAT(text, asked("a", "found"));
  EXPECT_THAT(text, asked("aaaa", "nodata"));
  EXPECT_THAT(text, asked("txt", "servfail"));
  EXPECT_THAT(text, asked("tlsa", "nxdomain"));
  EXPECT_THAT(text, HasSubstr("godwit_dns_question_seconds_count{type=\"mx\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("godwit_dns_questions_under_way 0\n"));
}

}  // namespace
}  // namespace godwit::net
