#include "common/report/errc.h"

#include <string>

namespace godwit::report {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "report"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kNotReturnAddress: return "not a return address";
      case Errc::kUnknownKey: return "signed with an unknown key";
      case Errc::kForged: return "the signature does not fit";
      case Errc::kBadKeys: return "not a file of keys";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::report
