#include "common/store/metrics.h"

#include <rocksdb/db.h>

#include <utility>

namespace godwit::store {
namespace {

using observe::GaugeDefinition;
using Properties = rocksdb::DB::Properties;

const GaugeDefinition kMemtables{"godwit_store_memtable_bytes",
                                 "What RocksDB has in memory only, not flushed yet."};
const GaugeDefinition kBlockCache{"godwit_store_block_cache_bytes",
                                  "Blocks of files that RocksDB keeps in memory."};
const GaugeDefinition kTableReaders{
    "godwit_store_table_readers_bytes",
    "Indexes and filters of open files, outside of the block cache."};
const GaugeDefinition kFiles{"godwit_store_files_bytes", "Files of keys and small values."};
const GaugeDefinition kBlobs{"godwit_store_blob_files_bytes",
                             "Files of large values: content of parked deliveries."};
const GaugeDefinition kKeys{"godwit_store_keys", "Keys, as RocksDB estimates them."};
const GaugeDefinition kPending{"godwit_store_pending_compaction_bytes",
                               "What compactions still have to rewrite, estimated."};
const GaugeDefinition kCompactions{"godwit_store_compactions", "Compactions that run now."};
const GaugeDefinition kFlushes{"godwit_store_flushes", "Flushes that run now."};
const GaugeDefinition kStopped{"godwit_store_writes_stopped",
                               "1 while RocksDB takes no writes until compactions have caught up."};
const GaugeDefinition kDelayed{"godwit_store_delayed_write_bytes_per_second",
                               "The rate that RocksDB slows writes down to; 0: it does not."};
const observe::CounterDefinition kErrors{"godwit_store_background_errors_total",
                                         "Flushes and compactions that failed."};

}  // namespace

StoreMetrics::StoreMetrics(observe::Metrics& metrics, Property property)
    : property_(std::move(property)) {
  const auto add = [&](const auto& definition, const std::string& name, bool of_database) {
    samples_.push_back(metrics.sampled(definition, {}, [this, name, of_database] {
      return static_cast<double>(property_(name, of_database));
    }));
  };
  add(kMemtables, Properties::kCurSizeAllMemTables, false);
  add(kTableReaders, Properties::kEstimateTableReadersMem, false);
  add(kBlockCache, Properties::kBlockCacheUsage, false);  // each column family has its own
  add(kFiles, Properties::kTotalSstFilesSize, false);
  add(kBlobs, Properties::kTotalBlobFileSize, false);
  add(kKeys, Properties::kEstimateNumKeys, false);
  add(kPending, Properties::kEstimatePendingCompactionBytes, false);
  add(kErrors, Properties::kBackgroundErrors, false);
  add(kCompactions, Properties::kNumRunningCompactions, true);
  add(kFlushes, Properties::kNumRunningFlushes, true);
  add(kStopped, Properties::kIsWriteStopped, true);
  add(kDelayed, Properties::kActualDelayedWriteRate, true);
}

}  // namespace godwit::store
