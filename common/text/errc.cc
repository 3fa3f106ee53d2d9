#include "common/text/errc.h"

#include <string>

namespace godwit::text {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "text"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kBadDomain: return "not a valid domain name";
      case Errc::kBadBase64: return "not valid base64";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::text
