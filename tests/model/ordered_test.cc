// SPDX-License-Identifier: Apache-2.0
#include "model/ordered.h"

#include <atomic>
#include <new>
#include <thread>

#include "base/thread_pool.h"
#include "model/fixture.h"

namespace safemodel {
namespace {

TEST_CASE("turnstile: tasks pass in order, one at a time, with any number of threads") {
  for (const unsigned threads : {1u, 2u, 16u}) {
    Turnstile turnstile;
    std::vector<std::size_t> order;  // no lock: the turnstile is one
    const Status status = ParallelFor(1000, threads, [&](std::size_t i, unsigned) {
      Turnstile::Ticket ticket(turnstile, i);
      return ticket.InTurn([&]() -> Status {
        order.push_back(i);
        return {};
      });
    });
    CHECK(status.ok());
    REQUIRE(order.size() == 1000);
    CHECK(std::is_sorted(order.begin(), order.end()));
  }
}

TEST_CASE("turnstile: after a failure nobody passes, and the first error in order is the answer") {
  for (const unsigned threads : {1u, 2u, 16u}) {
    Turnstile turnstile;
    std::size_t passed = 0;
    const Status status = ParallelFor(1000, threads, [&](std::size_t i, unsigned) {
      Turnstile::Ticket ticket(turnstile, i);
      return ticket.InTurn([&]() -> Status {
        if (i >= 100) return Error{Stage::kIo, "test", "test", i};
        ++passed;
        return {};
      });
    });
    REQUIRE(!status.ok());
    CHECK(status.error().offset == 100);
    CHECK(passed == 100);
  }
}

TEST_CASE("turnstile: a task that leaves without passing stops those above it, and no one else") {
  enum class Leaves { kByReturn, kByException };
  for (const Leaves leaves : {Leaves::kByReturn, Leaves::kByException}) {
    for (const unsigned threads : {1u, 2u, 16u}) {
      Turnstile turnstile;
      std::size_t passed = 0;
      std::atomic<bool> above{false};
      const Status status = ParallelFor(1000, threads, [&](std::size_t i, unsigned) -> Status {
        Turnstile::Ticket ticket(turnstile, i);
        if (i > 100) above.store(true);  // and waits for its turn
        while (i == 100 && threads > 1 && !above.load()) std::this_thread::yield();
        if (i == 100 && leaves == Leaves::kByException) throw std::bad_alloc();
        if (i == 100) return Error{Stage::kIo, "left", "test"};
        return ticket.InTurn([&]() -> Status {
          ++passed;
          return {};
        });
      });
      CHECK(Code(status) == (leaves == Leaves::kByReturn ? "left" : "out_of_memory"));
      CHECK(passed == 100);
    }
  }
}

TEST_CASE("turnstile: an exception in turn stops it too") {
  for (const unsigned threads : {1u, 16u}) {
    Turnstile turnstile;
    const Status status = ParallelFor(100, threads, [&](std::size_t i, unsigned) -> Status {
      Turnstile::Ticket ticket(turnstile, i);
      return ticket.InTurn([&]() -> Status {
        if (i == 10) throw std::bad_alloc();
        return {};
      });
    });
    CHECK(Code(status) == "out_of_memory");
  }
}

TEST_CASE("threads: memory that runs out in a task is an error of the system, not the end of the process") {
  for (const unsigned threads : {1u, 8u}) {
    const Status status = ParallelFor(100, threads, [](std::size_t i, unsigned) -> Status {
      if (i == 50) throw std::bad_alloc();
      return {};
    });
    REQUIRE(!status.ok());
    CHECK(status.error().stage == Stage::kIo);
    CHECK(Code(status) == "out_of_memory");
  }
}

TEST_CASE("writer: memory that runs out while chunks are encoded ends the writing, and nobody waits for ever") {
  class Exhausting final : public ByteSource {
   public:
    [[nodiscard]] std::uint64_t size() const override { return 100 * kSmallChunk; }
    [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes) const override {
      if (offset >= 60 * kSmallChunk) throw std::bad_alloc();
      return {};
    }
  };
  const TempFolder folder;
  for (const CodecChoice codec : {CodecChoice::kRaw, CodecChoice::kZstd}) {
    ImportedModel model = ModelBuilder().View("t", Dtype::kU8, {100 * kSmallChunk}, {1}, 0).Finish();
    model.storages.push_back({std::make_shared<Exhausting>(), Dtype::kU8});
    ConvertOptions options = TestOptions(codec);
    options.threads = 8;
    CHECK(Code(WriteTo(folder.Path("model"), model, options)) == "out_of_memory");
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace safemodel
