// SPDX-License-Identifier: Apache-2.0
#include "pickle/zip_member.h"

#include <zlib.h>

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/try.h"
#include "pickle/decoder.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

Error Broken(const std::string& name, std::uint64_t offset) {
  return {Stage::kMalformed, "ZIP-MALFORMED", "the deflated bytes of a member are broken", offset, name};
}

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
  CheckedSource(SharedSource archive, std::shared_ptr<const ZipEntry> entry)
      : archive_(std::move(archive)), entry_(std::move(entry)) {}
  [[nodiscard]] std::uint64_t size() const override { return entry_->stored_size; }
  [[nodiscard]] bool sequential() const override { return archive_->sequential(); }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size() || out.size() > size() - offset) {
      return Error{Stage::kIo, "truncated", "a read leaves the member", offset};
    }
    SAFEMODEL_TRY(archive_->ReadAt(entry_->data_offset + offset, out));
    if (out.empty() || !Wanted(offset, out.size())) return {};
    const std::uint32_t crc = Crc(0, out);
    const std::lock_guard lock(mutex_);
    if (!Free(offset, out.size())) return {};
    Join(offset, {out.size(), crc});
    const auto first = ranges_.begin();
    if (first->second.size == size() && first->second.crc != entry_->crc) {
      ranges_.clear();  // so that a second reader gets the error too
      return WrongCrc(entry_->name);
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

  SharedSource archive_;
  std::shared_ptr<const ZipEntry> entry_;  // inside the source, as whoever made this has checked
  mutable std::mutex mutex_;
  mutable std::map<std::uint64_t, Range> ranges_;  // by offset, disjoint, never adjacent
};

// MemberDecoder inflates a member and compares its size and its CRC at the end.
class MemberDecoder final : public Decoder {
 public:
  MemberDecoder(std::uint64_t size, std::optional<std::uint32_t> crc, std::string name)
      : size_(size), expected_(crc), name_(std::move(name)) {}

 protected:
  Status Begin(CompressedInput& input) override {
    made_ = 0;
    crc_ = 0;
    return inflate_->Start(input);
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    const auto made = inflate_->Decode(input, rest);
    if (!made.ok()) return made.error().stage == Stage::kMalformed ? Broken(name_, input.position()) : made.error();
    if (made.value() == 0) return Finish(input);
    crc_ = Crc(crc_, rest.first(made.value()));
    made_ += made.value();
    rest = rest.subspan(made.value());
    return {};
  }

 private:
  // Finish: the stored bytes end where the data does.
  Status Finish(const CompressedInput& input) {
    End();
    if (made_ != size_ || !input.AtEnd()) return Broken(name_, input.position());
    return expected_ && crc_ != *expected_ ? WrongCrc(name_) : Status{};
  }

  std::uint64_t size_;
  std::optional<std::uint32_t> expected_;
  std::string name_;
  std::unique_ptr<Decoder> inflate_ = MakeInflateDecoder();
  std::uint64_t made_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace

Result<SharedSource> MakeCheckedSource(SharedSource archive, std::shared_ptr<const ZipEntry> entry) {
  if (entry->data_offset > archive->size() || entry->stored_size > archive->size() - entry->data_offset) {
    return Error{Stage::kMalformed, "outside_source", "a range leaves the input", entry->data_offset};
  }
  return SharedSource(std::make_shared<CheckedSource>(std::move(archive), std::move(entry)));
}

Result<SharedSource> MakeInflatingSource(SharedSource stored, std::uint64_t size, std::optional<std::uint32_t> crc,
                                         std::string name, const ZipLimits& limits) {
  if (size > limits.ratio_free_bytes && size / limits.ratio > stored->size()) {
    return Error{Stage::kLimit, "LIMIT-RATIO", "a member inflates to far more bytes than honest data does", kNoOffset,
                 std::move(name)};
  }
  Error wrong_size = Broken(name, kNoOffset);
  auto decoder = std::make_unique<MemberDecoder>(size, crc, std::move(name));
  return MakeDecodingSource(std::move(stored), std::move(decoder), size, StreamEnd::kCheck, std::move(wrong_size));
}

}  // namespace safemodel::pickle
