// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <queue>
#include <string>

#include "base/try.h"
#include "model/gather.h"
#include "model/gather_axes.h"

namespace safemodel {
namespace {

// As many views of one range are gathered one after the other, each reading in long pieces. More are walked together.
constexpr std::size_t kFewViews = 8;
// Elements that lie this close together are read at once while views are walked together.
constexpr std::uint64_t kPieceBytes = 4096;

// Span is a target and the range of the source that it touches.
struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  const GatherTarget* target = nullptr;
};

Status Named(Status status, const GatherTarget& target) {
  if (status.ok() || !status.error().subject.empty()) return status;
  Error error = status.error();
  error.subject = std::string(target.name);
  return error;
}

// IsAscending says whether the elements of axes in storage order come one behind the other: no axis steps back over
// what those behind it span.
bool IsAscending(const std::vector<Axis>& axes, std::uint64_t width) {
  for (std::size_t i = 0; i + 1 < axes.size(); ++i) {
    if (axes[i].in_step < SpanOf(axes, i + 1, width)) return false;
  }
  return true;
}

// Walker goes through an ascending view, a short run of elements at a time.
class Walker {
 public:
  Walker(const GatherTarget& target, std::vector<Axis> axes)
      : target_(target), axes_(std::move(axes)), outer_(std::span<const Axis>(axes_).first(axes_.size() - 1)) {
    const Axis& inner = axes_.back();
    const bool adjacent = inner.in_step == width() && inner.out_step == width();
    if (adjacent || inner.in_step == 0)
      piece_ = inner.count;
    else
      piece_ = std::clamp<std::uint64_t>(kPieceBytes / inner.in_step, 1, inner.count);
  }
  Walker(const Walker&) = delete;  // outer_ refers to axes_
  Walker& operator=(const Walker&) = delete;

  [[nodiscard]] const GatherTarget& target() const { return target_; }
  [[nodiscard]] std::uint64_t offset() const {
    return target_.view->byte_offset + outer_.in() + first_ * axes_.back().in_step;
  }

  // Copy fills what the run at offset() holds.
  Status Copy(const ByteSource& source, ByteBuffer& buffer) const {
    const Axis& inner = axes_.back();
    const std::uint64_t count = std::min(piece_, inner.count - first_);
    const MutableBytes out = target_.out.subspan(static_cast<std::size_t>(outer_.out() + first_ * inner.out_step));
    if (count == 1 || (inner.in_step == width() && inner.out_step == width())) {
      return source.ReadAt(offset(), out.first(static_cast<std::size_t>(count * width())));
    }
    buffer.resize(static_cast<std::size_t>((count - 1) * inner.in_step + width()));
    SAFEMODEL_TRY(source.ReadAt(offset(), buffer));
    CopyRun(buffer, inner.in_step, out, inner.out_step, count, width());
    return {};
  }

  // Next goes on to the next run; false after the last one.
  bool Next() {
    first_ += piece_;
    if (first_ < axes_.back().count) return true;
    first_ = 0;
    return outer_.Next();
  }

 private:
  [[nodiscard]] std::uint64_t width() const { return target_.view->element_bytes; }
  const GatherTarget& target_;
  const std::vector<Axis> axes_;
  Odometer outer_;
  std::uint64_t piece_ = 1;
  std::uint64_t first_ = 0;
};

// WalkTogether copies runs of all walkers in the order in which they lie.
Status WalkTogether(const ByteSource& source, std::vector<std::unique_ptr<Walker>>& walkers) {
  using Entry = std::pair<std::uint64_t, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next;
  for (std::size_t i = 0; i < walkers.size(); ++i) next.emplace(walkers[i]->offset(), i);
  ByteBuffer buffer;
  while (!next.empty()) {
    const std::size_t i = next.top().second;
    next.pop();
    SAFEMODEL_TRY(Named(walkers[i]->Copy(source, buffer), walkers[i]->target()));
    if (walkers[i]->Next()) next.emplace(walkers[i]->offset(), i);
  }
  return {};
}

// GatherCluster fills views whose ranges overlap.
Status GatherCluster(const ByteSource& source, std::span<const Span> cluster) {
  std::vector<std::unique_ptr<Walker>> walkers;
  for (const Span& span : cluster) {
    const GatherTarget& target = *span.target;
    std::vector<Axis> axes = InStorageOrder(AxesOf(*target.view));
    if (cluster.size() > kFewViews && IsAscending(axes, target.view->element_bytes)) {
      walkers.push_back(std::make_unique<Walker>(target, std::move(axes)));
    } else {
      SAFEMODEL_TRY(Named(Gather(source, *target.view, target.out), target));
    }
  }
  return WalkTogether(source, walkers);
}

}  // namespace

std::uint64_t ViewEnd(const TensorView& view) {
  if (IsEmpty(view)) return view.byte_offset;
  return view.byte_offset + SpanOf(AxesOf(view), 0, view.element_bytes);
}

Status GatherMany(const ByteSource& source, std::span<const GatherTarget> targets) {
  std::vector<Span> spans;
  for (const GatherTarget& target : targets) {
    if (!IsEmpty(*target.view)) spans.push_back({target.view->byte_offset, ViewEnd(*target.view), &target});
  }
  std::stable_sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  for (std::size_t first = 0; first < spans.size();) {
    std::size_t last = first + 1;
    for (std::uint64_t end = spans[first].end; last < spans.size() && spans[last].begin < end; ++last)
      end = std::max(end, spans[last].end);
    SAFEMODEL_TRY(GatherCluster(source, std::span<const Span>(spans).subspan(first, last - first)));
    first = last;
  }
  return {};
}

}  // namespace safemodel
