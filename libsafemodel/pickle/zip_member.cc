// SPDX-License-Identifier: Apache-2.0
#include "pickle/zip_member.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/try.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;
// Going back means inflating from the start again. Honest readers do so a few times for a member.
constexpr std::uint64_t kFreeWork = std::uint64_t{256} << 20;
constexpr std::uint64_t kMostPasses = 16;

Error OutsideMember(std::uint64_t offset) { return {Stage::kIo, "truncated", "a read leaves the member", offset}; }

Error WrongCrc(const std::string& name) {
  return {Stage::kMalformed, "ZIP-CRC",
          "the bytes of a member do not have the checksum of the archive; get a fresh copy", kNoOffset, name};
}

std::uint32_t Crc(std::uint32_t before, ByteView bytes) {
  return static_cast<std::uint32_t>(crc32_z(before, bytes.data(), bytes.size()));
}

// CheckedSource keeps the CRCs of the ranges read so far and joins neighbours.
class CheckedSource final : public ByteSource {
 public:
  CheckedSource(SharedSource stored, std::uint32_t crc, std::string name)
      : stored_(std::move(stored)), expected_(crc), name_(std::move(name)) {}
  [[nodiscard]] std::uint64_t size() const override { return stored_->size(); }
  [[nodiscard]] bool sequential() const override { return stored_->sequential(); }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    SAFEMODEL_TRY(stored_->ReadAt(offset, out));
    if (out.empty() || !Wanted(offset, out.size())) return {};
    const std::uint32_t crc = Crc(0, out);
    const std::lock_guard lock(mutex_);
    if (!Free(offset, out.size())) return {};
    Join(offset, {out.size(), crc});
    const auto first = ranges_.begin();
    if (first->second.size == stored_->size() && first->second.crc != expected_) {
      ranges_.clear();  // so that a second reader gets the error too
      return WrongCrc(name_);
    }
    return {};
  }

 private:
  struct Range {
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
  };

  bool Wanted(std::uint64_t offset, std::uint64_t size) const {
    const std::lock_guard lock(mutex_);
    return Free(offset, size);
  }

  [[nodiscard]] bool Free(std::uint64_t offset, std::uint64_t size) const {
    const auto next = ranges_.lower_bound(offset);
    if (next != ranges_.end() && next->first < offset + size) return false;
    if (next == ranges_.begin()) return true;
    const auto& [begin, range] = *std::prev(next);
    return begin + range.size <= offset;
  }

  static Range Joined(const Range& left, const Range& right) {
    const auto crc = crc32_combine64(left.crc, right.crc, static_cast<off64_t>(right.size));
    return {left.size + right.size, static_cast<std::uint32_t>(crc)};
  }

  void Join(std::uint64_t offset, Range range) const {
    auto next = ranges_.lower_bound(offset);
    if (next != ranges_.end() && next->first == offset + range.size) {
      range = Joined(range, next->second);
      next = ranges_.erase(next);
    }
    if (next != ranges_.begin()) {
      auto& [begin, before] = *std::prev(next);
      if (begin + before.size == offset) {
        before = Joined(before, range);
        return;
      }
    }
    ranges_.emplace(offset, range);
  }

  SharedSource stored_;
  std::uint32_t expected_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable std::map<std::uint64_t, Range> ranges_;  // by offset, disjoint, never adjacent
};

