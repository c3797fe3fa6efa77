// SPDX-License-Identifier: Apache-2.0
#include "pickle/stream_reader.h"

#include <algorithm>
#include <string_view>

#include "base/little_endian.h"

namespace safemodel::pickle {

namespace {
constexpr std::size_t kLargestWindow = std::size_t{2} << 20;  // a large page
}  // namespace

bool StreamReader::Fail(Stage stage, const char* code, const char* text) {
  error_ = {stage, code, text, position()};
  return false;
}

void StreamReader::SetLimit() {
  limit_ = window_.size();
  if (frame_end_ > position()) {
    limit_ = static_cast<std::size_t>(std::min<std::uint64_t>(limit_, frame_end_ - window_offset_));
  }
}

bool StreamReader::CheckPresent(std::uint64_t size) {
  if (size > remaining()) return Fail(Stage::kMalformed, "PKL-MALFORMED", "the pickle ends inside an opcode");
  if (InFrame() && size > frame_end_ - position()) {
    return Fail(Stage::kUnsafe, "PKL-FRAME",
                "an opcode crosses the end of its frame, so readers see different programs");
  }
  return true;
}

// ReadWindow makes a window of `size` bytes that starts with what is left of the old one.
bool StreamReader::ReadWindow(std::size_t size) {
  const ByteView rest = window_.subspan(cursor_);
  const std::uint64_t begin = position();
  const MutableBytes window = graph_.KeepRoom(size);
  std::copy(rest.begin(), rest.end(), window.begin());
  const Status read = source_.ReadAt(begin + rest.size(), window.subspan(rest.size()));
  if (!read.ok()) {
    error_ = read.error();
    return false;
  }
  window_ = window;
  window_offset_ = begin;
  cursor_ = 0;
  return true;
}

bool StreamReader::Refill(std::uint64_t size) {
  // A frame that is used up ends without a word; what follows lies outside frames or starts with FRAME.
  if (frame_end_ == position()) {
    frame_end_ = 0;
    SetLimit();
    if (size <= limit_ - cursor_) return true;
  }
  if (!CheckPresent(size)) return false;
  window_size_ = std::min(window_size_ * 2, kLargestWindow);
  const std::uint64_t wanted = std::min(remaining(), std::max<std::uint64_t>(size, window_size_));
  if (wanted > window_.size() - cursor_ && !ReadWindow(static_cast<std::size_t>(wanted))) return false;
  SetLimit();
  return true;
}

bool StreamReader::Unsigned(unsigned width, std::uint64_t& value) {
  ByteView bytes;
  if (!Take(width, bytes)) return false;
  value = LittleEndian(bytes);
  return true;
}

bool StreamReader::TakeLine(ByteView& line) {
  std::size_t searched = 0;
  for (;;) {
    const ByteView rest = window_.subspan(cursor_, limit_ - cursor_);
    const auto end = std::find(rest.begin() + static_cast<std::ptrdiff_t>(searched), rest.end(), '\n');
    if (end != rest.end()) {
      const auto size = static_cast<std::size_t>(end - rest.begin());
      line = rest.first(size);
      cursor_ += size + 1;
      return true;
    }
    searched = rest.size();
    // Doubling keeps the search linear in the length of the line.
    const std::uint64_t present = InFrame() ? frame_end_ - position() : remaining();
    const std::uint64_t more = std::min<std::uint64_t>(present, 2 * std::uint64_t{searched});
    if (!Refill(std::max<std::uint64_t>(more, searched + 1))) return false;
  }
}

bool StreamReader::TakeLastLine(ByteView& line) {
  if (TakeLine(line)) return true;
  const bool at_end = error_.stage == Stage::kMalformed && error_.code == std::string_view("PKL-MALFORMED");
  // A line that a frame cuts off is refused.
  if (!at_end || InFrame() || remaining() == 0 || !Take(remaining(), line)) return false;
  line = line.first(line.size() - 1);
  return true;
}

bool StreamReader::Skip(std::uint64_t size) {
  if (frame_end_ == position()) CloseFrame();
  if (!CheckPresent(size)) return false;
  if (size <= window_.size() - cursor_) {
    cursor_ += static_cast<std::size_t>(size);
  } else {
    window_offset_ = position() + size;
    window_ = {};
    cursor_ = 0;
    window_size_ = kSmallestWindow;
  }
  SetLimit();
  return true;
}

bool StreamReader::OpenFrame(std::uint64_t size) {
  if (InFrame()) {
    return Fail(Stage::kUnsafe, "PKL-FRAME", "a frame starts inside another one, which readers take differently");
  }
  if (size > remaining()) return Fail(Stage::kMalformed, "PKL-MALFORMED", "a frame is longer than the pickle");
  frame_end_ = position() + size;
  SetLimit();
  return true;
}

void StreamReader::CloseFrame() {
  frame_end_ = 0;
  SetLimit();
}

}  // namespace safemodel::pickle
