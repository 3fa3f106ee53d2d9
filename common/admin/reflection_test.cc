#include "common/admin/reflection.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/admin/client.h"
#include "common/admin/errc.h"
#include "common/admin/server.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace godwit::admin {
namespace {

namespace v1_of = grpc::reflection::v1;

class NoProcess final : public Process {
 public:
  NodeInfo info() override { return {}; }
  void drain(bool /*leave*/) override {}
  Result<std::vector<std::string>> reload() override { return std::vector<std::string>{}; }
  std::string log_level() override { return {}; }
  Result<void> set_log_level(std::string_view /*level*/) override { return {}; }
};

class ReflectionTest : public testing::Test {
 protected:
  void start(ServerConfig config = {}) {
    config.listen = "127.0.0.1:0";
    server_ = Server::start(config, {.process = &process_}).value();
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }
  // One question on a stream of its own.
  grpc::Status ask(const v1_of::ServerReflectionRequest& request,
                   v1_of::ServerReflectionResponse& response, const std::string& token = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    const auto stub = v1_of::ServerReflection::NewStub(channel_);
    const auto stream = stub->ServerReflectionInfo(&context);
    stream->Write(request);
    stream->WritesDone();
    stream->Read(&response);
    return stream->Finish();
  }

  NoProcess process_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(ReflectionTest, ListsTheServicesAndDescribesThemWhole) {
  start();
  v1_of::ServerReflectionRequest request;
  v1_of::ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(ask(request, response).ok());
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service())
    names.push_back(service.name());
  EXPECT_THAT(names, testing::IsSupersetOf({"godwit.admin.v1.Admin", "grpc.health.v1.Health",
                                            "grpc.reflection.v1.ServerReflection",
                                            "grpc.reflection.v1alpha.ServerReflection"}));
  for (const std::string& name : names) {
    request.set_file_containing_symbol(name);
    ASSERT_TRUE(ask(request, response).ok()) << name;
    // What came is all that it takes to build it anew.
    google::protobuf::SimpleDescriptorDatabase files;
    for (const auto& octets : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(octets));
      ASSERT_TRUE(files.Add(file)) << file.name();
    }
    google::protobuf::DescriptorPool pool(&files);
    ASSERT_NE(pool.FindServiceByName(name), nullptr) << name;
    EXPECT_GT(pool.FindServiceByName(name)->method_count(), 0);
  }
  request.set_file_by_filename("godwit/v1/event.proto");
  ASSERT_TRUE(ask(request, response).ok());
  google::protobuf::FileDescriptorProto file;
  ASSERT_TRUE(file.ParseFromString(response.file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(file.name(), "godwit/v1/event.proto");
}

TEST_F(ReflectionTest, SaysWhatThereIsNot) {
  start();
  v1_of::ServerReflectionRequest request;
  v1_of::ServerReflectionResponse response;
  request.set_host("h");
  request.set_file_containing_symbol("godwit.admin.v1.Nothing");
  ASSERT_TRUE(ask(request, response).ok());
  EXPECT_EQ(response.error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(response.original_request().file_containing_symbol(), "godwit.admin.v1.Nothing");
  EXPECT_EQ(response.valid_host(), "h");
  request.set_file_by_filename("/etc/passwd");
  ASSERT_TRUE(ask(request, response).ok());
  EXPECT_EQ(response.error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_all_extension_numbers_of_type("godwit.v1.Event");
  ASSERT_TRUE(ask(request, response).ok());
  EXPECT_EQ(response.error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  request.clear_message_request();
  ASSERT_TRUE(ask(request, response).ok());
  EXPECT_EQ(response.error_response().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ReflectionTest, OlderClientsAskInTheOlderWay) {
  namespace v1alpha_of = grpc::reflection::v1alpha;
  start();
  grpc::ClientContext context;
  const auto stub = v1alpha_of::ServerReflection::NewStub(channel_);
  const auto stream = stub->ServerReflectionInfo(&context);
  v1alpha_of::ServerReflectionRequest request;
  v1alpha_of::ServerReflectionResponse response;
  for (int i = 0; i < 2; ++i) {
    request.set_list_services("");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.list_services_response().service_size(), 4);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ReflectionTest, NeedsAnIdentityAndLeavesRoomForOthers) {
  start({.grants = {.tokens = {{"look", "s3cret", Role::kViewer}}}, .streams_max = 1});
  v1_of::ServerReflectionRequest request;
  v1_of::ServerReflectionResponse response;
  request.set_list_services("");
  EXPECT_EQ(ask(request, response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ask(request, response, "wrong").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(ask(request, response, "s3cret").ok());

  grpc::ClientContext held;
  held.AddMetadata("authorization", "Bearer s3cret");
  const auto stub = v1_of::ServerReflection::NewStub(channel_);
  const auto stream = stub->ServerReflectionInfo(&held);
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(ask(request, response, "s3cret").error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  server_->stop();  // ends the one that waits for its client
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

}  // namespace
}  // namespace godwit::admin
