// SPDX-License-Identifier: Apache-2.0
#include "crypto/ssh_agent.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/cursor.h"
#include "base/local_socket.h"
#include "base/try.h"
#include "crypto/ed25519.h"
#include "crypto/hardware_key.h"
#include "crypto/openssh.h"

namespace safemodel::crypto {
namespace {

constexpr std::uint32_t kMessageBytes = 256u << 10;  // the agent's own limit
constexpr std::uint8_t kFailure = 5;
constexpr std::uint8_t kListKeys = 11;
constexpr std::uint8_t kKeys = 12;
constexpr std::uint8_t kSign = 13;
constexpr std::uint8_t kSigned = 14;
constexpr std::string_view kPlainSignature = "ssh-ed25519";
constexpr std::string_view kHardwareSignature = "sk-ssh-ed25519@openssh.com";

Error AgentError(const char* code, const char* text) { return {Stage::kKey, code, text}; }
Error BadReply() { return AgentError("agent_reply", "the ssh-agent's answer makes no sense"); }

// OfAgent turns an error of the connection into one of the key.
Error OfAgent(const Error& error) {
  if (std::string_view(error.code) == "timeout")
    return AgentError("agent_timeout", "the ssh-agent did not answer in time");
  return AgentError("agent_closed", "the ssh-agent closed the connection");
}

Result<LocalSocket> Connect(std::chrono::seconds timeout) {
  const char* path = std::getenv("SSH_AUTH_SOCK");
  if (path == nullptr || *path == '\0')
    return AgentError("no_agent", "there is no ssh-agent: SSH_AUTH_SOCK is not set");
  auto socket = LocalSocket::Connect(path, std::chrono::steady_clock::now() + timeout);
  if (socket.ok()) return socket;
  return Error{Stage::kKey, "no_agent", "the ssh-agent at SSH_AUTH_SOCK cannot be reached", kNoOffset, path};
}

// Ask sends one message and returns the answer behind its type, which must be `wanted`.
Result<ByteBuffer> Ask(std::chrono::seconds timeout, ByteView message, std::uint8_t wanted) {
  if (message.size() > kMessageBytes) return AgentError("agent_reply", "this is too much for an ssh-agent to sign");
  SAFEMODEL_ASSIGN(const LocalSocket socket, Connect(timeout));
  if (const Status sent = socket.Send(OpenSshString(message)); !sent.ok()) return OfAgent(sent.error());
  std::array<std::uint8_t, 4> length_bytes{};
  if (const Status got = socket.Receive(length_bytes); !got.ok()) return OfAgent(got.error());
  SAFEMODEL_ASSIGN(const std::uint32_t length, ByteReader(length_bytes).U32BigEndian());
  if (length == 0 || length > kMessageBytes) return BadReply();
  ByteBuffer answer(length);
  if (const Status got = socket.Receive(answer); !got.ok()) return OfAgent(got.error());
  const std::uint8_t type = answer.front();
  answer.erase(answer.begin());
  if (type == wanted) return answer;
  if (type == kFailure) return AgentError("agent_refused", "the ssh-agent refuses to do this with the key");
  return BadReply();
}

Result<ByteView> TakeString(ByteReader& reader) {
  const auto length = reader.U32BigEndian();
  if (!length.ok()) return BadReply();
  const auto bytes = reader.Take(length.value());
  if (!bytes.ok()) return BadReply();
  return bytes.value();
}

Status FindKey(ByteView list, ByteView key) {
  ByteReader reader(list);
  const auto count = reader.U32BigEndian();
  if (!count.ok()) return BadReply();
  bool found = false;
  for (std::uint32_t i = 0; i < count.value(); ++i) {  // each takes at least eight bytes of the list
    SAFEMODEL_ASSIGN(const ByteView held, TakeString(reader));
    SAFEMODEL_TRY(TakeString(reader));
    found = found || std::equal(held.begin(), held.end(), key.begin(), key.end());
  }
  if (!reader.empty()) return BadReply();
  if (!found) return AgentError("agent_lacks_key", "the ssh-agent does not hold this key: load it with ssh-add");
  return {};
}

// ParseReply reads a signature. Only what fits the kind of key is one.
Result<HardwareSignature> ParseReply(ByteView reply, bool hardware) {
  ByteReader outer(reply);
  SAFEMODEL_ASSIGN(const ByteView bytes, TakeString(outer));
  ByteReader reader(bytes);
  SAFEMODEL_ASSIGN(const ByteView type, TakeString(reader));
  if (!outer.empty() || AsText(type) != (hardware ? kHardwareSignature : kPlainSignature)) return BadReply();
  SAFEMODEL_ASSIGN(const ByteView signature, TakeString(reader));
  HardwareSignature result;
  if (signature.size() != result.bytes.size()) return BadReply();
  std::copy(signature.begin(), signature.end(), result.bytes.begin());
  if (hardware) {
    const auto flags = reader.U8();
    const auto counter = reader.U32BigEndian();
    if (!flags.ok() || !counter.ok()) return BadReply();
    result.flags = flags.value();
    result.counter = counter.value();
  }
  if (!reader.empty()) return BadReply();
  return result;
}

class AgentSigner final : public Signer {
 public:
  AgentSigner(PublicKey key, std::chrono::seconds timeout) : key_(std::move(key)), timeout_(timeout) {}
  [[nodiscard]] const PublicKey& public_key() const override { return key_; }

