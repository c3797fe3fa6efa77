// SPDX-License-Identifier: Apache-2.0
#include "model/read_targets.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "base/try.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kItemBytes = 4u << 20;  // what one thread reads before it takes the next part

// Piece is the part of a chunk that belongs to a contiguous target.
struct Piece {
  std::uint32_t object = 0;
  std::uint32_t chunk = 0;
  std::size_t target = 0;
  auto operator<=>(const Piece&) const = default;
};

// Item is what one thread reads: pieces, all of each of their chunks; or strided targets, all that interleave.
struct Item {
  bool strided = false;
  std::size_t first = 0;
  std::size_t end = 0;
};

// Plan says what is read in which order.
struct Plan {
  std::vector<Piece> pieces;                      // ascending
  std::vector<std::size_t> strided;               // targets, by object and offset
  std::map<std::uint32_t, SharedBudget> budgets;  // of the objects of strided targets
  std::vector<Item> items;
};

void AppendPieces(const ReadTarget& target, std::size_t number, std::uint32_t chunk_size, std::vector<Piece>& pieces) {
  const auto first = static_cast<std::uint32_t>(target.begin / chunk_size);
  const auto end = static_cast<std::uint32_t>(CeilDiv(target.begin + target.out.size(), chunk_size));
  for (std::uint32_t chunk = first; chunk < end; ++chunk) pieces.push_back({target.object, chunk, number});
}

bool SameChunk(const Piece& a, const Piece& b) { return a.object == b.object && a.chunk == b.chunk; }

// AppendPieceItems cuts between chunks only: none is decoded by two threads.
void AppendPieceItems(std::uint32_t chunk_size, Plan& plan) {
  const std::uint64_t run = std::max<std::uint64_t>(1, kItemBytes / chunk_size);
  for (std::size_t first = 0; first < plan.pieces.size();) {
    std::uint64_t chunks = 1;
    std::size_t end = first + 1;
    for (; end < plan.pieces.size(); ++end) {
      if (SameChunk(plan.pieces[end], plan.pieces[end - 1])) continue;
      if (++chunks > run) break;
    }
    plan.items.push_back({false, first, end});
    first = end;
  }
}

// AppendStridedItems keeps views together that overlap, and as many more as share chunks with them.
void AppendStridedItems(const std::vector<ReadTarget>& targets, std::uint32_t chunk_size, Plan& plan) {
  const auto& strided = plan.strided;
  for (std::size_t first = 0; first < strided.size();) {
    const ReadTarget& head = targets[strided[first]];
    const std::uint64_t enough = head.view.byte_offset + std::max<std::uint64_t>(kItemBytes, chunk_size);
    std::uint64_t reach = ViewEnd(head.view);
    std::size_t end = first + 1;
    for (; end < strided.size(); ++end) {
      const ReadTarget& next = targets[strided[end]];
      if (next.object != head.object || next.view.byte_offset >= std::max(reach, enough)) break;
      reach = std::max(reach, ViewEnd(next.view));
    }
    plan.items.push_back({true, first, end});
    first = end;
  }
}

Plan PlanFor(const LoadedModel& model, const std::vector<ReadTarget>& targets) {
  Plan plan;
  const ObjectStore& store = *model.store;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const ReadTarget& target = targets[i];
    if (target.out.empty()) continue;
    if (target.contiguous) {
      AppendPieces(target, i, store.chunk_size(), plan.pieces);
      continue;
    }
    plan.strided.push_back(i);
    SharedBudget& budget = plan.budgets[target.object];
    if (!budget) budget = std::make_shared<DecodeBudget>(store.objects()[target.object].plain_size, model.limits);
    budget->Allow(target.out.size());
  }
  std::sort(plan.pieces.begin(), plan.pieces.end());
  std::sort(plan.strided.begin(), plan.strided.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(targets[a].object, targets[a].view.byte_offset, a) <
           std::tuple(targets[b].object, targets[b].view.byte_offset, b);
  });
  AppendPieceItems(store.chunk_size(), plan);
  AppendStridedItems(targets, store.chunk_size(), plan);
  return plan;
}

// ReadScratch is what one thread needs.
struct ReadScratch {
  ChunkScratch chunk;
  ByteBuffer plain;
};

