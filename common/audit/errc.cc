#include "common/audit/errc.h"

#include <string>

namespace godwit::audit {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "audit"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kSpill: return "a temporary file of the audit failed";
      case Errc::kCancelled: return "the audit was cancelled";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::audit
