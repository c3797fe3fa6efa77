// SPDX-License-Identifier: Apache-2.0
#include "model/gather_axes.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/checked.h"

namespace safemodel {
namespace {

// What a source is read by at once: going to and fro within it costs nothing.
constexpr std::uint64_t kWindowBytes = 1u << 20;
// Work that a view may cause beyond what its size explains, before it is taken for an attack.
constexpr std::uint64_t kScatterFactor = 16;
constexpr std::uint64_t kScatterSlack = 64u << 20;

template <std::size_t kWidth>
void CopyElements(const std::uint8_t* in, std::uint64_t in_step, std::uint8_t* out, std::uint64_t out_step,
                  std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) std::memcpy(out + i * out_step, in + i * in_step, kWidth);
}

}  // namespace

std::uint64_t SaturatingMul(std::uint64_t a, std::uint64_t b) {
  return CheckedMul(a, b).value_or(std::numeric_limits<std::uint64_t>::max());
}

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

std::vector<Axis> InStorageOrder(std::vector<Axis> axes) {
  if (axes.empty()) axes.push_back({});
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.in_step > b.in_step; });
  return axes;
}

std::uint64_t SpanOf(const std::vector<Axis>& axes, std::size_t first, std::uint64_t element_bytes) {
  std::uint64_t span = element_bytes;
  for (std::size_t i = first; i < axes.size(); ++i) span += (axes[i].count - 1) * axes[i].in_step;
  return span;
}

bool IsEmpty(const TensorView& view) { return std::find(view.shape.begin(), view.shape.end(), 0u) != view.shape.end(); }

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

bool Odometer::Next() {
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

}  // namespace safemodel
