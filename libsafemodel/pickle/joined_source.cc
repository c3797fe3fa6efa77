// SPDX-License-Identifier: Apache-2.0
#include "pickle/joined_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/try.h"

namespace safemodel::pickle {

std::uint64_t JoinedSource::Add(SharedSource source) {
  const std::uint64_t begin = size_;
  size_ += source->size();
  parts_.push_back({begin, std::move(source)});
  return begin;
}

bool JoinedSource::sequential() const {
  return std::ranges::any_of(parts_, [](const Part& part) { return part.source->sequential(); });
}

Status JoinedSource::ReadAt(std::uint64_t offset, MutableBytes out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    return Error{Stage::kIo, "truncated", "a read leaves the archive", offset};
  }
  while (!out.empty()) {
    const auto after = std::upper_bound(parts_.begin(), parts_.end(), offset,
                                        [](std::uint64_t at, const Part& part) { return at < part.begin; });
    const Part& part = *std::prev(after);
    const std::uint64_t within = offset - part.begin;
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), part.source->size() - within));
    SAFEMODEL_TRY(part.source->ReadAt(within, out.first(size)));
    out = out.subspan(size);
    offset += size;
  }
  return {};
}

}  // namespace safemodel::pickle
