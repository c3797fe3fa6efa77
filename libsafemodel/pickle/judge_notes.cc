// SPDX-License-Identifier: Apache-2.0
// What the judge notes although it changes no verdict.
#include <algorithm>
#include <string>

#include "pickle/findings.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"

namespace safemodel::pickle {
namespace {

using Form = Schema::Form;

// ListsAttributes says whether a schema of a state names attributes and takes others as well.
bool ListsAttributes(const Schema* schema) {
  return schema->form == Form::kAttributes && !schema->attributes.empty() && schema->others != nullptr &&
         schema->takes == Schema::Takes::kListed;
}

}  // namespace

// NoteExtra looks for the first attribute that the class is not listed with. Classes that are listed without attributes
// of their own take any, and so do those that hold a model for native code: they change with each version. Of classes
// of their own, users have said what may be there.
void Judge::NoteExtra(std::uint64_t offset, NodeIndex target) {
  const Call& call = graph_.CallOf(target);
  const std::vector<const Schema*>& states = call.entry->state;
  if (graph_.kind(call.state) != Kind::kDict || !std::ranges::all_of(states, ListsAttributes)) return;
  if (states.empty() || call.entry->origin == AllowEntry::Origin::kUser ||
      call.entry->parser == AllowEntry::Parser::kNative || !checked_.insert({call.state, call.entry}).second)
    return;
  const std::span<const NodeIndex> items = graph_.ItemsOf(call.state);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const std::string_view name = graph_.TextOf(items[i]);
    const auto names = [&](const Schema* schema) { return schema->attributes.contains(name); };
    if (std::ranges::any_of(states, names)) continue;
    Error error = ErrorAbout(Stage::kUnsafe, "STATE-EXTRA",
                             "an object has an attribute that its class is not listed with", offset, call.callee);
    error.subject += "." + ShortName(name);
    context_.findings.AddAbout(graph_, target, std::move(error), ScanVerdict::kClean);
    return;
  }
}

void Judge::NoteRepeatedKeys() {
  for (const auto& [dict, key] : dict_keys_.Repeated()) {
    Error error{Stage::kUnsafe, "PKL-DUP-KEY", "a dict sets the same key twice, and the later value counts",
                graph_.offset(key)};
    error.subject = ShortName(graph_.TextOf(key));
    context_.findings.AddAbout(graph_, dict, std::move(error), ScanVerdict::kClean);
  }
}

}  // namespace safemodel::pickle
