// SPDX-License-Identifier: Apache-2.0
#include "base/source.h"

#include <algorithm>

#include "base/try.h"

namespace safemodel {
namespace {

Error OutsideSource(std::uint64_t offset) { return {Stage::kIo, "truncated", "a read leaves the input", offset}; }

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(ByteBuffer bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return OutsideSource(offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  ByteBuffer bytes_;
};

class SliceSource final : public ByteSource {
 public:
  SliceSource(SharedSource source, std::uint64_t offset, std::uint64_t size)
      : source_(std::move(source)), offset_(offset), size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] bool sequential() const override { return source_->sequential(); }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset) return OutsideSource(offset);
    return source_->ReadAt(offset_ + offset, out);
  }

 private:
  SharedSource source_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

}  // namespace

SharedSource MakeMemorySource(ByteBuffer bytes) { return std::make_shared<MemorySource>(std::move(bytes)); }

Result<SharedSource> MakeSliceSource(SharedSource source, std::uint64_t offset, std::uint64_t size) {
  if (offset > source->size() || size > source->size() - offset) {
    return Error{Stage::kMalformed, "outside_source", "a range leaves the input", offset};
  }
  return SharedSource(std::make_shared<SliceSource>(std::move(source), offset, size));
}

Result<ByteBuffer> ReadRange(const ByteSource& source, std::uint64_t offset, std::uint64_t size, std::uint64_t limit) {
  if (size > limit) return Error{Stage::kLimit, "too_large", "a part is larger than its limit", offset};
  if (offset > source.size() || size > source.size() - offset) return OutsideSource(offset);
  ByteBuffer buffer(static_cast<std::size_t>(size));
  SAFEMODEL_TRY(source.ReadAt(offset, buffer));
  return buffer;
}

Status ReadAhead::ReadAt(std::uint64_t offset, MutableBytes out) const {
  // Few enough that large members between small reads are left alone.
  constexpr std::uint64_t kWindow = 8u << 10;
  const std::uint64_t size = source_.size();
  const bool inside = offset <= size && out.size() <= size - offset;
  if (!inside || out.size() > kWindow || source_.sequential()) return source_.ReadAt(offset, out);
  const std::uint64_t at = offset - window_offset_;  // wraps in front of the window, which is then not inside it either
  if (at > window_.size() || out.size() > window_.size() - at) {
    window_.resize(static_cast<std::size_t>(std::min(kWindow, size - offset)));
    window_offset_ = offset;
    const Status read = source_.ReadAt(offset, window_);
    if (!read.ok()) window_.clear();
    if (!read.ok()) return read;
  }
  std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(offset - window_offset_), out.size(), out.begin());
  return {};
}

}  // namespace safemodel
