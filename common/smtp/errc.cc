#include "common/smtp/errc.h"

#include <string>

namespace godwit::smtp {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "smtp"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kBadSyntax: return "bad syntax";
      case Errc::kNeedsUtf8: return "needs SMTPUTF8";
      case Errc::kLocalPartTooLong: return "local part too long";
      case Errc::kDomainTooLong: return "domain too long";
      case Errc::kPathTooLong: return "path too long";
      case Errc::kLineTooLong: return "line too long";
      case Errc::kTooManyLines: return "too many lines";
      case Errc::kBareControl: return "bare CR, bare LF or NUL";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::smtp
