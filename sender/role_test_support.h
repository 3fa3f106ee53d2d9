#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sender/fake_mail_system.h"
#include "sender/fake_peer.h"

// For tests of the whole role against mail hosts that do what the test says: over real sockets, on a log in memory.
#define EVENTUALLY(condition) ASSERT_TRUE(FakeMailSystem::eventually([&] { return (condition); }))

namespace godwit::sender {

using namespace std::chrono_literals;
using Stage = FakePeer::Stage;
using Mail = FakeMailSystem::Mail;

inline FakePeer::Script at_stage(Stage wanted, const std::string& reply) {
  return [wanted, reply](Stage stage, const std::string&, int) {
    return stage == wanted ? reply : std::string();
  };
}

}  // namespace godwit::sender
