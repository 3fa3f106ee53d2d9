#include "sender/errc.h"

#include <string>

namespace godwit::sender {

namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "sender"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kNoCapture: return "no capture server in this process";
      case Errc::kBusy: return "busy";
      case Errc::kContentMemory: return "no share of content_memory now";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::sender
