// SPDX-License-Identifier: Apache-2.0
#include "command_words.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "escape.h"

namespace safemodel::cli {
namespace {

constexpr std::size_t kLongestWord = 40;  // of one that may be a misspelt name

std::vector<const CLI::App*> VerbsOf(const CLI::App& app) { return app.get_subcommands({}); }

// Deepest returns the last verb that was understood.
const CLI::App& Deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  for (auto parsed = at->get_subcommands(); !parsed.empty(); parsed = at->get_subcommands()) at = parsed.back();
  return *at;
}

// Distance counts the letters to insert, remove or replace that make one word of the other.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

// Guess returns "; did you mean X?" for the nearest name, or nothing when none is near.
std::string Guess(std::string_view word, const std::vector<std::string>& names) {
  if (word.size() > kLongestWord) return {};
  const std::string* nearest = nullptr;
  // Two letters in the wrong order are two letters that were replaced.
  std::size_t least = (word.size() < 4 ? 1 : std::max<std::size_t>(2, word.size() / 3)) + 1;
  for (const std::string& name : names) {
    const std::size_t distance = Distance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = &name;
  }
  return nearest == nullptr ? std::string() : "; did you mean " + *nearest + "?";
}

std::string UnknownVerb(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* verb : VerbsOf(app)) names.push_back(verb->get_name());
  const std::string whose = app.get_parent() == nullptr ? "there is" : app.get_name() + " has";
  return whose + " no verb " + word + Guess(word, names);
}

std::string UnknownOption(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
  }
  return app.get_name() + " has no option " + name + Guess(name, names);
}

// NameVerbs tells what there is to choose from where a verb is missing.
std::optional<std::string> NameVerbs(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : VerbsOf(app)) names.push_back(verb->get_name());
  if (names.empty()) return std::nullopt;
  return "say what is to be done: " + Join(names);
}

bool IsOption(std::string_view word) { return word.size() > 1 && word[0] == '-' && (word[1] < '0' || word[1] > '9'); }

// NameOf returns the name in --name=value and in -nvalue.
std::string NameOf(const std::string& word) {
  return word[1] == '-' ? word.substr(0, word.find('=')) : word.substr(0, 2);
}

}  // namespace

std::vector<std::string> ArgumentsOf(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (arguments.empty()) return arguments;
  // Help about these two words is help about the program: the parser knows no such verbs.
  const auto is_word = [](const std::string& word) { return word == "help" || word == "version"; };
  const std::string first = arguments.front();
  if (!is_word(first)) return arguments;
  arguments.erase(arguments.begin(), std::find_if_not(arguments.begin(), arguments.end(), is_word));
  arguments.emplace_back("--" + first);
  return arguments;
}

std::optional<std::string> UnknownWord(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* at = &app;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& word = arguments[i];
    if (IsOption(word)) {
      const std::string name = NameOf(word);
      const CLI::Option* option = at->get_option_no_throw(name);
      // Of a command that lacks its verb, that is told, not that --json comes behind the verb.
      if (option == nullptr && name == "--json" && i + 1 == arguments.size()) {
        if (auto missing = NameVerbs(*at)) return missing;
      }
      if (option == nullptr) return UnknownOption(*at, name);
      if (name == word) i += static_cast<std::size_t>(option->get_items_expected_min());
    } else if (const auto verbs = VerbsOf(*at); !verbs.empty()) {
      const auto verb =
          std::find_if(verbs.begin(), verbs.end(), [&](const auto* one) { return one->get_name() == word; });
      if (verb == verbs.end()) return UnknownVerb(*at, word);
      at = *verb;
    }
  }
  return std::nullopt;
}

std::optional<std::string> MissingVerb(const CLI::App& app) { return NameVerbs(Deepest(app)); }

std::string CommandOf(const CLI::App& app) {
  std::string command = app.get_name();
  for (auto parsed = app.get_subcommands(); !parsed.empty(); parsed = parsed.back()->get_subcommands()) {
    command += " " + parsed.back()->get_name();
  }
  return command;
}

}  // namespace safemodel::cli
