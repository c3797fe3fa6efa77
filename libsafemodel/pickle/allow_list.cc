// SPDX-License-Identifier: Apache-2.0
#include "pickle/allow_list.h"

#include <algorithm>
#include <cstdlib>
#include <unordered_set>
#include <utility>

#include "base/try.h"
#include "pickle/table_reader.h"

namespace safemodel::pickle {

namespace {

constexpr std::string_view kPython =
#include "pickle/allow_list/python.inc"
    ;
constexpr std::string_view kTorch =
#include "pickle/allow_list/torch.inc"
    ;
constexpr std::string_view kTorchClasses =
#include "pickle/allow_list/torch_classes.inc"
    ;
constexpr std::string_view kNumpy =
#include "pickle/allow_list/numpy.inc"
    ;
constexpr std::string_view kJoblib =
#include "pickle/allow_list/joblib.inc"
    ;
constexpr std::string_view kScipy =
#include "pickle/allow_list/scipy.inc"
    ;
constexpr std::string_view kScikitLearn =
#include "pickle/allow_list/scikit_learn.inc"
    ;
constexpr std::string_view kScikitLearnClasses =
#include "pickle/allow_list/scikit_learn_classes.inc"
    ;
constexpr std::string_view kPandas =
#include "pickle/allow_list/pandas.inc"
    ;
constexpr std::string_view kBoosters =
#include "pickle/allow_list/boosters.inc"
    ;
constexpr std::string_view kStandardLibrary =
#include "pickle/allow_list/standard_library.inc"
    ;
constexpr std::string_view kDangerous =
#include "pickle/allow_list/dangerous.inc"
    ;

// Words is the set of words of a list, without comments.
std::unordered_set<std::string_view> Words(std::string_view list) {
  std::unordered_set<std::string_view> words;
  while (!list.empty()) {
    std::string_view line = list.substr(0, list.find('\n'));
    list.remove_prefix(std::min(line.size() + 1, list.size()));
    line = line.substr(0, line.find('#'));
    while (!line.empty()) {
      const std::size_t end = std::min(line.find(' '), line.size());
      if (end > 0) words.insert(line.substr(0, end));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
  }
  return words;
}

// LongestWord returns the length of the longest word of a list, those of comments too.
constexpr std::size_t LongestWord(std::string_view list) {
  std::size_t longest = 0;
  std::size_t length = 0;
  for (const char letter : list) {
    length = letter == ' ' || letter == '\n' ? 0 : length + 1;
    longest = std::max(longest, length);
  }
  return longest;
}

// No listed name is longer. Longer ones from a file are not hashed again and again.
constexpr std::size_t kLongestListed = 128;
static_assert(LongestWord(kDangerous) <= kLongestListed);

// AnyParent calls `visit` with a dotted name and everything in front of each of its dots, as far as they may be listed,
// until that returns true.
template <typename Visit>
bool AnyParent(std::string_view name, Visit visit) {
  if (name.size() > kLongestListed) {
    const std::size_t dot = name.rfind('.', kLongestListed);
    if (dot == std::string_view::npos) return false;
    name = name.substr(0, dot);
  }
  for (std::string_view part = name;; part = part.substr(0, part.rfind('.'))) {
    if (visit(part)) return true;
    if (part.find('.') == std::string_view::npos) return false;
  }
}

}  // namespace

AllowList::AllowList() : tables_(std::make_unique<Tables>()) {}
AllowList::~AllowList() = default;

Result<std::unique_ptr<const AllowList>> AllowList::Parse(const std::vector<std::string_view>& texts) {
  std::unique_ptr<AllowList> list(new AllowList);
  TableReader reader(*list->tables_);
  for (const std::string_view text : texts) SAFEMODEL_TRY(reader.Read(text));
  return std::unique_ptr<const AllowList>(std::move(list));
}

Result<std::unique_ptr<const AllowList>> AllowList::ParseUser(std::string_view table) {
  std::unique_ptr<AllowList> list(new AllowList);
  SAFEMODEL_TRY(TableReader(*list->tables_).Read(table));
  for (AllowEntry& entry : list->tables_->entries) entry.origin = AllowEntry::Origin::kUser;
  return std::unique_ptr<const AllowList>(std::move(list));
}

const AllowList& AllowList::BuiltIn() {
  static const std::unique_ptr<const AllowList> list = [] {
    auto parsed = Parse(BuiltInTables());
    if (!parsed.ok()) std::abort();  // our own table; a test parses it first
    return std::move(parsed).value();
  }();
  return *list;
}

std::vector<std::string_view> AllowList::BuiltInTables() {
  return {kPython, kNumpy,   kTorch, kTorchClasses, kJoblib, kScipy, kScikitLearn, kScikitLearnClasses,
          kPandas, kBoosters};
}

const AllowEntry* AllowList::Find(std::string_view module, std::string_view name) const {
  const auto found = tables_->names.find({module, name});
  return found == tables_->names.end() ? nullptr : found->second;
}

std::vector<const AllowEntry*> AllowList::entries() const {
  std::vector<const AllowEntry*> all;
  for (const AllowEntry& entry : tables_->entries) all.push_back(&entry);
  return all;
}

bool IsStandardLibrary(std::string_view module) {
  static const std::unordered_set<std::string_view> modules = Words(kStandardLibrary);
  return modules.contains(module.substr(0, module.find('.')));
}

bool MakesCode(std::string_view module, std::string_view name) {
  static const std::unordered_set<std::string_view> names = Words(
      "types.CodeType types.FunctionType types.LambdaType new.code new.function marshal.load marshal.loads "
      "dill._dill._create_code dill._dill._create_function dill.dill._create_code dill.dill._create_function "
      "cloudpickle.cloudpickle._make_function cloudpickle.cloudpickle._make_skel_func "
      "cloudpickle.cloudpickle._fill_function cloudpickle.cloudpickle._builtin_type "
      "cloudpickle.cloudpickle._make_skeleton_class cloudpickle.cloudpickle_fast._make_function");
  if (module.size() + name.size() >= kLongestListed) return false;
  return names.contains(std::string(module) + "." + std::string(name));
}

bool IsDangerous(std::string_view module, std::string_view name) {
  static const std::unordered_set<std::string_view> names = Words(kDangerous);
  if (AnyParent(module, [](std::string_view part) { return names.contains(part); })) return true;
  if (module.size() > kLongestListed) return false;
  const std::string full = std::string(module) + "." + std::string(name.substr(0, kLongestListed + 1));
  return AnyParent(full, [](std::string_view part) { return names.contains(part); });
}

}  // namespace safemodel::pickle
