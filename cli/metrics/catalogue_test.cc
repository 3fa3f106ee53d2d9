#include "cli/metrics/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

namespace godwit::cli::metrics {
namespace {

constexpr std::array kBounds{0.5, 1.0};

TEST(Catalogue, SaysWhatDefinitionsSay) {
  const observe::CounterDefinition counter{
      "godwit_sender_tests_total", "Tests.", {"pool", "source"}};
  const observe::HistogramDefinition histogram{"godwit_ingress_test_seconds", "A test.", kBounds};
  const observe::GaugeDefinition gauge{"godwit_nobody_tests", "Of a part nobody has named."};
  const std::array<const observe::Definition*, 3> all{&counter, &gauge, &histogram};

  const std::string page = as_markdown(all);
  EXPECT_THAT(page,
              testing::HasSubstr(
                  "\n| `godwit_sender_tests_total` | counter | `pool` `source` | Tests. |\n"));
  EXPECT_THAT(page,
              testing::HasSubstr("\n| `godwit_ingress_test_seconds` | histogram |  | A test. |\n"));
  EXPECT_THAT(page, testing::HasSubstr("\n| 0.5 1 | `godwit_ingress_test_seconds` |\n"));
  EXPECT_LT(page.find("## Role ingress"), page.find("## Role sender"));
  EXPECT_LT(page.find("## Role sender"), page.find("## nobody"));
  EXPECT_THAT(page, testing::HasSubstr("\n| `pool` | of the control data |\n"));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("`reason`")));

  const auto json = nlohmann::json::parse(as_json(all));
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0]["labels"], (std::vector<std::string>{"pool", "source"}));
  EXPECT_EQ(json[2]["bounds"], (std::vector<double>{0.5, 1}));
}

TEST(Catalogue, PartsOfNames) {
  EXPECT_EQ(part_of("godwit_sender_held"), "sender");
  EXPECT_EQ(part_of("godwit_sender"), "sender");
  EXPECT_EQ(part_of("sender_held"), "");
  EXPECT_EQ(meaning_of_label("nonsense"), "");
}

}  // namespace
}  // namespace godwit::cli::metrics
