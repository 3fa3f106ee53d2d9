// Who may call what: the table against the service's descriptor, and every call against the table.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <tuple>
#include <vector>

#include "common/admin/access.h"
#include "common/admin/server.h"
#include "common/observe/log.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

const google::protobuf::ServiceDescriptor& service() {
  return *v1::NodeInfoRequest::descriptor()->file()->FindServiceByName("Admin");
}

TEST(Access, TheTableHasEachRpcOfTheService) {
  std::vector<std::string> of_service;
  for (int i = 0; i < service().method_count(); ++i)
    of_service.push_back(service().method(i)->name());
  std::vector<std::string> of_table;
  for (const Rule& rule : rules()) of_table.emplace_back(rule.rpc);
  EXPECT_THAT(of_table, testing::ElementsAreArray(of_service));
}

TEST(Access, WhatChangesSomethingTakesAReasonAndMoreThanAViewer) {
  for (const Rule& rule : rules()) {
    if (!rule.changes) continue;
    EXPECT_GT(rule.role, Role::kViewer) << rule.rpc;
    const auto* method = service().FindMethodByName(std::string(rule.rpc));
    ASSERT_NE(method, nullptr) << rule.rpc;
    const auto* field = method->input_type()->FindFieldByName("reason");
    ASSERT_NE(field, nullptr) << rule.rpc;
    EXPECT_EQ(field->cpp_type(), google::protobuf::FieldDescriptor::CPPTYPE_STRING) << rule.rpc;
    EXPECT_EQ(field->number(), 15) << rule.rpc;
  }
}

TEST(Access, RolesHaveNames) {
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin})
    EXPECT_EQ(role_of_name(role_name(role)), role);
  for (const char* name : {"", "Viewer", "root", "viewer "})
    EXPECT_EQ(role_of_name(name), std::nullopt) << name;
}

// A process nobody may have touched.
class Untouched final : public Process {
 public:
  NodeInfo info() override { return {}; }
  void drain(bool /*leave*/) override { ++touched; }
  Result<std::vector<std::string>> reload() override {
    ++touched;
    return {};
  }
  std::string log_level() override { return "info"; }
  Result<void> set_log_level(std::string_view /*level*/) override {
    ++touched;
    return {};
  }

  std::atomic<int> touched{0};
};

class EveryCall : public testing::Test {
 protected:
  void start(ServerConfig config) {
    config.listen = "127.0.0.1:0";
    server_ = Server::start(config, {.process = &process_}).value();
  }

  // Calls any rpc, as grpcurl would: a request of octets, the status that comes back.
  [[nodiscard]] grpc::Status call(std::string_view rpc, const std::string& authorization,
                                  const google::protobuf::Message* request = nullptr) const {
    grpc::GenericStub stub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    const grpc::Slice octets(request == nullptr ? "" : request->SerializeAsString());
    grpc::CompletionQueue queue;
    const auto reader =
        stub.PrepareUnaryCall(&context, "/godwit.admin.v1.Admin/" + std::string(rpc),
                              grpc::ByteBuffer(&octets, 1), &queue);
    reader->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    reader->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return status;
  }

  Untouched process_;
  std::unique_ptr<Server> server_;
};

TEST_F(EveryCall, NeedsACredential) {
  start({.grants = {.tokens = {{"ops", "s3cret", Role::kAdmin}}}});
  for (const Rule& rule : rules()) {
    for (const char* authorization :
         {"", "s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret1", "Bearer S3cret",
          "bearer s3cret", "Basic s3cret"}) {
      const grpc::Status status = call(rule.rpc, authorization);
      EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED)
          << rule.rpc << " " << authorization;
      EXPECT_THAT(status.error_message(), testing::Not(HasSubstr("s3cre")))
          << "no secret in errors";
    }
    const grpc::Status status = call(rule.rpc, "Bearer s3cret");
    EXPECT_NE(status.error_code(), StatusCode::UNAUTHENTICATED) << rule.rpc;
    EXPECT_NE(status.error_code(), StatusCode::PERMISSION_DENIED) << rule.rpc;
  }
  EXPECT_EQ(process_.touched, 0) << "there was no reason";
}

TEST_F(EveryCall, NeedsTheRoleOfItsRule) {
  start({.grants = {.tokens = {{"v", "viewer", Role::kViewer},
                               {"o", "operator", Role::kOperator},
                               {"a", "admin", Role::kAdmin}}}});
  for (const Rule& rule : rules()) {
    for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
      const grpc::Status status = call(rule.rpc, fmt::format("Bearer {}", role_name(role)));
      const bool refused = status.error_code() == StatusCode::PERMISSION_DENIED;
      EXPECT_EQ(refused, role < rule.role) << rule.rpc << " by " << role_name(role);
      if (refused) {
        EXPECT_THAT(status.error_message(),
                    HasSubstr(fmt::format("{} needs the role {}", rule.rpc, role_name(rule.role))));
      }
    }
  }
  EXPECT_EQ(process_.touched, 0) << "there was no reason";
}

TEST_F(EveryCall, ThatIsRefusedIsSaidInTheLogButNotEachTimeAndWithoutTheToken) {
  std::vector<std::string> lines;
  const observe::LogCapture capture([&](std::string_view line) { lines.emplace_back(line); });
  start({.grants = {.tokens = {{"ops", "s3cret", Role::kAdmin}}}});
  for (int i = 0; i < 20; ++i) std::ignore = call("Drain", "Bearer guess-of-the-token");
  std::erase_if(lines, [](const std::string& line) { return !line.contains("was refused"); });
  ASSERT_FALSE(lines.empty());
  EXPECT_LT(lines.size(), 20U);
  EXPECT_THAT(lines.front(), HasSubstr("\"rpc\":\"Drain\""));
  EXPECT_THAT(lines, testing::Each(testing::Not(HasSubstr("guess"))));
}

TEST_F(EveryCall, ThatChangesSomethingNeedsAReason) {
  start({});
  for (const Rule& rule : rules()) {
    const auto* type = service().FindMethodByName(std::string(rule.rpc))->input_type();
    for (const std::string& reason :
         {std::string(), std::string(" \t\r\n"), std::string(kReasonBytesMax + 1, 'x')}) {
      const std::unique_ptr<google::protobuf::Message> request(
          google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
      if (const auto* field = type->FindFieldByName("reason"))
        request->GetReflection()->SetString(request.get(), field, reason);
      const grpc::Status status = call(rule.rpc, "", request.get());
      EXPECT_EQ(status.error_code() == StatusCode::INVALID_ARGUMENT, rule.changes) << rule.rpc;
      if (rule.changes) EXPECT_THAT(status.error_message(), HasSubstr("reason")) << rule.rpc;
    }
  }
  EXPECT_EQ(process_.touched, 0);
}

}  // namespace
}  // namespace godwit::admin
