#include "common/admin/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>

#include <set>
#include <string>

#include "common/admin/access.h"
#include "common/admin/gate.h"
#include "godwit/admin/v1/admin.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace godwit::admin {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::Status;
using grpc::StatusCode;

namespace v1_of = grpc::reflection::v1;
namespace v1alpha_of = grpc::reflection::v1alpha;

constexpr Rule kRule{"ServerReflectionInfo", Role::kViewer, /*changes=*/false};

// The file and those it needs, itself first.
template <class Files>
void add_files(const FileDescriptor* file, std::set<const FileDescriptor*>& added, Files& files) {
  if (!added.insert(file).second) return;
  google::protobuf::FileDescriptorProto description;
  file->CopyTo(&description);
  files.add_file_descriptor_proto(description.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) add_files(file->dependency(i), added, files);
}

template <class Response>
void no_such(Response& response, const std::string& what) {
  response.mutable_error_response()->set_error_code(StatusCode::NOT_FOUND);
  response.mutable_error_response()->set_error_message(what + " is not known here");
}

template <class Response>
void describe(const FileDescriptor* file, const std::string& what, Response& response) {
  if (file == nullptr) return no_such(response, what);
  std::set<const FileDescriptor*> added;
  add_files(file, added, *response.mutable_file_descriptor_response());
}

template <class Request, class Response>
void answer(const Request& request, Response& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const char* name :
           {v1::Admin::service_full_name(), grpc::health::v1::Health::service_full_name(),
            v1_of::ServerReflection::service_full_name(),
            v1alpha_of::ServerReflection::service_full_name()})
        response.mutable_list_services_response()->add_service()->set_name(name);
      return;
    case Request::kFileByFilename:
      return describe(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(),
                      response);
    case Request::kFileContainingSymbol:
      return describe(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                      request.file_containing_symbol(), response);
    case Request::kAllExtensionNumbersOfType:  // proto3: nothing is extended
    case Request::kFileContainingExtension: return no_such(response, "an extension");
    default:
      response.mutable_error_response()->set_error_code(StatusCode::INVALID_ARGUMENT);
      response.mutable_error_response()->set_error_message("nothing was asked");
  }
}

template <class Reflection, class Request, class Response>
class ReflectionService final : public Reflection::Service {
 public:
  explicit ReflectionService(Gate& gate) : gate_(gate) {}

  Status ServerReflectionInfo(grpc::ServerContext* context,
                              grpc::ServerReaderWriter<Response, Request>* stream) override {
    Caller caller;
    if (Status entered = gate_.enter(kRule, *context, nullptr, caller); !entered.ok())
      return entered;
    const Gate::StreamPass pass(gate_);
    if (!pass) return {StatusCode::RESOURCE_EXHAUSTED, "too many streams at once"};
    Request request;
    while (!gate_.gone(*context) && stream->Read(&request)) {
      Response response;
      response.set_valid_host(request.host());
      *response.mutable_original_request() = request;
      answer(request, response);
      if (!stream->Write(response)) break;
    }
    return gate_.gone(*context) ? Status::CANCELLED : Status::OK;
  }

 private:
  Gate& gate_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> make_reflection(Gate& gate) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(
      std::make_unique<ReflectionService<v1_of::ServerReflection, v1_of::ServerReflectionRequest,
                                         v1_of::ServerReflectionResponse>>(gate));
  services.push_back(
      std::make_unique<
          ReflectionService<v1alpha_of::ServerReflection, v1alpha_of::ServerReflectionRequest,
                            v1alpha_of::ServerReflectionResponse>>(gate));
  return services;
}

}  // namespace godwit::admin
