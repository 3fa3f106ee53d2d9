#include "cli/run/return_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/base/test_directory.h"
#include "common/report/errc.h"

namespace godwit::cli::run {
namespace {

class ReturnKeysFileTest : public testing::Test {
 protected:
  TestDirectory directory_;
  const report::ReturnAddress address_{.message = {}, .index = 1, .tenant_tag = 2};
};

TEST_F(ReturnKeysFileTest, AreMadeOnceAndForTheOwnerOnly) {
  const std::filesystem::path file = directory_ / kReturnKeysName;
  const auto first = own_return_keys(file);
  ASSERT_TRUE(first) << first.error().to_string();
  struct stat status{};
  ASSERT_EQ(stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto second = own_return_keys(file);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->encode(address_, "b.example"), second->encode(address_, "b.example"));
  EXPECT_NE(first->encode(address_, "b.example"),
            own_return_keys(directory_ / "other")->encode(address_, "b.example"));
}

TEST_F(ReturnKeysFileTest, ABrokenFileIsNotReplaced) {
  const std::filesystem::path file = directory_ / kReturnKeysName;
  std::ofstream(file) << "nonsense\n";
  const auto keys = own_return_keys(file);
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().code, report::Errc::kBadKeys);
  EXPECT_FALSE(read_return_keys(directory_ / "missing"));
  EXPECT_FALSE(own_return_keys(directory_ / "missing" / "keys"));
}

}  // namespace
}  // namespace godwit::cli::run
