#include "ingress/login_cache.h"

#include <gtest/gtest.h>

#include <string>

using namespace std::chrono_literals;

namespace godwit::ingress {
namespace {

constexpr Instant kNow = Instant{} + 1h;
constexpr LoginCache::Login kAnn{"ann", "secret", "$argon2id$1"};

TEST(LoginCache, HoldsExactlyWhatWasVerified) {
  LoginCache cache(5min);
  EXPECT_FALSE(cache.holds(kAnn, kNow));
  cache.remember(kAnn, kNow);
  EXPECT_TRUE(cache.holds(kAnn, kNow));

  const LoginCache::Login others[] = {
      {"ann", "secre", "$argon2id$1"},
      {"ann", "secret ", "$argon2id$1"},
      {"ann", "", "$argon2id$1"},
      {"bob", "secret", "$argon2id$1"},
      {"", "secret", "$argon2id$1"},
      {"ann", "secret", "$argon2id$2"},  // a new password
      {"ann", "secret", ""},
      {"ann", "secret$argon2id$1", ""},
      {"anns", "ecret", "$argon2id$1"},
  };
  for (const LoginCache::Login& other : others) {
    EXPECT_FALSE(cache.holds(other, kNow))
        << other.username << "/" << other.password << "/" << other.stored;
  }
  EXPECT_TRUE(cache.holds(kAnn, kNow)) << "a wrong guess changes nothing";
}

TEST(LoginCache, AnEntryEndsAndUseDoesNotProlongIt) {
  LoginCache cache(5min);
  cache.remember(kAnn, kNow);
  EXPECT_TRUE(cache.holds(kAnn, kNow + 5min - 1ms));
  EXPECT_FALSE(cache.holds(kAnn, kNow + 5min));
}

TEST(LoginCache, AChangedHashReplacesTheEntry) {
  LoginCache cache(5min);
  cache.remember(kAnn, kNow);
  const LoginCache::Login changed{"ann", "secret", "$argon2id$2"};
  cache.remember(changed, kNow);
  EXPECT_TRUE(cache.holds(changed, kNow));
  EXPECT_FALSE(cache.holds(kAnn, kNow));
  EXPECT_EQ(cache.size(), 1U);
}

TEST(LoginCache, TheOldestGoesAtTheBound) {
  LoginCache cache(5min, 3);
  for (const char* name : {"a", "b", "c", "a", "d"})
    cache.remember({name, "p", "s"}, kNow);  // `a` again: verified later than `b`
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_FALSE(cache.holds({"b", "p", "s"}, kNow));
  for (const char* name : {"c", "a", "d"}) EXPECT_TRUE(cache.holds({name, "p", "s"}, kNow)) << name;
}

TEST(LoginCache, WhatEndedMakesRoom) {
  LoginCache cache(5min, 100);
  for (int i = 0; i < 50; ++i) cache.remember({std::to_string(i), "p", "s"}, kNow);
  cache.remember(kAnn, kNow + 5min);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(LoginCache, ZeroRemembersNothing) {
  LoginCache cache(Duration::zero());
  cache.remember(kAnn, kNow);
  EXPECT_FALSE(cache.holds(kAnn, kNow));
  EXPECT_EQ(cache.size(), 0U);
}

TEST(LoginCache, EachProcessHasItsOwnKey) {
  // Two caches stand for two processes: what one holds tells nothing about the other.
  LoginCache one(5min);
  LoginCache two(5min);
  one.remember(kAnn, kNow);
  EXPECT_FALSE(two.holds(kAnn, kNow));
}

}  // namespace
}  // namespace godwit::ingress
