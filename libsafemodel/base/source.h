// SPDX-License-Identifier: Apache-2.0
// Where bytes come from: a file, a part of one, memory, or a transformation of another source.
#pragma once

#include <cstdint>
#include <memory>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

// ByteSource reads by position. ReadAt fills the whole of `out` or fails (kIo "truncated" when the range leaves the
// source). Implementations say whether they are safe to call from several threads; file and memory sources are.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual Status ReadAt(std::uint64_t offset, MutableBytes out) const = 0;
  // sequential says that reading backwards is slow (a compressed stream that must start again).
  [[nodiscard]] virtual bool sequential() const { return false; }
};

using SharedSource = std::shared_ptr<const ByteSource>;

// MakeMemorySource returns a source that owns its bytes.
SharedSource MakeMemorySource(ByteBuffer bytes);
// MakeSliceSource returns a slice of another source; kMalformed "outside_source" when the range leaves it.
Result<SharedSource> MakeSliceSource(SharedSource source, std::uint64_t offset, std::uint64_t size);
// ReadRange reads a range into a fresh buffer; `limit` is compared before the allocation (kLimit "too_large").
Result<ByteBuffer> ReadRange(const ByteSource& source, std::uint64_t offset, std::uint64_t size, std::uint64_t limit);

// ReadAhead answers small reads that move forward from one larger read of another source, which must outlive it. Reads
// of a source that is sequential() pass through: reading ahead there would mean to start again. For one thread.
class ReadAhead final : public ByteSource {
 public:
  explicit ReadAhead(const ByteSource& source) : source_(source) {}
  [[nodiscard]] std::uint64_t size() const override { return source_.size(); }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override;
  [[nodiscard]] bool sequential() const override { return source_.sequential(); }

 private:
  const ByteSource& source_;
  mutable ByteBuffer window_;
  mutable std::uint64_t window_offset_ = 0;
};

}  // namespace safemodel
