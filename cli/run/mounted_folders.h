#pragma once

#include <filesystem>
#include <map>
#include <vector>

namespace godwit::cli::run {

// Tells when files that Kubernetes has mounted were exchanged.
//
// A ConfigMap or Secret is a folder whose files lead through `..data`, a link to the folder with
// what they say now; an update writes a new folder and renames a new `..data` over the old one. So
// the link says everything: it changes for all files at once, and never shows a half-written one.
// Folders without it are left alone, because in them an editor may be at work: who changes a file
// there says when it is done (SIGHUP, `godwit ctl reload`).
//
// Input   files; the folders they are in are watched, as they were named at the start
// Limits  changed() is one readlink for each folder
// Threads one at a time
class MountedFolders {
 public:
  explicit MountedFolders(const std::vector<std::filesystem::path>& files);

  // Whether a folder shows something else than at the last call. One that cannot be looked at, or
  // whose link is gone, has not changed.
  [[nodiscard]] bool changed();

 private:
  std::map<std::filesystem::path, std::filesystem::path> shown_;  // where `..data` leads
};

}  // namespace godwit::cli::run
