// SPDX-License-Identifier: Apache-2.0
// StreamReader feeds the machine: what ByteReader is for a view, for a source that is read in windows.
#pragma once

#include <cstdint>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/node.h"

namespace safemodel::pickle {

// StreamReader walks forward over a source and enforces frames. Views stay valid as long as the graph, which keeps the
// windows. Functions return false when they fail and leave the reason in error(): PKL-MALFORMED for a stream that ends
// too early, PKL-FRAME for a read that crosses the end of a frame (readers of Python disagree about those,
// cpython#154848).
class StreamReader {
 public:
  // The stream ends at `end`, whatever the source holds behind it.
  StreamReader(const ByteSource& source, Graph& graph, std::uint64_t begin, std::uint64_t end)
      : source_(source), graph_(graph), end_(end), window_offset_(begin) {}

  bool U8(std::uint8_t& value) {
    if (cursor_ == limit_ && !Refill(1)) return false;
    value = window_[cursor_++];
    return true;
  }
  bool Take(std::uint64_t size, ByteView& bytes) {
    if (size > limit_ - cursor_ && !Refill(size)) return false;
    bytes = window_.subspan(cursor_, static_cast<std::size_t>(size));
    cursor_ += static_cast<std::size_t>(size);
    return true;
  }
  // Unsigned reads a little-endian integer of `width` bytes.
  bool Unsigned(unsigned width, std::uint64_t& value);
  // TakeLine takes the bytes before the next '\n' and moves past it.
  bool TakeLine(ByteView& line);
  // TakeLastLine takes a line that may be the last of the source and lack its '\n': the Python reader cuts off the last
  // byte whatever it is. The next read fails.
  bool TakeLastLine(ByteView& line);
  // Skip moves on without reading.
  bool Skip(std::uint64_t size);
  // CheckPresent says whether `size` bytes are left in the source and the frame.
  bool CheckPresent(std::uint64_t size);

  // OpenFrame starts a frame of `size` bytes at the position.
  bool OpenFrame(std::uint64_t size);
  // InFrame says whether a frame is open that has bytes left.
  [[nodiscard]] bool InFrame() const { return frame_end_ > position(); }
  // CloseFrame forgets a frame that is used up; raw bytes may follow.
  void CloseFrame();

  [[nodiscard]] std::uint64_t position() const { return window_offset_ + cursor_; }
  [[nodiscard]] std::uint64_t remaining() const { return end_ - position(); }
  // LeavesBytes says that positions are those of graph.stream(), where bytes can be left; LeavesBytesCheaply that they
  // can be read again without unpacking anything twice.
  [[nodiscard]] bool LeavesBytes() const { return &source_ == graph_.stream().get(); }
  [[nodiscard]] bool LeavesBytesCheaply() const { return LeavesBytes() && !source_.sequential(); }
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  static constexpr std::size_t kSmallestWindow = 512;

  bool Refill(std::uint64_t size);
  bool ReadWindow(std::size_t size);
  void SetLimit();
  bool Fail(Stage stage, const char* code, const char* text);

  const ByteSource& source_;
  Graph& graph_;
  std::uint64_t end_;
  ByteView window_;
  std::size_t cursor_ = 0;
  std::size_t limit_ = 0;  // end of the window or of the frame, whatever comes first
  std::uint64_t window_offset_;
  std::uint64_t frame_end_ = 0;
  std::size_t window_size_ = kSmallestWindow;  // doubles, so that a jump over an array costs little
  Error error_;
};

}  // namespace safemodel::pickle
