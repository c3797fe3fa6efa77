// SPDX-License-Identifier: Apache-2.0
// No function of the public API lets std::bad_alloc out, whichever allocation fails.
#include <safemodel/log.h>
#include <safemodel/policy_file.h>
#include <safemodel/rollback_state.h>

#include "fixture.h"
#include "testing/allocations.h"

namespace safemodel::trust {
namespace {

using testing::FailEach;

template <typename T>
Status StatusOf(const Result<T>& result) {
  return result.ok() ? Status() : Status(result.error());
}

std::string PolicyText(const PublicKey& key) {
  return "version = 1\nstate = \"a/state/file/with/a/long/name\"\n[[key]]\nname = \"release\"\npublic = '''" +
         key.ToText(KeyFormat::kOpenSsh) + "'''\nroles = [\"builder\"]\n" +
         "[[rule]]\nmodels = \"**\"\nroles = { builder = 1 }\n";
}

}  // namespace

TEST_CASE("out of memory: policies and the rollback state") {
  const TestFolder folder;
  const SecretKey key = NewKey();
  const std::string text = PolicyText(key.public_key());
  const std::string path = folder / "policy.toml";
  const std::string state = folder / "state";
  const std::string model = "a/model/of/a/name/that/has/to/be/allocated";
  WriteFileBytes(path, AsBytes(text));
  REQUIRE(InitRollbackState(state, kNow).ok());
  FailEach([&] { return StatusOf(Policy::FromToml(text)); });
  FailEach([&] { return StatusOf(Policy::FromFile(path)); });
  const Denial denial{Digest{}, Digest{}, "a reason of more than a few letters"};
  FailEach([&] { return Deny(path, denial); });
  FailEach([&] { return SetHighestSequence(state, model, 7); }, {.least = 5});
  FailEach([&] { return SetNewestTime(state, kNow); }, {.least = 5});
  FailEach([&] { return StatusOf(ReadRollbackState(state)); }, {.least = 3});
  CHECK(ReadRollbackState(state).value().models.at(model).sequence == 7);
}

TEST_CASE("out of memory: signing and the log") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const std::string sidecar = path + ".envelope";
  const std::string log = folder / "log";
  const SecretKey key = NewKey();
  const SecretKey log_key = NewKey();
  const LogTrust trust = {{{"example.com/models", log_key.public_key()}}};
  const SignOptions options = At(kNow);
  const LogOwner owner{log, &log_key, "https://ci.example/job/1", kNow};
  const std::vector<PublicKey> signers = {key.public_key()};
  const ByteBuffer core = TestCore(TestManifest());
  WriteFileBytes(path, core);
  REQUIRE(InitLog(log, "example.com/models", log_key).ok());
  FailEach([&] {
    // What fails may have left its signature, in the file or beside it; without this there would be too many of them.
    unlink(sidecar.c_str());
    REQUIRE(truncate(path.c_str(), static_cast<off_t>(core.size())) == 0);
    return StatusOf(Sign(path, key, options));
  });
  FailEach([&] { return StatusOf(AddToLog(path, owner, signers)); });
  FailEach([&] { return StatusOf(CheckLogged(path, signers, trust)); });
  FailEach([&] { return StatusOf(VerifyLog(log, trust)); });
  FailEach([&] { return StatusOf(AuditLog(log, trust, signers)); });
  FailEach([&] { return StatusOf(ProveEntry(log, 0, trust)); });
  FailEach([&] { return StatusOf(ProveContainer(log, path, trust, {}, StoreProofs::kNo)); });
  const ByteBuffer note = ReadFileBytes(log + "/checkpoint");
  FailEach([&] { return StatusOf(ParseCheckpoint(note)); }, {.least = 3});
  CHECK(Verify(path, Trusting({key.public_key()})).ok());
}

}  // namespace safemodel::trust
