// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or the error that says which stage refused, why and where.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace safemodel {

// Stage names the step that refused. The words are the spec's, the vectors' `expect:` values and, in groups, the
// exit codes of the command line.
enum class Stage : std::uint8_t {
  kIo,              // the system refused, or the file ended although its size at open said otherwise
  kMalformed,       // the shape is broken
  kUnsupported,     // well-formed, but newer than this reader or not ours
  kLimit,           // well-formed, but over a stated limit
  kDigestMismatch,  // the bytes are not those that a digest names
  kBadSignature,    // a signature attributed to a policy key does not verify
  kUntrusted,       // the cryptography holds, the policy is still not satisfied
  kUnsafe,          // would run code, or hides content from a reader
  kKey,             // wrong passphrase, or an unusable key file
  kConfig,          // the policy or a state file is wrong
  kUsage,           // the caller asked for something impossible
  kInternal,        // a bug in safemodel; never a right answer
};

// StageName returns the spec's word for a stage, such as "digest_mismatch". The text is static.
const char* StageName(Stage stage);

inline constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};

// Error explains one refusal. `code` is stable and machine readable; `text` is one literal English line (what, why,
// what to do) without any text from a file; `subject` is the raw, unescaped name it is about (tensor, archive member,
// path, global): whoever shows it escapes it. `offset` is the byte offset within the input, or kNoOffset.
struct Error {
  Stage stage = Stage::kInternal;
  const char* code = "internal";
  const char* text = "";
  std::uint64_t offset = kNoOffset;
  std::string subject = {};
};

// Result holds a T or an Error. Taking the value of a failed result ends the process: it is a bug in the caller.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  [[nodiscard]] const Error& error() const {
    if (ok()) std::abort();
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] T& value() & {
    if (!ok()) std::abort();
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    if (!ok()) std::abort();
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    if (!ok()) std::abort();
    return std::move(*std::get_if<0>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

// Status is the result of something that returns nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !failed_; }
  [[nodiscard]] const Error& error() const {
    if (!failed_) std::abort();
    return error_;
  }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace safemodel
