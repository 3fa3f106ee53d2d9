#pragma once

#include <memory>

#include "common/store/file.h"

namespace rocksdb {
class Env;
}

namespace godwit::store {

// A RocksDB environment whose files are those of `files`; threads and clock are the machine's.
// `files` outlives it.
[[nodiscard]] std::unique_ptr<rocksdb::Env> make_rocksdb_env(FileSystem& files);

}  // namespace godwit::store
