#include "common/poison/errc.h"

#include <string>

#include "common/poison/slots.h"

namespace godwit::poison {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "poison"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kInHand: return "in hand at " + std::to_string(kCrashesMax) + " crashes";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::poison
