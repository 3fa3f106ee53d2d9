#include "common/admin/errc.h"

#include <string>

namespace godwit::admin {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "admin"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kAddress: return "cannot listen on this address";
      case Errc::kNobodyMay:
        return "needs admin.token, admin.tokens or admin.certificates, because others can reach "
               "this address";
      case Errc::kFile: return "cannot use a certificate or key";
      case Errc::kUnreachable: return "nothing answers";
      case Errc::kUnauthenticated: return "a credential is missing or wrong";
      case Errc::kDenied: return "not allowed";
      case Errc::kUnsupported: return "no role of this process can do that";
      case Errc::kNotFound: return "not found";
      case Errc::kInvalid: return "the request is not valid";
      case Errc::kRefused: return "refused";
      case Errc::kBusy: return "too many streams at once";
      case Errc::kDeadline: return "no answer in time";
      case Errc::kCancelled: return "cancelled";
      case Errc::kFailed: return "failed";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::admin