// ChunkReading copies the parts of one chunk that belong to targets. Where a target takes all of it, it is decoded
// there and copied from there.
class ChunkReading {
 public:
  ChunkReading(const ObjectStore& store, const std::vector<ReadTarget>& targets, std::span<const Piece> pieces)
      : store_(store),
        targets_(targets),
        pieces_(pieces),
        begin_(std::uint64_t{pieces[0].chunk} * store.chunk_size()),
        length_(container::PlainLength(store.objects()[pieces[0].object], pieces[0].chunk, store.chunk_size())) {}

  // Run returns how many bytes targets got.
  Result<std::uint64_t> Run(ReadScratch& scratch) {
    MutableBytes plain;
    for (const Piece& piece : pieces_) {
      const MutableBytes out = OutOf(piece);
      if (out.size() == length_) plain = out;
    }
    if (plain.empty()) {
      scratch.plain.resize(static_cast<std::size_t>(length_));
      plain = scratch.plain;
    }
    SAFEMODEL_TRY(store_.Read(pieces_[0].object, pieces_[0].chunk, plain, scratch.chunk));
    std::uint64_t copied = 0;
    for (const Piece& piece : pieces_) {
      const MutableBytes out = OutOf(piece);
      copied += out.size();
      if (out.data() == plain.data()) continue;
      const std::uint64_t within = std::max(begin_, targets_[piece.target].begin) - begin_;
      std::copy_n(plain.begin() + static_cast<std::ptrdiff_t>(within), out.size(), out.begin());
    }
    return copied;
  }

 private:
  // OutOf returns the part of a target's destination that lies in the chunk.
  [[nodiscard]] MutableBytes OutOf(const Piece& piece) const {
    const ReadTarget& target = targets_[piece.target];
    const std::uint64_t begin = std::max(begin_, target.begin);
    const std::uint64_t end = std::min(begin_ + length_, target.begin + target.out.size());
    return target.out.subspan(static_cast<std::size_t>(begin - target.begin), static_cast<std::size_t>(end - begin));
  }

  const ObjectStore& store_;
  const std::vector<ReadTarget>& targets_;
  std::span<const Piece> pieces_;
  std::uint64_t begin_;
  std::uint64_t length_;
};

Result<std::uint64_t> ReadPieces(const ObjectStore& store, const std::vector<ReadTarget>& targets,
                                 std::span<const Piece> pieces, ReadScratch& scratch) {
  std::uint64_t copied = 0;
  while (!pieces.empty()) {
    std::size_t count = 1;
    while (count < pieces.size() && SameChunk(pieces[count], pieces[0])) ++count;
    auto read = ChunkReading(store, targets, pieces.first(count)).Run(scratch);
    if (!read.ok()) {
      Error error = read.error();
      if (error.subject.empty()) error.subject = targets[pieces[0].target].tensor->name;
      return error;
    }
    copied += read.value();
    pieces = pieces.subspan(count);
  }
  return copied;
}

Result<std::uint64_t> ReadStrided(const ObjectStore& store, const std::vector<ReadTarget>& targets, const Plan& plan,
                                  const Item& item) {
  std::vector<GatherTarget> views;
  std::uint64_t copied = 0;
  for (std::size_t i = item.first; i < item.end; ++i) {
    const ReadTarget& target = targets[plan.strided[i]];
    views.push_back({&target.view, target.out, target.tensor->name});
    copied += target.out.size();
  }
  const std::uint32_t object = targets[plan.strided[item.first]].object;
  SAFEMODEL_TRY(GatherMany(*store.Plain(object, plan.budgets.at(object)), views));
  return copied;
}

}  // namespace

Status ReadTargets(const LoadedModel& model, const std::vector<ReadTarget>& targets, const Progress& progress) {
  const ObjectStore& store = *model.store;
  const Plan plan = PlanFor(model, targets);
  std::vector<ReadScratch> scratch(WorkerCount(plan.items.size(), model.threads));
  std::uint64_t total = 0;
  for (const ReadTarget& target : targets) total += target.out.size();
  std::mutex mutex;
  std::uint64_t done = 0;
  return ParallelFor(plan.items.size(), model.threads, [&](std::size_t i, unsigned worker) -> Status {
    const Item& item = plan.items[i];
    const std::span<const Piece> pieces(plan.pieces);
    SAFEMODEL_ASSIGN(
        const std::uint64_t copied,
        item.strided ? ReadStrided(store, targets, plan, item)
                     : ReadPieces(store, targets, pieces.subspan(item.first, item.end - item.first), scratch[worker]));
    if (progress) {
      const std::lock_guard lock(mutex);
      done += copied;
      progress(done, total);
    }
    return {};
  });
}

}  // namespace safemodel
