// SPDX-License-Identifier: Apache-2.0
#include "model/gather.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/try.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kWindowBytes = 1u << 20;
// Work that a view may cause beyond what its size explains, before it is taken for an attack.
constexpr std::uint64_t kScatterFactor = 16;
constexpr std::uint64_t kScatterSlack = 64u << 20;

// Axis is one dimension of a view: how many elements, how far apart they lie in the storage and in the result.
struct Axis {
  std::uint64_t count = 1;
  std::uint64_t in_step = 0;   // bytes
  std::uint64_t out_step = 0;  // bytes
};

// AxesOf drops dimensions of size 1 and joins those that run on without a gap, in row-major order.
std::vector<Axis> AxesOf(const TensorView& view) {
  std::vector<Axis> axes;
  std::uint64_t out_step = view.element_bytes;
  for (std::size_t i = view.shape.size(); i-- > 0;) {
    const std::uint64_t count = view.shape[i];
    if (count == 1) continue;
    const std::uint64_t in_step = view.strides[i] * view.element_bytes;
    if (!axes.empty() && in_step == axes.back().in_step * axes.back().count) {
      axes.back().count *= count;
    } else {
      axes.push_back({count, in_step, out_step});
    }
    out_step *= count;
  }
  std::reverse(axes.begin(), axes.end());
  return axes;
}

// Span returns the bytes from the first to the last byte that some axes touch.
std::uint64_t SpanOf(const std::vector<Axis>& axes, std::size_t first, std::uint64_t element_bytes) {
  std::uint64_t span = element_bytes;
  for (std::size_t i = first; i < axes.size(); ++i) span += (axes[i].count - 1) * axes[i].in_step;
  return span;
}

std::uint64_t SaturatingMul(std::uint64_t a, std::uint64_t b) {
  return CheckedMul(a, b).value_or(std::numeric_limits<std::uint64_t>::max());
}

// CheckScatter refuses views whose inner axes span far more than the outer ones step: each outer step would go back
// over it all, and a small file could keep a reader busy for ever. `axes` descend by in_step.
Status CheckScatter(const std::vector<Axis>& axes, std::uint64_t element_bytes) {
  std::uint64_t elements = 1;
  for (const Axis& axis : axes) elements = SaturatingMul(elements, axis.count);
  const std::uint64_t out_bytes = SaturatingMul(elements, element_bytes);
  const std::uint64_t base = std::max(out_bytes, SpanOf(axes, 0, element_bytes));
  const std::uint64_t allowed =
      CheckedAdd(SaturatingMul(base, kScatterFactor), kScatterSlack).value_or(~std::uint64_t{0});
  std::uint64_t returns = 1;
  for (std::size_t i = 0; i + 1 < axes.size(); ++i) {
    returns = SaturatingMul(returns, axes[i].count);
    const std::uint64_t inner = SpanOf(axes, i + 1, element_bytes);
    if (axes[i].in_step >= inner || inner <= kWindowBytes) continue;
    if (SaturatingMul(returns, inner) > allowed) {
      return Error{Stage::kLimit, "scattered_view",
                   "the strides of a tensor overlap so that reading it would take too much work"};
    }
  }
  return {};
}

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

template <std::size_t kWidth>
void CopyElements(const std::uint8_t* in, std::uint64_t in_step, std::uint8_t* out, std::uint64_t out_step,
                  std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) std::memcpy(out + i * out_step, in + i * in_step, kWidth);
}

// CopyRun spreads `count` elements. Both views are long enough: the callers cut them to the axis.
void CopyRun(ByteView in, std::uint64_t in_step, MutableBytes out, std::uint64_t out_step, std::uint64_t count,
             std::uint64_t width) {
  if (in_step == width && out_step == width) {
    std::memcpy(out.data(), in.data(), static_cast<std::size_t>(count * width));
    return;
  }
  switch (width) {
    case 1: return CopyElements<1>(in.data(), in_step, out.data(), out_step, count);
    case 2: return CopyElements<2>(in.data(), in_step, out.data(), out_step, count);
    case 4: return CopyElements<4>(in.data(), in_step, out.data(), out_step, count);
    case 8: return CopyElements<8>(in.data(), in_step, out.data(), out_step, count);
    default: break;
  }
  for (std::uint64_t i = 0; i < count; ++i)
    std::memcpy(out.data() + i * out_step, in.data() + i * in_step, static_cast<std::size_t>(width));
}

// Odometer counts through the outer axes, the last one fastest.
class Odometer {
 public:
  explicit Odometer(std::span<const Axis> axes) : axes_(axes), at_(axes.size(), 0) {}
  [[nodiscard]] std::uint64_t in() const { return in_; }
  [[nodiscard]] std::uint64_t out() const { return out_; }
  // Next returns false after the last position.
  bool Next() {
    for (std::size_t i = axes_.size(); i-- > 0;) {
      in_ += axes_[i].in_step;
      out_ += axes_[i].out_step;
      if (++at_[i] < axes_[i].count) return true;
      in_ -= axes_[i].in_step * axes_[i].count;
      out_ -= axes_[i].out_step * axes_[i].count;
      at_[i] = 0;
    }
    return false;
  }

 private:
  std::span<const Axis> axes_;
  std::vector<std::uint64_t> at_;
  std::uint64_t in_ = 0;
  std::uint64_t out_ = 0;
};

// Piece is an axis cut so that its elements fit a window.
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

std::vector<Axis> InStorageOrder(std::vector<Axis> axes) {
  if (axes.empty()) axes.push_back({});
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.in_step > b.in_step; });
  return axes;
}

bool IsEmpty(const TensorView& view) { return std::find(view.shape.begin(), view.shape.end(), 0u) != view.shape.end(); }

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
