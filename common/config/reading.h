#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "common/config/node.h"
#include "common/config/scalar.h"

namespace godwit::config {

// What is known while one file is read: where we are in it, and all that was found wrong so far.
// Belongs to one read; used by Fields and the codecs, seldom by anybody else.
class Reading {
 public:
  Reading(std::string file, std::filesystem::path directory)
      : file_(std::move(file)), directory_(std::move(directory)) {}

  // Steps into a part for the life of the object: "smtp" gives "ingress.smtp", "[0]" gives
  // "ingress.smtp[0]".
  class Step {
   public:
    Step(Reading& reading, std::string_view part);
    ~Step() { reading_.key_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Reading& reading_;
    std::size_t length_;
  };

  // For the life of the object the elements of a default list or map are visited: nothing can be missing there.
  class Defaults {
   public:
    explicit Defaults(Reading& reading) : reading_(reading), before_(reading.in_defaults_) {
      reading.in_defaults_ = true;
    }
    ~Defaults() { reading_.in_defaults_ = before_; }
    Defaults(const Defaults&) = delete;
    Defaults& operator=(const Defaults&) = delete;

   private:
    Reading& reading_;
    bool before_;
  };
  [[nodiscard]] bool in_defaults() const { return in_defaults_; }

  void wrong(Mark mark, Wrong wrong);
  void notice(Mark mark, std::string what);
  // "a list was expected, this is text".
  void wrong_kind(const Node& node, std::string_view expected);

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const Problems& problems() const { return problems_; }
  [[nodiscard]] Problems& problems() { return problems_; }
  [[nodiscard]] Problems& notices() { return notices_; }

 private:
  std::string file_;
  std::filesystem::path directory_;
  std::string key_;
  bool in_defaults_ = false;
  Problems problems_;
  Problems notices_;
};

}  // namespace godwit::config
