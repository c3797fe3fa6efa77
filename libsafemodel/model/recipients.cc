// SPDX-License-Identifier: Apache-2.0
// Recipients of a container that exists: its envelope alone changes.
#include <safemodel/encrypt.h>

#include <algorithm>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "encryption/recipient_notes.h"
#include "model/key_wraps.h"
#include "trust/envelope_writer.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

using encryption::DataKey;
using Items = std::vector<container::EnvelopeItem>;

// Locked is a container whose envelope is about to be replaced.
struct Locked {
  trust::EnvelopeWriter writer;
  container::Envelope envelope;  // the next one
  encryption::WrapTarget target;
};

Result<encryption::WrapTarget> TargetOf(const trust::OpenedContainer& opened, const Limits& limits) {
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  if (!manifest.encryption) return Error{Stage::kUsage, "not_encrypted", "this container is not encrypted"};
  return encryption::WrapTarget{manifest.file_id, manifest.encryption->commitment};
}

Result<Locked> Lock(const std::string& path, const RecipientsOptions& options) {
  SAFEMODEL_ASSIGN(auto writer, trust::EnvelopeWriter::Open(path, options.placement, options.limits));
  const trust::OpenedContainer& opened = writer.container();
  SAFEMODEL_ASSIGN(const auto target, TargetOf(opened, options.limits));
  SAFEMODEL_ASSIGN(auto envelope, trust::NextEnvelope(opened.envelope, opened.manifest_digest));
  return Locked{std::move(writer), std::move(envelope), target};
}

Status Write(Locked& locked, const RecipientsOptions& options, RecipientsReport& report) {
  SAFEMODEL_ASSIGN(const ByteBuffer frame, trust::FrameBytes(locked.envelope, options.limits));
  SAFEMODEL_ASSIGN(report.envelope_path, locked.writer.Write(frame));
  return {};
}

Result<RecipientsReport> Add(const std::string& path, std::span<const Recipient> recipients,
                             const IdentitySource& source, const RecipientsOptions& options) {
  if (recipients.empty()) return Error{Stage::kUsage, "no_recipients", "say whom to add"};
  SAFEMODEL_ASSIGN(Locked locked, Lock(path, options));
  SAFEMODEL_ASSIGN(const auto identities, AskForIdentities(source));
  Items& items = locked.envelope.items;
  SAFEMODEL_ASSIGN(const DataKey key, encryption::OpenKey(items, identities, locked.target));
  RecipientsReport report;
  for (const Recipient& recipient : recipients) {
    SAFEMODEL_ASSIGN(const auto added, encryption::AddRecipient(key, recipient, items));
    if (added == encryption::Added::kYes) ++report.added;
  }
  if (report.added > 0) SAFEMODEL_TRY(Write(locked, options, report));
  report.wraps = DescribeWraps(items, &key);
  return report;
}

// NumbersOf finds the wraps of a recipient.
Result<std::vector<std::size_t>> NumbersOf(const Recipient& recipient, const std::vector<KeyWrap>& wraps) {
  std::vector<std::size_t> numbers;
  for (const KeyWrap& wrap : wraps) {
    if (recipient.is_passphrase() ? IsForPassphrase(wrap) : wrap.recipient == recipient.ToText())
      numbers.push_back(wrap.number);
  }
  if (!numbers.empty()) return numbers;
  return Error{Stage::kUsage, "no_such_recipient",
               "no key wrap is known to be for this recipient; recipients list shows them, with their numbers",
               kNoOffset, recipient.ToText()};
}

