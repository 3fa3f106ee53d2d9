#include "common/control/errc.h"

#include <string>

namespace godwit::control {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "control"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kBadRate: return "not a rate";
      case Errc::kBadFile: return "the control file has problems";
      case Errc::kUnreadable: return "cannot be read";
      case Errc::kBadRoute: return "not a route";
      case Errc::kReadOnly: return "the control data cannot be changed here";
      case Errc::kNotReady: return "the control data is still being read";
      case Errc::kUnfinished: return "the change may or may not be in force";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::control
