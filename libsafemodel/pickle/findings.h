// SPDX-License-Identifier: Apache-2.0
// What readers have to say about one input. Reading goes on after a finding wherever that is possible, so that what
// stands behind it is judged too; the gravest finding is the answer, whatever came first.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <safemodel/convert.h>
#include <safemodel/result.h>
#include <safemodel/scan.h>

#include "pickle/node.h"

namespace safemodel::pickle {

// OpcodeAt is the instruction that a machine is at.
struct OpcodeAt {
  std::uint64_t offset = 0;
  std::uint64_t index = 0;
  std::uint8_t opcode = 0;
};

// VerdictOf returns what an error that ends a reader says of its input: dangerous for kUnsafe, unreadable for all else.
ScanVerdict VerdictOf(const Error& error);

// Findings collects findings, and the inventory of streams and imports. Not safe to use from several threads.
class Findings {
 private:
  using FirstOfEach = std::array<std::optional<Error>, 4>;  // indexed by ScanVerdict
  // Unresolved is a finding about a node whose place in the object is not known yet.
  struct Unresolved {
    std::size_t finding;
    NodeIndex node;
  };

 public:
  // Add records a finding about the member and the instruction that readers are at. AddAbout also keeps a node of the
  // graph that is being made: its call is shown, and ResolvePaths tells where in the object it stands.
  void Add(Error error) {
    const ScanVerdict verdict = VerdictOf(error);
    Add(std::move(error), verdict);
  }
  void Add(Error error, ScanVerdict verdict) { Record(std::move(error), verdict, {}, kNoNode); }
  void AddAbout(const Graph& graph, NodeIndex node, Error error, ScanVerdict verdict);
  // ResolvePaths looks below `root` for the nodes of the findings of the current part; without a root it gives them up.
  void ResolvePaths(const Graph& graph, NodeIndex root);

  void AddStream(ScannedStream stream);
  // AddGlobals takes over what was imported since the last call.
  void AddGlobals(Graph& graph);
  // AddOpaque counts the current member among those that no reader claims.
  void AddOpaque();

  // JustSaid says whether the last finding is about this error.
  [[nodiscard]] bool JustSaid(const Error& error) const;
  // Holds says whether there is a finding of this rule.
  [[nodiscard]] bool Holds(std::string_view rule) const { return rules_.contains(rule); }
  [[nodiscard]] ScanVerdict worst() const { return worst_; }
  // MoveTo hands everything over.
  void MoveTo(ScanReport& report) &&;

  // MemberScope names the member of an archive that is being read.
  class MemberScope {
   public:
    MemberScope(Findings& findings, std::string_view name);
    MemberScope(const MemberScope&) = delete;
    MemberScope& operator=(const MemberScope&) = delete;
    ~MemberScope() { findings_.member_.resize(outer_); }

   private:
    Findings& findings_;
    std::size_t outer_;
  };

  // OpcodeScope makes findings tell the instruction of the machine that runs.
  class OpcodeScope {
   public:
    OpcodeScope(Findings& findings, const OpcodeAt& at) : findings_(findings), outer_(findings.at_) {
      findings.at_ = &at;
    }
    OpcodeScope(const OpcodeScope&) = delete;
    OpcodeScope& operator=(const OpcodeScope&) = delete;
    ~OpcodeScope() { findings_.at_ = outer_; }

   private:
    Findings& findings_;
    const OpcodeAt* outer_;
  };

  // Part is the findings of one step, which its caller asks whether the step may count.
  class Part {
   public:
    explicit Part(Findings& findings);
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part();
    // Refusal returns the first of the gravest findings of the part, or nothing when a conversion may go on: notes
    // never stop it, and unknown things do not when they are to be kept inert.
    [[nodiscard]] std::optional<Error> Refusal(ConvertOptions::Unknown unknown) const;
    // Holds says whether an error is the first finding of its verdict in this part: then it needs no finding of its
    // own.
    [[nodiscard]] bool Holds(const Error& error) const;

   private:
    Findings& findings_;
    FirstOfEach outer_;
    std::vector<Unresolved> outer_unresolved_;
  };

 private:
  struct GlobalCount {
    std::uint64_t count = 0;
    std::uint64_t first_offset = 0;
    bool listed = false;
  };

  void Record(Error error, ScanVerdict verdict, std::string call, NodeIndex node);

  ScanVerdict worst_ = ScanVerdict::kClean;
  FirstOfEach first_;  // of the current part
  std::vector<Finding> listed_;
  std::vector<Unresolved> unresolved_;  // of the current part
  std::set<std::string_view> rules_;    // that have been listed
  std::uint64_t count_ = 0;
  std::vector<ScannedStream> streams_;
  std::uint64_t stream_count_ = 0;
  std::map<std::pair<std::string, std::string>, GlobalCount> globals_;
  std::vector<std::string> opaque_;
  std::uint64_t opaque_count_ = 0;
  std::string member_;
  const OpcodeAt* at_ = nullptr;
};

}  // namespace safemodel::pickle
