#include "common/role/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <system_error>

#include "common/base/manual_clock.h"
#include "common/observe/log.h"

namespace godwit::role {
namespace {

// Writes down what happens to it; takes `drain_takes` to drain.
class FakeRole final : public Role {
 public:
  FakeRole(std::string name, std::string& story, ManualClock& clock)
      : name_(std::move(name)), story_(story), clock_(clock) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] Result<void> start() override {
    story_ += "start " + name_ + "\n";
    if (start_fails) return fail(std::make_error_code(std::errc::address_in_use), "127.0.0.1:25");
    return {};
  }
  [[nodiscard]] std::vector<NamedAddress> addresses() const override { return {{name_, "here"}}; }
  [[nodiscard]] std::string problem() const override { return trouble; }
  [[nodiscard]] Result<void> reload() override {
    story_ += "reload " + name_ + "\n";
    if (reload_fails)
      return fail(std::make_error_code(std::errc::no_such_file_or_directory), "tls.crt");
    return {};
  }
  void drain(Instant deadline) override {
    story_ +=
        "drain " + name_ + " " +
        std::to_string(
            std::chrono::duration_cast<std::chrono::seconds>(deadline - clock_.instant()).count()) +
        "\n";
    clock_.advance(drain_takes);
  }
  void stop() override { story_ += "stop " + name_ + "\n"; }

  std::string trouble;
  bool start_fails = false;
  bool reload_fails = false;
  Duration drain_takes{};

 private:
  const std::string name_;
  std::string& story_;
  ManualClock& clock_;
};

class LifecycleTest : public testing::Test {
 protected:
  FakeRole& add(std::string name) {
    auto role = std::make_unique<FakeRole>(std::move(name), story_, clock_);
    FakeRole& reference = *role;
    lifecycle_.add(std::move(role));
    return reference;
  }

  const observe::LogCapture quiet_{[](std::string_view) {}};
  std::string story_;
  ManualClock clock_;
  Lifecycle lifecycle_{clock_};
};

TEST_F(LifecycleTest, StartsInOrderAndEndsTheOtherWayRoundWithinOneBound) {
  add("sender");
  add("router").drain_takes = std::chrono::seconds(4);
  add("ingress").drain_takes =
      std::chrono::seconds(3);  // of 12 / 3; the router has 9 / 2, the sender 5
  ASSERT_TRUE(lifecycle_.start());
  lifecycle_.end(std::chrono::seconds(12));
  lifecycle_.end(std::chrono::seconds(12));
  EXPECT_EQ(story_,
            "start sender\nstart router\nstart ingress\n"
            "drain ingress 4\ndrain router 4\ndrain sender 5\n"
            "stop ingress\nstop router\nstop sender\n");
}

TEST_F(LifecycleTest, WhatCannotStartStopsWhatHasStarted) {
  add("sender");
  add("router").start_fails = true;
  add("ingress");
  const Result<void> started = lifecycle_.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().to_string(), "router: 127.0.0.1:25: Address already in use");
  EXPECT_EQ(story_, "start sender\nstart router\nstop router\nstop sender\n");
}

TEST_F(LifecycleTest, TheDestructorStopsWithoutDraining) {
  {
    Lifecycle lifecycle(clock_);
    lifecycle.add(std::make_unique<FakeRole>("sender", story_, clock_));
    ASSERT_TRUE(lifecycle.start());
  }
  EXPECT_EQ(story_, "start sender\nstop sender\n");
}

TEST_F(LifecycleTest, TroublesNameTheRole) {
  FakeRole& sender = add("sender");
  add("router");
  EXPECT_TRUE(lifecycle_.troubles().empty());
  sender.trouble = "partition 3 is being rebuilt";
  ASSERT_EQ(lifecycle_.troubles().size(), 1u);
  EXPECT_EQ(lifecycle_.troubles()[0].role, "sender");
  EXPECT_EQ(lifecycle_.troubles()[0].problem, "partition 3 is being rebuilt");
  EXPECT_EQ(lifecycle_.addresses().size(), 2u);
}

TEST_F(LifecycleTest, EveryRoleReloadsWhateverTheOthersSay) {
  add("sender").reload_fails = true;
  add("ingress");
  ASSERT_TRUE(lifecycle_.start());
  const auto failures = lifecycle_.reload();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].role + ": " + failures[0].problem,
            "sender: tls.crt: No such file or directory");
  EXPECT_THAT(story_, testing::HasSubstr("reload sender\nreload ingress\n"));
}

}  // namespace
}  // namespace godwit::role
