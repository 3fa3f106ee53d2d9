#include "sender/outcome.h"

#include <gtest/gtest.h>

namespace godwit::sender {
namespace {

using smtp::ClientStage;
using smtp::EnhancedCode;
using smtp::RecipientOutcome;
using smtp::Reply;
using Kind = RecipientOutcome::Kind;

RecipientOutcome refused(ClientStage stage, int code, std::optional<EnhancedCode> enhanced = {},
                         std::string text = {}) {
  const Kind kind = code / 100 == 4 ? Kind::kDeferred : Kind::kRefused;
  return {kind, stage, {code, enhanced, std::move(text)}};
}

TEST(Outcome, EveryStageAndClass) {
  const struct {
    ClientStage stage;
    Verdict after_4xx;
    Verdict after_5xx;
  } cases[] = {
      {ClientStage::kBanner, Verdict::kDeferred, Verdict::kDeferred},
      {ClientStage::kEhlo, Verdict::kDeferred, Verdict::kDeferred},
      {ClientStage::kStartTls, Verdict::kDeferred, Verdict::kDeferred},
      {ClientStage::kAuth, Verdict::kDeferred, Verdict::kDeferred},
      {ClientStage::kMail, Verdict::kDeferred, Verdict::kBounced},
      {ClientStage::kRcpt, Verdict::kDeferred, Verdict::kBounced},
      {ClientStage::kData, Verdict::kDeferred, Verdict::kBounced},
      {ClientStage::kDot, Verdict::kDeferred, Verdict::kBounced},
  };
  for (const auto& test : cases) {
    const auto name = smtp::stage_name(test.stage);
    EXPECT_EQ(judge(refused(test.stage, 450), false).verdict, test.after_4xx) << name;
    EXPECT_EQ(judge(refused(test.stage, 421), true).verdict, test.after_4xx) << name;
    EXPECT_EQ(judge(refused(test.stage, 550), false).verdict, test.after_5xx) << name;
    EXPECT_EQ(judge(refused(test.stage, 554), true).verdict, test.after_5xx) << name;
  }
}

TEST(Outcome, DeliveredAndUnknown) {
  EXPECT_EQ(judge({Kind::kDelivered, ClientStage::kDot, {250, {}, "Ok"}}, true).verdict,
            Verdict::kDelivered);
  EXPECT_EQ(judge({Kind::kDelivered, ClientStage::kDot, {250, {}, "Ok"}}, true).category, "");
  EXPECT_EQ(
      judge({Kind::kUnknown, ClientStage::kDot, {0, EnhancedCode{4, 4, 2}, "lost"}}, true).verdict,
      Verdict::kUnknown);
}

TEST(Outcome, TooManyRecipients) {
  const EnhancedCode too_many{4, 5, 3};
  const EnhancedCode full{5, 2, 2};
  const struct {
    RecipientOutcome outcome;
    Verdict alone;
    Verdict with_others;
  } cases[] = {
      {refused(ClientStage::kRcpt, 452), Verdict::kDeferred, Verdict::kAgain},
      {refused(ClientStage::kRcpt, 452, too_many), Verdict::kDeferred, Verdict::kAgain},
      {refused(ClientStage::kRcpt, 452, EnhancedCode{4, 2, 2}), Verdict::kDeferred,
       Verdict::kDeferred},
      {refused(ClientStage::kRcpt, 552), Verdict::kDeferred, Verdict::kAgain},
      {refused(ClientStage::kRcpt, 552, EnhancedCode{5, 5, 3}), Verdict::kDeferred,
       Verdict::kAgain},
      {refused(ClientStage::kRcpt, 552, full), Verdict::kBounced, Verdict::kBounced},
      {refused(ClientStage::kMail, 552), Verdict::kBounced, Verdict::kBounced},
      {refused(ClientStage::kDot, 552), Verdict::kBounced, Verdict::kBounced},
      {refused(ClientStage::kDot, 452), Verdict::kDeferred, Verdict::kDeferred},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(judge(test.outcome, false).verdict, test.alone) << test.outcome.reply.code;
    EXPECT_EQ(judge(test.outcome, true).verdict, test.with_others) << test.outcome.reply.code;
  }
}

TEST(Outcome, WhatThePeerCannotTakeBounces) {
  for (const EnhancedCode code : {EnhancedCode{5, 3, 4}, {5, 6, 7}, {5, 6, 3}}) {
    EXPECT_EQ(judge(refused(ClientStage::kMail, 0, code), false).verdict, Verdict::kBounced);
    EXPECT_EQ(judge(refused(ClientStage::kMail, 0, code), false).category, "content-related");
  }
}

TEST(Outcome, PeerTextIsMadeSafe) {
  const v1::Reply reply =
      record_reply({550, EnhancedCode{5, 1, 1}, "no \xff\x1b[31m user\nsecond"}, "RCPT");
  EXPECT_EQ(reply.code(), 550U);
  EXPECT_EQ(reply.enhanced(), "5.1.1");
  EXPECT_EQ(reply.command(), "RCPT");
  EXPECT_EQ(reply.text().find('\x1b'), std::string::npos);
  EXPECT_NE(reply.text().find("second"), std::string::npos);
  EXPECT_TRUE(v1::Reply().ParseFromString(reply.SerializeAsString()));
  EXPECT_LE(record_reply({550, {}, std::string(100'000, 'x')}, "dot").text().size(), 1024U);
}

}  // namespace
}  // namespace godwit::sender
