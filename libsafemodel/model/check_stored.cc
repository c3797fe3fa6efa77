// SPDX-License-Identifier: Apache-2.0
// Every stored byte of the core. Preamble, object table and manifest were checked when the container was opened.
#include <algorithm>

#include "base/large_pages.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "model/loaded_model.h"

namespace safemodel {
namespace {

// Runs are read at once and hashed while they are still in the processor's cache.
constexpr std::uint64_t kRunBytes = 1u << 20;

// Run is a number of adjacent chunks of one object.
struct Run {
  std::uint32_t object = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint64_t bytes = 0;
};

void AppendRuns(std::uint32_t object, const Slice& slice, std::vector<Run>& runs) {
  Run run{object, 0, 0, 0};
  for (std::uint32_t i = 0; i < slice.size(); ++i) {
    if (run.count > 0 && run.bytes + slice[i].stored_length > kRunBytes) {
      runs.push_back(run);
      run = {object, i, 0, 0};
    }
    ++run.count;
    run.bytes += slice[i].stored_length;
  }
  if (run.count > 0) runs.push_back(run);
}

Status CheckRun(const ObjectStore& store, const Run& run, ReadBuffer& buffer) {
  SAFEMODEL_ASSIGN(const Slice* slice, store.SliceOf(run.object));
  SAFEMODEL_TRY(store.Refused(run.object, run.first, run.count));
  const MutableBytes stored = buffer.First(static_cast<std::size_t>(run.bytes));
  SAFEMODEL_TRY(store.file().ReadAt((*slice)[run.first].stored_offset, stored));
  ByteView rest = stored;
  for (std::uint32_t chunk = run.first; chunk < run.first + run.count; ++chunk) {
    const container::ChunkRecord& record = (*slice)[chunk];
    const Status held = CheckChunkDigest(rest.first(record.stored_length), record);
    if (!held.ok()) return store.Refuse(run.object, chunk, held.error());
    rest = rest.subspan(record.stored_length);
  }
  return {};
}

// CheckPadding refuses anything but zeros between objects: no digest covers these bytes [O-PADDING].
Status CheckPadding(const File& file, const container::Range& range) {
  SAFEMODEL_ASSIGN(const ByteBuffer padding, ReadRange(file, range.begin, range.end - range.begin, 4096));
  const auto found = std::find_if(padding.begin(), padding.end(), [](std::uint8_t byte) { return byte != 0; });
  if (found == padding.end()) return {};
  return Error{Stage::kMalformed, "padding_not_zero", "the padding between two objects is not zero",
               range.begin + static_cast<std::uint64_t>(found - padding.begin())};
}

}  // namespace

Status CheckStored(const ObjectStore& store, unsigned threads, const Progress& progress) {
  std::vector<std::uint64_t> ends;
  std::vector<Run> runs;
  for (std::uint32_t object = 0; object < store.objects().size(); ++object) {
    SAFEMODEL_ASSIGN(const Slice* slice, store.SliceOf(object));
    ends.push_back(container::StoredEnd(store.objects()[object], *slice));
    AppendRuns(object, *slice, runs);
  }
  SAFEMODEL_ASSIGN(const std::vector<container::Range> padding,
                   container::CheckTiling(store.manifest(), store.objects(), ends));
  for (const container::Range& range : padding) SAFEMODEL_TRY(CheckPadding(store.file(), range));
  std::uint64_t total = 0;
  for (const Run& run : runs) total += run.bytes;
  std::vector<ReadBuffer> buffers(WorkerCount(runs.size(), threads));
  std::mutex mutex;
  std::uint64_t done = 0;
  return ParallelFor(runs.size(), threads, [&](std::size_t i, unsigned worker) -> Status {
    SAFEMODEL_TRY(CheckRun(store, runs[i], buffers[worker]));
    if (progress) {
      const std::lock_guard lock(mutex);
      done += runs[i].bytes;
      progress(done, total);
    }
    return {};
  });
}

}  // namespace safemodel
