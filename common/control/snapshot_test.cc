#include "common/control/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/control/errc.h"
#include "common/control/rate.h"

namespace godwit::control {
namespace {

ShapingEntry entry(std::string_view domain, std::string_view site, std::string_view source,
                   std::uint32_t connections) {
  ShapingEntry out;
  out.is_default = domain.empty() && site.empty() && source.empty();
  out.domain = domain;
  out.site = site;
  out.source = source;
  out.connection_limit = connections;
  return out;
}

TEST(Shaping, NarrowerAndLaterEntriesOverride) {
  Snapshot snapshot;
  // Deliberately not in the order of narrowness.
  snapshot.shaping = {entry("d.example", "", "a", 6),
                      entry("d.example", "", "", 5),
                      entry("", "google", "a", 4),
                      entry("", "google", "", 3),
                      entry("", "", "a", 2),
                      entry("", "", "", 99),
                      entry("", "", "", 1)};
  snapshot.index();
  const auto limit = [&](std::string_view site, std::string_view domain, std::string_view source) {
    return snapshot.shaping_of(site, domain, source).connection_limit;
  };
  EXPECT_EQ(limit("other", "x.example", "b"), 1U);  // the later of two equals
  EXPECT_EQ(limit("other", "x.example", "a"), 2U);
  EXPECT_EQ(limit("google", "x.example", "b"), 3U);
  EXPECT_EQ(limit("google", "x.example", "a"), 4U);
  EXPECT_EQ(limit("d.example", "d.example", "b"), 5U);
  EXPECT_EQ(limit("d.example", "d.example", "a"), 6U);
}

TEST(Shaping, AFieldThatIsNotSetShowsWhatIsBelow) {
  Snapshot snapshot;
  ShapingEntry wide = entry("", "", "", 7);
  wide.max_message_rate = Rate{.count = 100};
  wide.tls = Shaping::Tls::kRequired;
  ShapingEntry narrow = entry("d.example", "", "", 2);
  narrow.max_message_rate = Rate{.count = 5};
  snapshot.shaping = {wide, narrow};
  const Shaping shaping = snapshot.shaping_of("d.example", "d.example", "a");
  EXPECT_EQ(shaping.connection_limit, 2U);
  EXPECT_EQ(shaping.max_message_rate->count, 5U);
  EXPECT_EQ(shaping.tls, Shaping::Tls::kRequired);
  EXPECT_EQ(shaping.max_deliveries_per_connection, Shaping{}.max_deliveries_per_connection);
  EXPECT_EQ(Snapshot{}.shaping_of("a", "b", "c"), Shaping{});
}

TEST(Rate, RefusesWhatIsNoRate) {
  for (const std::string_view bad :
       {"", "5", "/s", "5/", "0/s", "-5/s", "5/x", "5.5/s", "5/s,", "5/s,burst=2",
        "5/s,max_burst=0", "5/s,max_burst", "5/s,max_burst=2,max_burst=3", "1000000001/s",
        "99999999999999999999/s", "5/s,max_burst=1000001", "5 5/s"}) {
    const Result<Rate> rate = parse_rate(bad);
    ASSERT_FALSE(rate) << bad;
    EXPECT_EQ(rate.error().code, Errc::kBadRate);
    EXPECT_FALSE(rate.error().context.empty());
  }
}

TEST(Rate, ReadsAndWritesRates) {
  using std::chrono::milliseconds;
  const struct {
    std::string_view in;
    Rate rate;
    std::string_view out;
  } cases[] = {
      {"100/s", {100, milliseconds{1'000}, 1}, "100/s"},
      {"5000/h,max_burst=10", {5000, milliseconds{3'600'000}, 10}, "5000/h,max_burst=10"},
      {" 5 / min , max_burst = 2 ", {5, milliseconds{60'000}, 2}, "5/m,max_burst=2"},
      {"1/day", {1, milliseconds{86'400'000}, 1}, "1/d"},
      {"1/second,max_burst=1", {1, milliseconds{1'000}, 1}, "1/s"},
  };
  for (const auto& [in, rate, out] : cases) {
    EXPECT_EQ(parse_rate(in).value(), rate) << in;
    EXPECT_EQ(format_rate(rate), out);
    EXPECT_EQ(parse_rate(out).value(), rate);
  }
}

}  // namespace
}  // namespace godwit::control
