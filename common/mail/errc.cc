#include "common/mail/errc.h"

#include <string>

namespace godwit::mail {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "mail"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kBadAddressList: return "not a valid address list";
      case Errc::kNoAddress: return "no address with a domain";
      case Errc::kTooMany: return "too many addresses or nested comments";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::mail
