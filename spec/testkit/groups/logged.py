# SPDX-License-Identifier: Apache-2.0
"""L: rules that want signatures to be logged."""

from .. import constants as c
from ..envelope import BUILDER, SECOND, Signer
from ..tlog import LOG_KEY, ORIGIN, OTHER_LOG, WITNESS_1, WITNESS_2, Proof, cosignature, entry_of, leaf_hash, note_line
from .base import vector
from .policies import HEAD, SLSA, attested, key, policy, public, rule

ELSEWHERE = "example.com/other"


def log(origin=ORIGIN, key_=LOG_KEY):
    return f'[[log]]\norigin = "{origin}"\npublic = "{public(key_)}"\n'


def witness(name, key_):
    return f'[[witness]]\nname = "{name}"\npublic = "{public(key_)}"\n'


WITNESSES = witness("witness.example/1", WITNESS_1) + witness("witness.example/2", WITNESS_2)
ANY = HEAD + key("release") + rule(more="logged = true") + log()
NAMED = HEAD + key("release") + rule(more=f'logged = "{ORIGIN}"') + log() + log(ELSEWHERE, OTHER_LOG)
TWO_WITNESSES = ANY.replace(HEAD, HEAD + "witness_threshold = 2\n") + WITNESSES
TWO_KEYS = HEAD + key("release") + key("boss", SECOND, '["approver"]') + rule(
    roles="{ builder = 1, approver = 1 }", more="logged = true") + log()


def asked(name, expect, reason, text, proofs, signers=(Signer(),), code=None, twin="L1-rule-ok", spec="P-LOGGED"):
    """A container with the statements of `signers`, and what `proofs` makes of the statement items."""

    def add(frame):
        for item in proofs([statement for kind, statement in frame.items if kind == c.ITEM_STATEMENT]):
            frame.items.append((c.ITEM_LOG_PROOF, item))

    return vector(name, expect, spec, reason, signers=list(signers), code=code, twin=None if expect == "ok" else twin,
                  options={"policy": text.encode()}, frame=add)


def one(**changes):
    """The proof of the first statement."""
    return lambda items: [Proof(entry_of(items[0], BUILDER), **changes).make()]


def vectors():
    yield asked("L1-rule-ok", "ok", "a rule that wants signatures to be logged, and the proof of one", ANY, one(),
                spec="P-LOGGED L-BOUND L-INCLUSION L-SIGNED")
    yield asked("L1-rule-no-proof", "untrusted", "no log proof at all", ANY, lambda items: [], code="not_logged")
    yield asked("L1-rule-other-statement", "untrusted", "the proof of another statement", ANY,
                lambda items: [Proof(entry_of(items[0], BUILDER, statement="00" * 32)).make()], code="not_logged")
    yield asked("L1-rule-other-key", "untrusted", "the proof of a statement by another key", ANY,
                lambda items: [Proof(entry_of(items[0], SECOND)).make()], code="not_logged")
    yield asked("L1-rule-broken-proof", "untrusted", "a proof that cannot be read says nothing about the statement", ANY,
                lambda items: [b"c2sp.org/tlog-proof@v1\n"], code="not_logged")
    yield asked("L1-rule-broken-beside-ok", "ok", "a good proof among broken and foreign ones", ANY,
                lambda items: [b"", Proof(entry_of(items[0], SECOND)).make(), one()(items)[0], b"\0"])
    yield asked("L1-rule-not-in-tree", "untrusted", "our entry beside the proof of another leaf", ANY,
                one(leaf=lambda entry: leaf_hash(b"another artifact")), code="not_in_log")
    yield from whose()
    yield from witnesses()
    yield from two_signers()
    yield from configuration()


def whose():
    strange = one(key=OTHER_LOG)
    yield asked("L2-rule-log-key", "untrusted", "a checkpoint that another key signed", ANY, strange,
                code="log_signature")
    yield asked("L2-rule-stranger", "untrusted", "in a log that the policy does not list", ANY,
                one(origin="example.com/stranger"), code="unknown_log")
    yield asked("L2-rule-named-ok", "ok", "in the log that the rule names", NAMED, one())
    yield asked("L2-rule-other-log", "untrusted", "in a log of the policy, but not the one that the rule names", NAMED,
                one(origin=ELSEWHERE, key=OTHER_LOG), code="unknown_log", twin="L2-rule-named-ok")


def witnesses():
    def by(*lines):
        def sign(name, key_, text):
            return note_line(name, key_, text) + "".join(cosignature(*line, text) for line in lines)

        return one(lines=sign)

    first, second = ("witness.example/1", WITNESS_1), ("witness.example/2", WITNESS_2)
    twin = {"twin": "L2-rule-witnesses-ok"}
    yield asked("L2-rule-witnesses-ok", "ok", "as many witnesses as the policy wants", TWO_WITNESSES, by(first, second),
                spec="P-LOGGED L-WITNESS")
    yield asked("L2-rule-few-witnesses", "untrusted", "one witness of two", TWO_WITNESSES, by(first),
                code="few_witnesses", **twin)
    yield asked("L2-rule-witness-twice", "untrusted", "one witness twice", TWO_WITNESSES, by(first, first),
                code="few_witnesses", **twin)
    yield asked("L2-rule-witness-signature", "untrusted", "a cosignature of another text", TWO_WITNESSES,
                one(lines=lambda name, key_, text: note_line(name, key_, text) + cosignature(*first, text) +
                    cosignature(*second, text + b"more\n")), code="witness_signature", **twin)


def two_signers():
    signers = (Signer(), Signer(SECOND, "approver"))
    both = lambda items: [Proof(entry_of(items[0], BUILDER)).make(), Proof(entry_of(items[1], SECOND), index=5).make()]
    yield asked("L1-rule-both-ok", "ok", "two signatures, both logged", TWO_KEYS, both, signers)
    yield asked("L1-rule-one-of-two", "untrusted", "two signatures, one of them logged", TWO_KEYS,
                lambda items: both(items)[:1], signers, code="missing_role", twin="L1-rule-both-ok")
    wants = HEAD + key("release") + key("ci", SECOND, "[]", f'attests = ["{SLSA}"]') + rule(
        more=f'logged = true\nattestations = [{{ type = "{SLSA}" }}]') + log()
    yield asked("L1-rule-attestation-ok", "ok", "attestations need no log", wants, one(),
                (Signer(), attested(SECOND, SLSA, {})))


def configuration():
    for name, text, code in [
        ("logged-without-log", HEAD + key("a") + rule(more="logged = true"), "no_logs"),
        ("logged-in-no-log", HEAD + key("a") + rule(more='logged = "example.com/none"') + log(), "unknown_log"),
        ("logged-empty", HEAD + key("a") + rule(more='logged = ""') + log(), "empty_name"),
        ("logged-number", HEAD + key("a") + rule(more="logged = 1") + log(), "wrong_type"),
        ("logged-array", HEAD + key("a") + rule(more=f'logged = ["{ORIGIN}"]') + log(), "wrong_type"),
    ]:
        yield policy(f"Y2-{name}", "config", "P-RULES", f"a rule: {name}", text, code, twin="Y2-logged-false-ok")
    yield policy("Y2-logged-false-ok", "ok", "P-RULES", "a rule that says that it wants no log, in a policy without",
                 HEAD + key("a") + rule(more="logged = false"))
