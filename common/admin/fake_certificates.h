#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace godwit::admin {

// A certificate authority for tests: its certificates are files in one directory.
class FakeAuthority {
 public:
  // `name` is its subject's CN and begins the names of its files.
  FakeAuthority(std::filesystem::path directory, std::string name);
  ~FakeAuthority();
  FakeAuthority(const FakeAuthority&) = delete;

  struct Wanted {
    std::string common_name;
    std::string organization{};  // empty: none
    std::string names{};         // "DNS:a.example,URI:spiffe://a/b,IP:127.0.0.1"; empty: none
    std::chrono::seconds ends_in = std::chrono::hours(1);  // negative: it has expired
  };
  struct Files {
    std::filesystem::path certificate;
    std::filesystem::path key;
  };
  [[nodiscard]] Files issue(const Wanted& wanted);
  // The authority's own certificate: what to trust.
  [[nodiscard]] std::filesystem::path certificate() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::admin
