// SPDX-License-Identifier: Apache-2.0
#include "pickle/decoder.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/try.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kWindowBytes = 256u << 10;
// Going back means decoding from the start again. Honest readers do so a few times.
constexpr std::uint64_t kFreeWork = std::uint64_t{256} << 20;
constexpr std::uint64_t kMostPasses = 16;

class DecodingSource final : public ByteSource {
 public:
  DecodingSource(SharedSource stored, std::unique_ptr<Decoder> decoder, std::uint64_t size, StreamEnd end,
                 Error wrong_size)
      : size_(size),
        end_(end),
        wrong_size_(std::move(wrong_size)),
        input_(std::move(stored)),
        decoder_(std::move(decoder)) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] bool sequential() const override { return true; }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      return Error{Stage::kIo, "truncated", "a read leaves the decoded bytes", offset};
    }
    if (out.empty()) return {};
    const std::lock_guard lock(mutex_);
    Status status = Read(offset, out);
    if (!status.ok()) started_ = false;  // start again next time, and find the same error
    return status;
  }

 private:
  [[nodiscard]] std::uint64_t made() const { return piece_begin_ + piece_size_; }

  Status Read(std::uint64_t offset, MutableBytes out) const {
    const std::uint64_t read_end = offset + out.size();
    if (!started_ || offset < piece_begin_) SAFEMODEL_TRY(Restart());
    while (!out.empty()) {
      while (offset >= made()) SAFEMODEL_TRY(NextPiece());
      const auto within = static_cast<std::size_t>(offset - piece_begin_);
      const std::size_t size = std::min(out.size(), piece_size_ - within);
      std::copy_n(piece_.begin() + static_cast<std::ptrdiff_t>(within), size, out.begin());
      out = out.subspan(size);
      offset += size;
    }
    return read_end == size_ && end_ == StreamEnd::kCheck ? CheckEnd() : Status{};
  }

  Status Restart() const {
    input_.Rewind();
    // A stream without a fault yields the same bytes in pieces of any size.
    const std::uint64_t enough = end_ == StreamEnd::kCheck ? std::min<std::uint64_t>(size_, kDecodedPieceBytes)
                                                           : std::uint64_t{kDecodedPieceBytes};
    piece_.resize(static_cast<std::size_t>(enough));
    piece_begin_ = 0;
    piece_size_ = 0;
    SAFEMODEL_TRY(decoder_->Start(input_));
    started_ = true;
    return {};
  }

  Status NextPiece() const {
    piece_begin_ = made();
    piece_size_ = 0;
    SAFEMODEL_ASSIGN(piece_size_, decoder_->Decode(input_, piece_));
    work_ += piece_size_;
    if (work_ > kFreeWork && work_ / kMostPasses > size_) {
      return Error{Stage::kLimit, "LIMIT-BYTES",
                   "compressed bytes are read back and forth too often; save the file without compression"};
    }
    return piece_size_ != 0 ? Status{} : wrong_size_;
  }

  // CheckEnd: a stream with more bytes than stated holds different data for readers that stop at the size and for
  // those that do not.
  Status CheckEnd() const {
    if (made() != size_) return wrong_size_;
    std::array<std::uint8_t, 1> extra{};
    SAFEMODEL_ASSIGN(const std::size_t more, decoder_->Decode(input_, extra));
    if (more != 0) return wrong_size_;
    Release();
    return {};
  }

  // Release gives the buffers back: an archive may have thousands of members that were read to their end.
  void Release() const {
    started_ = false;
    piece_ = {};
    input_.Rewind();
  }

  const std::uint64_t size_;
  const StreamEnd end_;
  const Error wrong_size_;
  mutable std::mutex mutex_;
  mutable CompressedInput input_;
  mutable std::unique_ptr<Decoder> decoder_;
  mutable ByteBuffer piece_;  // the last bytes that were decoded
  mutable std::uint64_t piece_begin_ = 0;
  mutable std::size_t piece_size_ = 0;
  mutable std::uint64_t work_ = 0;  // plain bytes that were decoded, in earlier passes too
  mutable bool started_ = false;
};

}  // namespace

void CompressedInput::Rewind() {
  window_ = {};
  used_ = 0;
  read_ = 0;
}

Result<ByteView> CompressedInput::Window(std::size_t wanted) {
  const std::size_t left = window_.size() - used_;
  const std::uint64_t unread = stored_->size() - read_;
  if (left < wanted && unread != 0) {
    window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ = 0;
    const std::size_t room = std::max(kWindowBytes, wanted) - left;
    const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(unread, room));
    window_.resize(left + more);
    Status read = stored_->ReadAt(read_, MutableBytes(window_).subspan(left));
    if (!read.ok()) {
      window_.resize(left);
      return read.error();
    }
    read_ += more;
  }
  return ByteView(window_).subspan(used_);
}

Status CompressedInput::Read(MutableBytes out) {
  SAFEMODEL_ASSIGN(const ByteView window, Window(out.size()));
  if (window.size() < out.size()) {
    return Error{Stage::kMalformed, "WRAP-MALFORMED", "the compressed file ends too early", position()};
  }
  std::copy_n(window.begin(), out.size(), out.begin());
  Use(out.size());
  return {};
}

Status Decoder::Start(CompressedInput& input) {
  ended_ = false;
  fault_.reset();
  Status begun = Begin(input);
  if (!begun.ok()) fault_ = begun.error();
  return begun;
}

Result<std::size_t> Decoder::Decode(CompressedInput& input, MutableBytes out) {
  MutableBytes rest = out;
  while (rest.size() == out.size() && !ended_ && !fault_) {
    const Status step = Step(input, rest);
    if (!step.ok()) fault_ = step.error();
  }
  if (fault_ && rest.size() == out.size()) return *fault_;
  return out.size() - rest.size();
}

SharedSource MakeDecodingSource(SharedSource stored, std::unique_ptr<Decoder> decoder, std::uint64_t size,
                                StreamEnd end, Error wrong_size) {
  return std::make_shared<DecodingSource>(std::move(stored), std::move(decoder), size, end, std::move(wrong_size));
}

}  // namespace safemodel::pickle
