#include "common/commands/errc.h"

#include <string>

namespace godwit::commands {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "commands"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kBadCommand: return "not a command";
      case Errc::kNoSuchCommand: return "there is no such command";
      case Errc::kOver: return "the command is over";
      case Errc::kTooMany: return "too many commands are in force";
      case Errc::kNotReady: return "the commands are still being read";
      case Errc::kUnfinished: return "the command may or may not be in force";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::commands
