#include "cli/run/mounted_folders.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/test_directory.h"

namespace godwit::cli::run {
namespace {

namespace fs = std::filesystem;

// As the kubelet writes a volume (kubernetes/pkg/volume/util/atomic_writer.go).
class Volume {
 public:
  explicit Volume(fs::path folder) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    show("first");
    fs::create_symlink("..data/godwit.yaml", folder_ / "godwit.yaml");
  }
  void show(const std::string& content) {
    const std::string name = "..2026_11_23_" + std::to_string(++number_);
    fs::create_directory(folder_ / name);
    std::ofstream(folder_ / name / "godwit.yaml") << content;
    fs::create_directory_symlink(name, folder_ / "..data_tmp");
    fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  }
  [[nodiscard]] fs::path file() const { return folder_ / "godwit.yaml"; }
  [[nodiscard]] fs::path link() const { return folder_ / "..data"; }

 private:
  fs::path folder_;
  int number_ = 0;
};

class MountedFoldersTest : public testing::Test {
 protected:
  TestDirectory directory_;
};

TEST_F(MountedFoldersTest, TellsOnceThatAVolumeShowsSomethingElse) {
  Volume configuration(directory_ / "config");
  Volume certificate(directory_ / "tls");
  MountedFolders folders({configuration.file(), certificate.file(), {}});
  EXPECT_FALSE(folders.changed());
  configuration.show("second");
  EXPECT_TRUE(folders.changed());
  EXPECT_FALSE(folders.changed());
  certificate.show("second");
  configuration.show("third");
  EXPECT_TRUE(folders.changed());
  EXPECT_FALSE(folders.changed());
}

TEST_F(MountedFoldersTest, LeavesOtherFoldersToTheirEditors) {
  const fs::path file = directory_ / "godwit.yaml";
  std::ofstream(file) << "first";
  MountedFolders folders({file, directory_ / "nowhere" / "control.yaml", "relative.yaml"});
  std::ofstream(file) << "second";
  EXPECT_FALSE(folders.changed());
}

TEST_F(MountedFoldersTest, WaitsForAVolumeThatIsAway) {
  Volume configuration(directory_ / "config");
  MountedFolders folders({configuration.file()});
  fs::remove(configuration.link());
  EXPECT_FALSE(folders.changed());
  configuration.show("second");
  EXPECT_TRUE(folders.changed());
}

}  // namespace
}  // namespace godwit::cli::run
