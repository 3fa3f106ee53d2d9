#include "common/record/errc.h"

#include <string>

namespace godwit::record {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "record"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kMalformed: return "malformed record";
      case Errc::kUnknownVersion: return "record of an unknown version";
      case Errc::kUnknownEncryption: return "unknown encryption";
      case Errc::kNotUtf8: return "text that is not UTF-8";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::record
