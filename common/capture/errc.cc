#include "common/capture/errc.h"

#include <string>

namespace godwit::capture {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "capture"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kTooLarge: return "larger than the whole capture may be";
      case Errc::kNotFound: return "no such mail in the capture";
      case Errc::kBadMetadata: return "not a metadata file of the capture";
      case Errc::kIo: return "the capture's directory failed";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::capture