// Inflater owns a zlib stream of raw deflate data.
class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  [[nodiscard]] bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }
  void Restart() { inflateReset(&stream_); }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class InflatingSource final : public ByteSource {
 public:
  InflatingSource(SharedSource stored, std::uint64_t size, std::optional<std::uint32_t> crc, std::string name)
      : stored_(std::move(stored)), size_(size), expected_(crc), name_(std::move(name)) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] bool sequential() const override { return true; }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset) return OutsideMember(offset);
    if (out.empty()) return {};
    const std::lock_guard lock(mutex_);
    Status status = Read(offset, out);
    if (!status.ok()) position_ = size_ + 1;  // start again next time, and find the same error
    return status;
  }

 private:
  Status Read(std::uint64_t offset, MutableBytes out) const {
    if (offset < position_ || !inflater_) SAFEMODEL_TRY(Restart());
    std::array<std::uint8_t, 16u << 10> skipped;
    while (position_ < offset) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(offset - position_, skipped.size()));
      SAFEMODEL_TRY(Produce(MutableBytes(skipped).first(size)));
    }
    while (!out.empty()) {
      const MutableBytes piece = out.first(std::min(out.size(), kPieceBytes));
      SAFEMODEL_TRY(Produce(piece));
      out = out.subspan(piece.size());
    }
    return {};
  }

  Status Restart() const {
    if (!inflater_) inflater_ = std::make_unique<Inflater>();
    if (!inflater_->ready()) return Error{Stage::kIo, "out_of_memory", "zlib could not start", kNoOffset, name_};
    inflater_->Restart();
    inflater_->stream().avail_in = 0;
    position_ = 0;
    taken_ = 0;
    crc_ = 0;
    ended_ = false;
    return {};
  }

  [[nodiscard]] Error Broken() const {
    return {Stage::kMalformed, "ZIP-MALFORMED", "the deflated bytes of a member are broken", taken_, name_};
  }

  Status Refill() const {
    z_stream& stream = inflater_->stream();
    if (stream.avail_in != 0 || taken_ == stored_->size()) return {};
    input_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, stored_->size() - taken_)));
    SAFEMODEL_TRY(stored_->ReadAt(taken_, input_));
    taken_ += input_.size();
    stream.next_in = input_.data();
    stream.avail_in = static_cast<uInt>(input_.size());
    return {};
  }

  // Inflate fills as much of `out` as there is and returns what is left of it.
  Result<MutableBytes> Inflate(MutableBytes out) const {
    z_stream& stream = inflater_->stream();
    while (!out.empty() && !ended_) {
      SAFEMODEL_TRY(Refill());
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      const int code = inflate(&stream, Z_NO_FLUSH);
      if (code != Z_OK && code != Z_STREAM_END) return Broken();  // Z_BUF_ERROR: no input is left
      out = out.last(stream.avail_out);
      ended_ = code == Z_STREAM_END;
    }
    return out;
  }

  Status Produce(MutableBytes out) const {
    work_ += out.size();
    if (work_ > kFreeWork && work_ / kMostPasses > size_) {
      return Error{Stage::kLimit, "LIMIT-BYTES",
                   "a compressed member is read back and forth too often; save the file without compression", kNoOffset,
                   name_};
    }
    SAFEMODEL_ASSIGN(const MutableBytes missing, Inflate(out));
    if (!missing.empty()) return Broken();
    position_ += out.size();
    crc_ = Crc(crc_, out);
    return position_ == size_ ? CheckEnd() : Status{};
  }

  // CheckEnd: the data ends here too. A member that inflates to more bytes than it says holds different data for
  // readers that stop at the size and for those that do not.
  Status CheckEnd() const {
    std::array<std::uint8_t, 1> extra{};
    SAFEMODEL_ASSIGN(const MutableBytes missing, Inflate(extra));
    if (missing.empty() || inflater_->stream().avail_in != 0 || taken_ != stored_->size()) return Broken();
    if (expected_ && crc_ != *expected_) return WrongCrc(name_);
    return {};
  }

  SharedSource stored_;
  std::uint64_t size_;
  std::optional<std::uint32_t> expected_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Inflater> inflater_;
  mutable ByteBuffer input_;
  mutable std::uint64_t position_ = 0;  // plain bytes produced
  mutable std::uint64_t work_ = 0;      // plain bytes produced, those of earlier passes too
  mutable std::uint64_t taken_ = 0;     // stored bytes handed to zlib
  mutable std::uint32_t crc_ = 0;
  mutable bool ended_ = false;
};

}  // namespace

SharedSource MakeCheckedSource(SharedSource stored, std::uint32_t crc, std::string name) {
  return std::make_shared<CheckedSource>(std::move(stored), crc, std::move(name));
}

Result<SharedSource> MakeInflatingSource(SharedSource stored, std::uint64_t size, std::optional<std::uint32_t> crc,
                                         std::string name, const ZipLimits& limits) {
  if (size > limits.ratio_free_bytes && size / limits.ratio > stored->size()) {
    return Error{Stage::kLimit, "LIMIT-RATIO", "a member inflates to far more bytes than honest data does", kNoOffset,
                 std::move(name)};
  }
  return SharedSource(std::make_shared<InflatingSource>(std::move(stored), size, crc, std::move(name)));
}

}  // namespace safemodel::pickle
