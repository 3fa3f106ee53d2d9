#include "common/log/errc.h"

#include <string>

namespace godwit::log {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "log"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kNoSpace: return "no space left above the reserve";
      case Errc::kUnavailable: return "the log takes nothing now";
      case Errc::kUnknown: return "the log did not say whether it was written";
      case Errc::kFenced: return "another owner has the partition";
      case Errc::kTooLarge: return "the record is too large";
      case Errc::kClosed: return "the log is closed";
      case Errc::kNotFound: return "no such record";
      case Errc::kCorrupt: return "stored octets fail their checksum";
      case Errc::kUnsupported: return "this log cannot do that";
      case Errc::kIo: return "input/output error";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::log
