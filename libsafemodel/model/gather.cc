// SPDX-License-Identifier: Apache-2.0
#include "model/gather.h"

#include <algorithm>

#include "base/try.h"
#include "model/gather_axes.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kWindowBytes = 1u << 20;

// Window reads forward through a source. `sparse` says that what lies between two requests is not worth reading.
class Window {
 public:
  Window(const ByteSource& source, bool sparse) : source_(source), sparse_(sparse) {}

  Result<ByteView> At(std::uint64_t offset, std::uint64_t length) {
    if (offset < begin_ || offset + length > begin_ + bytes_.size()) SAFEMODEL_TRY(Fill(offset, length));
    return ByteView(bytes_).subspan(static_cast<std::size_t>(offset - begin_), static_cast<std::size_t>(length));
  }

 private:
  Status Fill(std::uint64_t offset, std::uint64_t length) {
    std::uint64_t size = length;
    if (!sparse_) size = std::min(std::max(length, kWindowBytes), source_.size() - offset);
    bytes_.resize(static_cast<std::size_t>(size));
    begin_ = offset;
    Status status = source_.ReadAt(offset, bytes_);
    if (!status.ok()) bytes_.clear();
    return status;
  }

  const ByteSource& source_;
  bool sparse_;
  ByteBuffer bytes_;
  std::uint64_t begin_ = 0;
};

// PieceCount returns how many elements of an axis fit a window.
std::uint64_t PieceCount(const Axis& axis) {
  if (axis.in_step == 0) return axis.count;
  return std::clamp<std::uint64_t>(kWindowBytes / axis.in_step, 1, axis.count);
}

bool IsSparse(const std::vector<Axis>& axes, std::uint64_t width) {
  const Axis& inner = axes.back();
  if (PieceCount(inner) == 1) return true;
  if (axes.size() < 2) return false;
  return SpanOf(axes, axes.size() - 1, width) < axes[axes.size() - 2].in_step / 8;
}

// GatherAxes copies a view whose axes descend by in_step. Bytes are addressed relative to `offset`.
Status GatherAxes(const ByteSource& source, std::uint64_t offset, const std::vector<Axis>& axes, std::uint64_t width,
                  MutableBytes out) {
  const Axis& inner = axes.back();
  const std::uint64_t piece = PieceCount(inner);
  Window window(source, IsSparse(axes, width) && !source.sequential());
  Odometer outer(std::span<const Axis>(axes).first(axes.size() - 1));
  do {
    for (std::uint64_t first = 0; first < inner.count; first += piece) {
      const std::uint64_t count = std::min(piece, inner.count - first);
      const std::uint64_t begin = offset + outer.in() + first * inner.in_step;
      SAFEMODEL_ASSIGN(const ByteView in, window.At(begin, (count - 1) * inner.in_step + width));
      const std::uint64_t to = outer.out() + first * inner.out_step;
      CopyRun(in, inner.in_step, out.subspan(static_cast<std::size_t>(to)), inner.out_step, count, width);
    }
  } while (outer.Next());
  return {};
}

// Cut says how a view falls into blocks of consecutive rows: axes before `axis` are counted through one by one, `axis`
// in steps of `rows`, those behind are whole.
struct Cut {
  std::size_t axis = 0;
  std::uint64_t rows = 1;
};

Cut CutFor(const std::vector<Axis>& axes, std::uint64_t width, std::uint64_t block_bytes) {
  std::uint64_t inner = width;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const std::uint64_t whole = SaturatingMul(inner, axes[i].count);
    if (whole > block_bytes) return {i, std::max<std::uint64_t>(1, block_bytes / inner)};
    inner = whole;
  }
  return {0, axes.empty() ? 1 : axes[0].count};
}

}  // namespace

Status StreamRange(const ByteSource& source, std::uint64_t offset, std::uint64_t bytes, const ByteSink& sink) {
  ByteBuffer buffer(static_cast<std::size_t>(std::min(bytes, kWindowBytes)));
  while (bytes > 0) {
    const MutableBytes piece =
        MutableBytes(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer.size())));
    SAFEMODEL_TRY(source.ReadAt(offset, piece));
    SAFEMODEL_TRY(sink(piece));
    offset += piece.size();
    bytes -= piece.size();
  }
  return {};
}

Status Gather(const ByteSource& source, const TensorView& view, MutableBytes out) {
  if (IsEmpty(view)) return {};
  const std::vector<Axis> axes = InStorageOrder(AxesOf(view));
  SAFEMODEL_TRY(CheckScatter(axes, view.element_bytes));
  return GatherAxes(source, view.byte_offset, axes, view.element_bytes, out);
}

Status StreamGathered(const ByteSource& source, const TensorView& view, std::uint64_t block_bytes,
                      const ByteSink& sink) {
  if (IsEmpty(view)) return {};
  std::vector<Axis> axes = AxesOf(view);
  SAFEMODEL_TRY(CheckScatter(InStorageOrder(axes), view.element_bytes));
  if (axes.empty()) axes.push_back({});
  const Cut cut = CutFor(axes, view.element_bytes, block_bytes);
  const Axis cut_axis = axes[cut.axis];
  ByteBuffer block;
  Odometer outer(std::span<const Axis>(axes).first(cut.axis));
  do {
    for (std::uint64_t first = 0; first < cut_axis.count; first += cut.rows) {
      std::vector<Axis> part(axes.begin() + static_cast<std::ptrdiff_t>(cut.axis), axes.end());
      part[0].count = std::min(cut.rows, cut_axis.count - first);
      const std::uint64_t row_bytes = cut_axis.out_step == 0 ? view.element_bytes : cut_axis.out_step;
      block.resize(static_cast<std::size_t>(part[0].count * row_bytes));
      const std::uint64_t offset = view.byte_offset + outer.in() + first * cut_axis.in_step;
      SAFEMODEL_TRY(GatherAxes(source, offset, InStorageOrder(std::move(part)), view.element_bytes, block));
      SAFEMODEL_TRY(sink(block));
    }
  } while (outer.Next());
  return {};
}

}  // namespace safemodel
