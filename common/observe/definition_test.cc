#include "common/observe/definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace godwit::observe {
namespace {

constexpr std::array kOne{1.0};
constexpr std::array kFalling{2.0, 1.0};

bool is_listed(std::string_view name) {
  return std::ranges::any_of(Definition::all(),
                             [&](const Definition* one) { return one->name() == name; });
}

TEST(Definition, ListsItselfForAsLongAsItLives) {
  const GaugeDefinition last{"godwit_test_z", "Z."};
  {
    const CounterDefinition middle{"godwit_test_m_total", "M.", {"pool", "class"}};
    const HistogramDefinition first{"godwit_test_a", "A.", kOne};
    const auto all = Definition::all();
    EXPECT_TRUE(std::ranges::is_sorted(all, {}, &Definition::name));
    EXPECT_THAT(all, testing::IsSupersetOf({static_cast<const Definition*>(&first),
                                            static_cast<const Definition*>(&middle),
                                            static_cast<const Definition*>(&last)}));
    EXPECT_THAT(middle.labels(), testing::ElementsAre("pool", "class"));
    EXPECT_EQ(middle.type(), MetricType::kCounter);
    EXPECT_THAT(first.bounds(), testing::ElementsAre(1.0));
  }
  EXPECT_FALSE(is_listed("godwit_test_m_total"));
  EXPECT_FALSE(is_listed("godwit_test_a"));
  EXPECT_TRUE(is_listed("godwit_test_z"));
}

TEST(DefinitionDeathTest, RulesAreChecked) {
  const GaugeDefinition there{"godwit_test_there", "There."};
  EXPECT_DEATH((GaugeDefinition{"godwit_test_there", "Again."}), "defined twice");
  EXPECT_DEATH((CounterDefinition{"godwit_test", "A."}), "end in _total");
  EXPECT_DEATH((GaugeDefinition{"godwit_test_total", "A."}), "end in _total");
  EXPECT_DEATH((GaugeDefinition{"godwit-test", "A."}), "metric name");
  EXPECT_DEATH((GaugeDefinition{"godwit_test", "No sentence"}), "sentence");
  EXPECT_DEATH((GaugeDefinition{"godwit_test", "A.", {"the pool"}}), "label's name");
  EXPECT_DEATH((GaugeDefinition{"godwit_test", "A.", {"a", "b", "c", "d", "e"}}), "5 labels");
  EXPECT_DEATH((HistogramDefinition{"godwit_test", "A.", kFalling}), "bounds");
}

}  // namespace
}  // namespace godwit::observe
