#include "cli/admin/table.h"

#include <gtest/gtest.h>

namespace godwit::cli::admin {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"COUNT", Table::Align::kRight}, {"NOTE"}});
  EXPECT_TRUE(table.empty());
  table.add({"a", "10", "x"});
  table.add({"grün", "7", ""});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.to_string(),
            "NAME  COUNT  NOTE\n"
            "a        10  x\n"
            "grün      7  \n");
}

TEST(Table, WhatPeersSaidCannotMoveTheCursorOrFillTheScreen) {
  Table table({{"A"}, {"B"}});
  table.add({"\x1b[2J", std::string(5'000, 'x')});
  const std::string text = table.to_string();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_LT(text.size(), 1'000u);
}

}  // namespace
}  // namespace godwit::cli::admin