// ChooseWraps returns the numbers of the wraps that are to go.
Result<std::vector<std::size_t>> ChooseWraps(std::span<const Recipient> recipients,
                                             std::span<const std::size_t> numbers, const std::vector<KeyWrap>& wraps) {
  std::vector<std::size_t> chosen(numbers.begin(), numbers.end());
  for (const std::size_t number : numbers) {
    if (number >= 1 && number <= wraps.size()) continue;
    return Error{Stage::kUsage, "no_such_recipient", "there is no key wrap of this number", kNoOffset,
                 std::to_string(number)};
  }
  for (const Recipient& recipient : recipients) {
    SAFEMODEL_ASSIGN(const auto found, NumbersOf(recipient, wraps));
    chosen.insert(chosen.end(), found.begin(), found.end());
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  if (chosen.empty()) return Error{Stage::kUsage, "no_recipients", "say whom to remove"};
  if (chosen.size() == wraps.size()) {
    return Error{Stage::kUsage, "last_recipient", "nobody could read the container any more; add somebody first"};
  }
  return chosen;
}

// EraseWraps takes out wraps by their numbers, and the notes about them.
void EraseWraps(const std::vector<std::size_t>& numbers, Items& items) {
  std::vector<Digest> gone;
  std::size_t number = 0;
  std::erase_if(items, [&](const container::EnvelopeItem& item) {
    if (!encryption::IsKeyWrap(item) || !std::binary_search(numbers.begin(), numbers.end(), ++number)) return false;
    gone.push_back(crypto::Blake3Of(item.bytes));
    return true;
  });
  std::erase_if(items, [&](const container::EnvelopeItem& item) {
    return std::any_of(gone.begin(), gone.end(),
                       [&](const Digest& wrap) { return encryption::IsNoteAbout(item, wrap); });
  });
}

Result<RecipientsReport> Remove(const std::string& path, std::span<const Recipient> recipients,
                                std::span<const std::size_t> numbers, const IdentitySource& source,
                                const RecipientsOptions& options) {
  SAFEMODEL_ASSIGN(Locked locked, Lock(path, options));
  Items& items = locked.envelope.items;
  std::optional<DataKey> key;
  const bool by_name = std::any_of(recipients.begin(), recipients.end(),
                                   [](const Recipient& recipient) { return !recipient.is_passphrase(); });
  if (source || by_name) {
    SAFEMODEL_ASSIGN(const auto identities, AskForIdentities(source));
    SAFEMODEL_ASSIGN(key, encryption::OpenKey(items, identities, locked.target));
  }
  const DataKey* known = key ? &*key : nullptr;
  SAFEMODEL_ASSIGN(const auto chosen, ChooseWraps(recipients, numbers, DescribeWraps(items, known)));
  EraseWraps(chosen, items);
  RecipientsReport report;
  report.removed = chosen.size();
  SAFEMODEL_TRY(Write(locked, options, report));
  report.wraps = DescribeWraps(items, known);
  return report;
}

Result<std::vector<KeyWrap>> List(const std::string& path, const IdentitySource& source,
                                  const RecipientsOptions& options) {
  SAFEMODEL_ASSIGN(const auto opened, trust::OpenContainer(path, {}, options.limits));
  SAFEMODEL_ASSIGN(const auto target, TargetOf(opened, options.limits));
  const Items items = opened.envelope ? opened.envelope->items : Items();
  if (!source) return DescribeWraps(items, nullptr);
  SAFEMODEL_ASSIGN(const auto identities, AskForIdentities(source));
  SAFEMODEL_ASSIGN(const DataKey key, encryption::OpenKey(items, identities, target));
  std::vector<KeyWrap> wraps = DescribeWraps(items, &key);
  TryWraps(items, identities, target, wraps);
  return wraps;
}

}  // namespace

Result<std::vector<KeyWrap>> ListRecipients(const std::string& path, const IdentitySource& identities,
                                            const RecipientsOptions& options) {
  return CatchOutOfMemory([&] { return List(path, identities, options); });
}

Result<RecipientsReport> AddRecipients(const std::string& path, std::span<const Recipient> recipients,
                                       const IdentitySource& identities, const RecipientsOptions& options) {
  return CatchOutOfMemory([&] { return Add(path, recipients, identities, options); });
}

Result<RecipientsReport> RemoveRecipients(const std::string& path, std::span<const Recipient> recipients,
                                          std::span<const std::size_t> numbers, const IdentitySource& identities,
                                          const RecipientsOptions& options) {
  return CatchOutOfMemory([&] { return Remove(path, recipients, numbers, identities, options); });
}

}  // namespace safemodel