  [[nodiscard]] Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const override {
    if (key_.is_hardware()) return AgentError("hardware_key", "a hardware key cannot sign this kind of message");
    SAFEMODEL_ASSIGN(const HardwareSignature signature, Request(message));
    return Checked(signature, message);
  }

  [[nodiscard]] Result<HardwareSignature> SignOnHardware(ByteView message) const override {
    if (!key_.is_hardware()) return Signer::SignOnHardware(message);
    SAFEMODEL_ASSIGN(const HardwareSignature signature, Request(message));
    SAFEMODEL_TRY(Checked(signature, HardwareMessage(key_.application(), signature.flags, signature.counter, message)));
    return signature;
  }

  [[nodiscard]] Status CheckHeld() const {
    ByteWriter question;
    question.U8(kListKeys);
    SAFEMODEL_ASSIGN(const ByteBuffer list, Ask(timeout_, question.view(), kKeys));
    return FindKey(list, Name());
  }

 private:
  // Name is what the agent knows the key by.
  [[nodiscard]] ByteBuffer Name() const { return SerializeOpenSshBytes({key_.bytes(), key_.application()}); }

  [[nodiscard]] Result<HardwareSignature> Request(ByteView message) const {
    ByteWriter question;
    question.U8(kSign);
    question.Bytes(OpenSshString(Name()));
    question.Bytes(OpenSshString(message));
    question.U32(0);  // flags: they are for RSA
    SAFEMODEL_ASSIGN(const ByteBuffer reply, Ask(timeout_, question.view(), kSigned));
    return ParseReply(reply, key_.is_hardware());
  }

  [[nodiscard]] Result<std::array<std::uint8_t, 64>> Checked(const HardwareSignature& signature,
                                                             ByteView message) const {
    if (VerifyEd25519(message, signature.bytes, key_.bytes())) return signature.bytes;
    return AgentError("wrong_signature", "the ssh-agent's signature does not verify under the public key");
  }

  PublicKey key_;
  std::chrono::seconds timeout_;
};

}  // namespace

Result<std::unique_ptr<Signer>> OpenAgentSigner(PublicKey key, std::chrono::seconds timeout) {
  auto signer = std::make_unique<AgentSigner>(std::move(key), timeout);
  SAFEMODEL_TRY(signer->CheckHeld());
  return std::unique_ptr<Signer>(std::move(signer));
}

}  // namespace safemodel::crypto
