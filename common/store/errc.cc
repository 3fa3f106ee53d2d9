#include "common/store/errc.h"

#include <string>

namespace godwit::store {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "store"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kIo: return "input or output failed";
      case Errc::kNoSpace: return "no space on the device";
      case Errc::kNotFound: return "not found";
      case Errc::kLocked: return "held by another process";
      case Errc::kCorrupt: return "corrupt";
    }
    return "unknown";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::store
