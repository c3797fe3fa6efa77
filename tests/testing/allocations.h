// SPDX-License-Identifier: Apache-2.0
// The memory of the test program: allocations can be made to fail, and are measured.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include <safemodel/result.h>

namespace safemodel::testing {

enum class Failing : std::uint8_t { kOne, kAllBehind };

// FailAllocations lets allocation number `n` fail, counted from 1 in all threads, or that one and all behind it, until
// it goes out of scope.
class FailAllocations {
 public:
  FailAllocations(std::size_t n, Failing failing);
  ~FailAllocations();
  FailAllocations(const FailAllocations&) = delete;
  FailAllocations& operator=(const FailAllocations&) = delete;
  // reached says whether there were as many allocations.
  [[nodiscard]] bool reached() const;
};

// MeasureAllocations remembers the largest allocation while it is in scope.
class MeasureAllocations {
 public:
  MeasureAllocations();
  [[nodiscard]] std::size_t largest() const;
};

// A hang is the failure that these tests are about.
inline constexpr unsigned kHangSeconds = 300;

// Runs of FailEach.
struct Runs {
  std::size_t least = 20;      // how many have to fail, or the test would be about nothing
  std::size_t all = SIZE_MAX;  // behind so many allocations some are left out, ever more
};

// FailEach calls `body` with every allocation failing once, and then with all behind it failing, until a run needs
// fewer.
template <typename Body>
void FailEach(const Body& body, const Runs& runs = {}) {
  alarm(kHangSeconds);
  for (const Failing failing : {Failing::kOne, Failing::kAllBehind}) {
    std::size_t n = 0;
    std::size_t failed = 0;
    for (bool reached = true; reached;) {
      Status status;
      {
        n += 1 + n / runs.all;
        const FailAllocations fail(n, failing);
        status = body();
        reached = fail.reached();
      }
      if (!status.ok()) {
        ++failed;
        const std::string code = status.error().code;
        REQUIRE_MESSAGE(code == "out_of_memory", code);
        REQUIRE(status.error().stage == Stage::kIo);
      }
      REQUIRE((reached || status.ok()));
    }
    MESSAGE("allocations: ", n - 1, ", failures: ", failed);
    CHECK(failed > runs.least);
  }
  alarm(0);
}

}  // namespace safemodel::testing
