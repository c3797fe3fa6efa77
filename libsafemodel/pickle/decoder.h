// SPDX-License-Identifier: Apache-2.0
// Compressed bytes, decoded piece by piece: members of zip archives and files that are compressed as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/source.h"

namespace safemodel::pickle {

// Streams are decoded in pieces of this size. How many bytes a decoder yields in front of a fault depends on the sizes
// of the pieces that it is asked for, so whoever counts them and whoever reads them ask alike.
inline constexpr std::size_t kDecodedPieceBytes = 256u << 10;

// CompressedInput hands out the bytes of a source in order, window by window.
class CompressedInput {
 public:
  explicit CompressedInput(SharedSource stored) : stored_(std::move(stored)) {}
  // Rewind starts again at the first byte.
  void Rewind();
  // Window returns bytes that were not used yet: at least `wanted` of them, unless the source ends before.
  Result<ByteView> Window(std::size_t wanted = 1);
  // Use moves past the first bytes of the window.
  void Use(std::size_t bytes) { used_ += bytes; }
  // Read fills `out` and moves on; kMalformed WRAP-MALFORMED when the source ends before.
  Status Read(MutableBytes out);
  // position is an offset in the source.
  [[nodiscard]] std::uint64_t position() const { return read_ - (window_.size() - used_); }
  [[nodiscard]] bool AtEnd() const { return position() == stored_->size(); }

 private:
  SharedSource stored_;
  ByteBuffer window_;
  std::size_t used_ = 0;
  std::uint64_t read_ = 0;  // bytes of the source that went into windows
};

// Decoder decodes one compressed stream. Not safe to use from several threads.
class Decoder {
 public:
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  // Start makes ready for the stream that starts at the position of `input`, whatever was decoded before.
  Status Start(CompressedInput& input);
  // Decode writes plain bytes to the front of `out`, which is not empty, and returns how many: 0 at the end of the
  // stream, whose last byte is used then. What stands in front of a fault is returned before the fault is. Errors:
  // kMalformed WRAP-MALFORMED, WRAP-CRC; kLimit LIMIT-BYTES (more memory than the limit); those of the source.
  Result<std::size_t> Decode(CompressedInput& input, MutableBytes out);

 protected:
  // Begin reads what stands in front of the data.
  virtual Status Begin(CompressedInput& input) = 0;
  // Step uses input and removes from the front of `rest` what it filled. It may do less than it could, but has to do
  // something, End or fail.
  virtual Status Step(CompressedInput& input, MutableBytes& rest) = 0;
  void End() { ended_ = true; }

 private:
  bool ended_ = false;
  std::optional<Error> fault_;
};

// MakeDecodingSource returns the first `size` bytes that `decoder` makes of `stored`. Reading them forward decodes each
// once; reading backwards, beyond the last piece, starts again, so the source is sequential(). With kCheck the read of
// the last byte fails with `wrong_size` unless the stream ends there; it always does when the stream ends too early.
// Safe to use from several threads, one at a time.
enum class StreamEnd : std::uint8_t { kCheck, kIgnore };
SharedSource MakeDecodingSource(SharedSource stored, std::unique_ptr<Decoder> decoder, std::uint64_t size,
                                StreamEnd end, Error wrong_size);

}  // namespace safemodel::pickle
