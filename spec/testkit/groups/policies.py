# SPDX-License-Identifier: Apache-2.0
"""Y and S16: policy files, what is wrong with them, and what they ask for besides roles."""

import base64
from hashlib import sha256

from .. import constants as c
from .. import ed25519
from ..container import build
from ..envelope import BUILDER, SECOND, THIRD, Signer, compact, rfc3339, statement
from ..model import content_digest, tensor_digest
from ..tlog import LOG_KEY, ORIGIN, Proof, entry_of
from ..tree import flatten
from ..vector import Vector
from .base import tiny, vector

SLSA = "https://slsa.dev/provenance/v1"
SCAN = "https://safemodel.dev/scan/v1"
BOM = "https://cyclonedx.org/bom"


def public(key):
    """A public key as minisign writes it, on one line."""
    data = key if isinstance(key, bytes) else key.public
    return base64.b64encode(b"Ed" + bytes(8) + data).decode()


def key(name, key_=BUILDER, roles='["builder"]', more=""):
    return f'[[key]]\nname = "{name}"\npublic = "{public(key_)}"\nroles = {roles}\n{more}\n'


def rule(models="**", roles="{ builder = 1 }", more=""):
    return f'[[rule]]\nmodels = "{models}"\nroles = {roles}\n{more}\n'


HEAD = "version = 1\n"
GOOD = HEAD + key("release") + rule()


def policy(name, expect, spec, reason, text, code=None, twin="Y2-policy-ok"):
    """A vector about the policy file alone: there is no container."""
    data = text if isinstance(text, bytes) else text.encode()
    return Vector(name=name, reason=reason, spec=spec.split(), container=b"", expect=expect, code=code, at="policy",
                  policy=data, twin=None if expect == "ok" else twin)


def judged(name, expect, reason, text, *signers, spec, code=None, twin="Y8-policy-ok", model=None, at="open", **options):
    return vector(name, expect, spec, reason, model=model, signers=list(signers), code=code, at=at,
                  twin=None if expect == "ok" else twin, options={"policy": text.encode(), **options})


def vectors():
    yield policy("Y2-policy-ok", "ok", "P-FIELDS", "one key, one rule", GOOD)
    yield from wrong_fields()
    yield from wrong_rules()
    yield from wrong_text()
    yield from wrong_keys()
    yield from globs()
    yield judged("Y8-policy-ok", "ok", "a signature by the one key", GOOD, Signer(), spec="P-FIELDS")
    yield from asked_for()
    yield from minimum_checked()
    yield from attestations()
    yield from revoked()
    yield from logged_before()
    yield from denied()


def wrong_fields():
    for name, text, code in [
        ("unknown-field", "hurry = true\n" + GOOD, "unknown_field"),
        ("unknown-key-field", HEAD + key("a", more="role = 1") + rule(), "unknown_field"),
        ("unknown-rule-field", HEAD + key("a") + rule(more="minimum = 3"), "unknown_field"),
        ("no-version", key("a") + rule(), "missing_field"),
        ("later-version", GOOD.replace("version = 1", "version = 2"), "other_version"),
        ("no-keys", HEAD + rule(), "no_keys"),
        ("no-rules", HEAD + key("a"), "no_rules"),
        ("empty", "", "missing_field"),
        ("no-models", GOOD.replace("models", "#models"), "missing_field"),
        ("no-roles-in-rule", GOOD.replace("roles = {", "#roles = {"), "missing_field"),
        ("no-name", GOOD.replace("name", "#name"), "missing_field"),
        ("empty-name", HEAD + key("") + rule(), "empty_name"),
        ("no-public", GOOD.replace("public", "#public"), "missing_field"),
        ("empty-roles", HEAD + key("a", roles="[]") + rule(), "no_roles"),
        ("role-of-no-text", HEAD + key("a", roles='[""]') + rule(), "bad_role"),
        ("role-number", HEAD + key("a", roles="[1]") + rule(), "wrong_type"),
        ("role-twice", HEAD + key("a", roles='["builder", "builder"]') + rule(), "role_twice"),
        ("key-twice", HEAD + key("a") + key("b") + rule(), "key_twice"),
        ("key-twice-other-text", HEAD + key("a") + key("b").replace(public(BUILDER), "untrusted comment: x\\n" +
                                                                    public(BUILDER) + "\\n") + rule(), "key_twice"),
        ("name-twice", HEAD + key("a") + key("a", SECOND) + rule(), "name_twice"),
        ("times-reversed", HEAD + key(
            "a", more='valid_from = "2027-01-01T00:00:00Z"\nvalid_until = "2026-01-01T00:00:00Z"') + rule(),
         "times_reversed"),
        ("time-no-zone", HEAD + key("a", more='valid_from = "2027-01-01"') + rule(), "bad_time"),
        ("time-of-toml", HEAD + key("a", more="valid_from = 2027-01-01T00:00:00Z") + rule(), "wrong_type"),
        ("attests-release", HEAD + key("a", more='attests = ["https://safemodel.dev/release/v1"]') + rule(),
         "bad_predicate_type"),
        ("attests-files", HEAD + key("a", more='attests = ["https://safemodel.dev/files-release/v1"]') + rule(),
         "bad_predicate_type"),
        ("attests-empty", HEAD + key("a", more='attests = [""]') + rule(), "bad_predicate_type"),
        ("attests-long", HEAD + key("a", more=f'attests = ["{"t" * 256}"]') + rule(), "bad_predicate_type"),
        ("attests-twice", HEAD + key("a", more='attests = ["t", "t"]') + rule(), "attestation_twice"),
        ("attestation-twice", HEAD + key("a", more=f'attests = ["{SLSA}"]') +
         rule(more=f'attestations = [{{ type = "{SLSA}" }}, {{ type = "{SLSA}" }}]'), "attestation_twice"),
        ("role-long", HEAD + key("a", roles=f'["{"r" * 65}"]') + rule(), "bad_role"),
        ("role-letter", HEAD + key("a", roles='["build er"]') + rule(), "bad_role"),
        ("denied-nothing", GOOD + "[[denied]]\n", "nothing_denied"),
        ("denied-upper-case", GOOD + f'[[denied]]\nmanifest = "{"AA" * 32}"\n', "bad_digest"),
        ("denied-short", GOOD + f'[[denied]]\ncontent = "{"aa" * 31}"\n', "bad_digest"),
        ("revoked-twice", GOOD + '[[revoked]]\nkey = "release"\n' * 2, "revoked_twice"),
        ("revoked-unknown", GOOD + '[[revoked]]\nkey = "nobody"\n', "bad_key"),
        ("checkpoint-without-root", GOOD + '[[revoked]]\nkey = "release"\nexcept_before = [{ origin = "log", size = 1 }]\n',
         "missing_field"),
        ("checkpoint-empty", GOOD + '[[revoked]]\nkey = "release"\nexcept_before = [{ origin = "log", size = 0, ' +
         f'root = "{"aa" * 32}" }}]\n', "bad_checkpoint"),
        ("checkpoint-no-origin", GOOD + '[[revoked]]\nkey = "release"\nexcept_before = [{ origin = "", size = 1, ' +
         f'root = "{"aa" * 32}" }}]\n', "bad_checkpoint"),
        ("log-no-origin", GOOD + f'[[log]]\norigin = ""\npublic = "{public(SECOND)}"\n', "log_twice"),
        ("witness-no-name", GOOD + f'[[witness]]\nname = ""\npublic = "{public(SECOND)}"\n', "witness_twice"),
        ("witness-twice", GOOD + "".join(f'[[witness]]\nname = "w"\npublic = "{public(by)}"\n' for by in
                                         (SECOND, THIRD)), "witness_twice"),
        ("log-key-signs", GOOD + f'[[log]]\norigin = "log"\npublic = "{public(BUILDER)}"\n', "key_twice"),
        ("log-twice", GOOD + f'[[log]]\norigin = "log"\npublic = "{public(SECOND)}"\n[[log]]\norigin = "log"\n' +
         f'public = "{public(THIRD)}"\n', "log_twice"),
        ("witnesses-too-few", GOOD.replace(HEAD, HEAD + "witness_threshold = 1\n"), "bad_threshold"),
        ("state-empty", GOOD.replace(HEAD, HEAD + 'state = ""\n'), "empty_name"),
    ]:
        yield policy(f"Y2-{name}", "config", "P-FIELDS", f"a policy file: {name}", text, code)


def wrong_rules():
    two = key("a") + key("b", SECOND, '["builder", "approver"]')
    for name, rules, code in [
        ("threshold-zero", rule(roles="{ builder = 0 }"), "bad_threshold"),
        ("threshold-negative", rule(roles="{ builder = -1 }"), "out_of_range"),
        ("threshold-fraction", rule(roles="{ builder = 1.5 }"), "wrong_type"),
        ("threshold-above", rule(roles="{ builder = 3 }"), "bad_threshold"),
        ("role-of-nobody", rule(roles="{ scanner = 1 }"), "bad_threshold"),
        ("roles-empty", rule(roles="{}"), "no_required_roles"),
        ("unsatisfiable", rule(roles="{ builder = 2, approver = 1 }"), "unsatisfiable"),
        ("last-not-explicit", rule("acme/*") + rule("other/*"), "no_last_rule"),
        ("behind-catch-all", rule() + rule("acme/*"), "unreachable_rule"),
        ("glob-letter", rule("acme/?"), "bad_glob"),
        ("glob-empty", rule(""), "bad_glob"),
        ("verified-of-other-role", rule(more='verified = { approver = "full" }'), "unknown_field"),
        ("verified-word", rule(more='verified = { builder = "all" }'), "unknown_word"),
        ("encryption-word", rule(more='encryption = "yes"'), "unknown_word"),
        ("mode-word", rule(more='mode = "lenient"'), "unknown_word"),
        ("expectation-word", rule(more='expectation = "demanded"'), "unknown_word"),
        ("mapping-bool", rule(more="memory_mapping = true"), "wrong_type"),
        ("attestation-of-nobody", rule(more=f'attestations = [{{ type = "{SLSA}" }}]'), "nobody_attests"),
        ("attestation-age-large", rule(more=f'attestations = [{{ type = "{SLSA}", max_age_days = 36526 }}]'),
         "out_of_range"),
        ("role-letter-in-rule", rule(roles='{ "build er" = 1 }'), "bad_role"),
        ("attestation-age-zero", rule(more=f'attestations = [{{ type = "{SLSA}", max_age_days = 0 }}]'),
         "out_of_range"),
        ("sequence-large", rule(more="minimum_sequence = 9007199254740992"), "out_of_range"),
    ]:
        yield policy(f"Y2-{name}", "config", "P-RULES", f"a rule: {name}", HEAD + two + rules, code)
    yield policy("Y4-off-named-ok", "ok", "P-MODE", "mode off for models that the rule names",
                 HEAD + key("a") + rule("lab/*", more='mode = "off"') + rule())
    for name, rules in [("only", rule(more='mode = "off"')), ("last", rule("acme/*") + rule(more='mode = "off"')),
                        ("star", rule("*", more='mode = "off"') + rule()),
                        ("stars", rule("*/*", more='mode = "off"') + rule()),
                        ("named-only", rule("acme/*", more='mode = "off"'))]:
        yield policy(f"Y4-off-{name}", "config", "P-MODE", f"mode off where it must not be: {name}",
                     HEAD + key("a") + rules, "off_for_all", twin="Y4-off-named-ok")


def wrong_text():
    for name, text, code in [
        ("duplicate-key", GOOD.replace("version = 1", "version = 1\nversion = 1"), "toml_syntax"),
        ("duplicate-table", GOOD + "[a]\n[a]\n", "toml_syntax"),
        ("bom", b"\xef\xbb\xbf" + GOOD.encode(), "toml_encoding"),
        ("bad-utf8", GOOD.encode() + b"# \xff\n", "toml_encoding"),
        ("nul", GOOD.encode() + b"# \0\n", "toml_encoding"),
        ("deep", GOOD + "x = " + "[" * 1000 + "]" * 1000, "too_deep"),
        ("integer-2-63", GOOD.replace("version = 1", "version = 9223372036854775808"), "toml_syntax"),
        ("json", '{"version": 1}', "toml_syntax"),
    ]:
        yield policy(f"Y3-{name}", "config", "P-TEXT", f"a policy file: {name}", text, code)


def wrong_keys():
    low = [bytes(32), ed25519.IDENTITY, ed25519.IDENTITY_NOT_CANONICAL, ed25519.encode(ed25519.ORDER_8)]
    for number, data in enumerate(low):
        yield policy(f"Y4-key-low-order-{number}", "config", "P-KEY", "a public key of low order",
                     HEAD + key("a", data) + rule(), "bad_key")
    for name, data in [("31-bytes", BUILDER.public[:-1]), ("33-bytes", BUILDER.public + b"\0"),
                       ("not-canonical", b"\xff" * 31 + b"\x7f")]:
        yield policy(f"Y4-key-{name}", "config", "P-KEY", f"a public key of {name}", HEAD + key("a", data) + rule(),
                     "bad_key")
    yield policy("Y4-key-path", "config", "P-KEY", "a path in the place of a public key",
                 GOOD.replace(public(BUILDER), "/etc/hostname"), "bad_key")


def globs():
    both = key("a") + key("b", SECOND, '["approver"]')
    for name, models, expect in [("other-prefix", "acme-x/*", "untrusted"), ("case", "ACME/*", "untrusted"),
                                 ("matches-ok", "acme/*", "ok")]:
        text = HEAD + both + rule(models) + rule(roles="{ approver = 1 }")
        yield judged(f"Y6-file-{name}", expect, f"a rule for {models}, the model is acme/tiny", text, Signer(),
                     spec="P-RULES", twin="Y6-file-matches-ok")
    loose = HEAD + both + rule("acme/**") + rule("acme/tiny", "{ approver = 1 }") + rule(roles="{ approver = 1 }")
    yield judged("Y6-loose-first-ok", "ok", "a loose rule in front of a strict one decides, as written", loose,
                 Signer(), spec="P-RULES")


def asked_for():
    yield judged("Y8-encryption-required", "untrusted", "a plain container where encryption is required",
                 HEAD + key("a") + rule(more='encryption = "required"'), Signer(), spec="P-ENCRYPTION",
                 code="not_encrypted")
    yield judged("Y8-encryption-forbidden-ok", "ok", "a plain container where encryption is forbidden",
                 HEAD + key("a") + rule(more='encryption = "forbidden"'), Signer(), spec="P-ENCRYPTION")
    demanding = HEAD + key("a") + rule(more='expectation = "required"')
    yield judged("Y7-demanded-ok", "ok", "the caller says which model it wants", demanding, Signer(),
                 spec="P-EXPECTED", expect_name="acme/tiny")
    yield judged("Y7-demanded", "untrusted", "the policy wants an expectation, and there is none", demanding, Signer(),
                 spec="P-EXPECTED", code="no_expectation", twin="Y7-demanded-ok")
    yield judged("Y5-warn-bad-signature", "bad_signature", "mode warn: to verify and to load without the token is to refuse",
                 HEAD + key("a") + rule(more='mode = "warn"'),
                 Signer(signature=lambda s: s[:9] + bytes([s[9] ^ 1]) + s[10:]), spec="P-MODE", code="bad_signature")
    for name, more, now, expect in [("ended", 'valid_until = "2026-01-01T23:59:59Z"', c.NOW, "untrusted"),
                                    ("ends-now-ok", 'valid_until = "2026-01-02T00:00:00Z"', c.NOW, "ok"),
                                    ("begins-later", 'valid_from = "2026-01-02T00:00:01Z"', c.NOW, "untrusted")]:
        yield judged(f"Y8-file-window-{name}", expect, f"a key with {more}", HEAD + key("a", more=more) + rule(),
                     Signer(), spec="P-FIELDS S-WINDOW", now=now, twin="Y8-file-window-ends-now-ok",
                     code=None if expect == "ok" else "outside_key_window")


def minimum_checked():
    text = HEAD + key("a") + key("s", SECOND, '["scanner"]') + rule(roles="{ builder = 1, scanner = 1 }",
                                                                    more='verified = { scanner = "full" }')
    for checked in ("none", "manifest", "stored", "full-ok"):
        word = checked.removesuffix("-ok")
        yield judged(f"S16-verified-{checked}", "ok" if word == "full" else "untrusted",
                     f"a scanner that had checked: {word}, where the rule wants full", text, Signer(),
                     Signer(SECOND, "scanner", predicate={"verified": word}), spec="P-CHECKED",
                     twin="S16-verified-full-ok", code=None if word == "full" else "missing_role")


def attested(by, type_, predicate, **edits):
    """An attestation about the same manifest."""

    def edit(release):
        made = {**release, "predicateType": type_, "predicate": predicate}
        for field, change in edits.items():
            change(made[field])
        return made

    return Signer(by, edit=edit)


def scans():
    """A scan result has to be good news."""
    wants = HEAD + key("a") + key("scanner", SECOND, "[]", f'attests = ["{SCAN}"]') + rule(more=f'attestations = [{{ type = "{SCAN}" }}]')
    for name, reason, verdict in (("clean-ok", "with the verdict clean", {"verdict": "clean"}),
                                  ("dangerous", "with the verdict dangerous", {"verdict": "dangerous"}),
                                  ("unknown", "with the verdict unknown", {"verdict": "unknown"}),
                                  ("no-verdict", "without a verdict", {}),
                                  ("verdict-type", "with a verdict that is no string", {"verdict": ["clean"]})):
        clean = name == "clean-ok"
        yield judged(f"S16-scan-{name}", "ok" if clean else "untrusted", f"a scan result {reason}", wants, Signer(),
                     attested(SECOND, SCAN, {"scannedAt": rfc3339(c.NOW), **verdict}), spec="P-SCAN",
                     twin="S16-scan-clean-ok", code=None if clean else "missing_attestation")


def attestations():
    ci = key("ci", SECOND, "[]", f'attests = ["{SLSA}", "{BOM}"]')
    wants = HEAD + key("a") + ci + rule(more=f'attestations = [{{ type = "{SLSA}", max_age_days = 30 }}]')
    at = lambda seconds: {"runDetails": {"metadata": {"finishedOn": rfc3339(seconds)}}}
    day = 86400
    row = lambda name, expect, reason, *signers, code=None, text=wants: judged(
        f"S16-{name}", expect, reason, text, *signers, spec="P-ATTESTS", code=code, twin="S16-attested-ok")
    good = attested(SECOND, SLSA, at(c.NOW - 30 * day))
    yield row("attested-ok", "ok", "an attestation that is just young enough", Signer(), good)
    yield row("attestation-missing", "untrusted", "no attestation", Signer(), code="missing_attestation")
    yield row("attestation-old", "untrusted", "a second too old", Signer(),
              attested(SECOND, SLSA, at(c.NOW - 30 * day - 1)), code="missing_attestation")
    yield row("attestation-no-time", "untrusted", "it does not say when", Signer(), attested(SECOND, SLSA, {}),
              code="missing_attestation")
    yield row("attestation-future", "untrusted", "it is about tomorrow", Signer(),
              attested(SECOND, SLSA, at(c.NOW + day)), code="missing_attestation")
    yield row("attestation-by-builder", "untrusted", "by a key that may not make it", Signer(),
              attested(BUILDER, SLSA, at(c.NOW)), code="missing_attestation")
    yield row("attestation-other-type", "untrusted", "of another type", Signer(),
              attested(SECOND, BOM, {"metadata": {"timestamp": rfc3339(c.NOW)}}), code="missing_attestation")
    yield row("attestation-type-not-allowed", "untrusted", "of a type that its key may not make", Signer(),
              attested(SECOND, SCAN, {"scannedAt": rfc3339(c.NOW)}), code="missing_attestation")
    yield row("attestation-other-subject", "untrusted", "about another manifest", Signer(),
              attested(SECOND, SLSA, at(c.NOW), subject=lambda s: s[0]["digest"].update(sha256="00" * 32)),
              code="missing_attestation")
    yield row("attestation-other-name", "untrusted", "about another model", Signer(),
              attested(SECOND, SLSA, at(c.NOW), subject=lambda s: s[0].update(name="acme/other@1.0")),
              code="missing_attestation")
    yield from scans()
    broken = lambda by: attested(by, SLSA, at(c.NOW), subject=lambda s: s.clear())
    yield row("attestation-broken", "malformed", "it does not parse", Signer(), broken(SECOND), code="bad_subject")
    yield row("attestation-broken-by-builder", "untrusted", "it does not parse, and its key makes none", Signer(),
              broken(BUILDER), code="missing_attestation")
    yield row("attestation-alone", "untrusted", "an attestation is no release", good, code="missing_role")
    fields = {"role": "builder", "model": "acme/tiny", **at(c.NOW)}
    yield row("attestation-as-release", "untrusted", "an attestation with the fields of a release, by a builder",
              attested(BUILDER, SLSA, fields), good,
              text=HEAD + key("a", more=f'attests = ["{SLSA}"]') + ci + rule(), code="missing_role")


def revoked():
    payload = compact(statement(manifest(), sha256(build(tiny()).manifest_bytes).digest()))
    digest = sha256(payload).hexdigest()
    entry = f'[[revoked]]\nkey = "release"\nreason = "it leaked"\n'
    listed = entry + f'except_statements = ["{digest}"]\n'
    row = lambda name, expect, reason, more, *signers, base=GOOD: judged(
        f"Y12-{name}", expect, reason, base + more, *signers, spec="P-REVOKED", twin="Y12-listed-ok",
        code=None if expect == "ok" else "revoked_key")
    yield row("listed-ok", "ok", "the statement is listed by the digest of its payload", listed, Signer())
    yield row("revoked", "untrusted", "a revoked key", entry, Signer())
    yield row("by-text", "untrusted", "a key revoked by its text", entry.replace("release", public(BUILDER)), Signer())
    yield row("other-listed", "untrusted", "another statement is listed", listed.replace(digest, "00" * 32), Signer())
    yield row("back-dated", "untrusted", "issued long before: times are the signer's own word", entry,
              Signer(predicate={"issuedAt": "2001-01-01T00:00:00Z"}))
    yield row("not-parsed", "untrusted", "what a revoked key signed is not parsed", entry,
              Signer(payload=lambda p: b"{"))
    yield vector("Y12-no-manifest", "untrusted", "P-REVOKED S-BEFORE", "a revoked key vouches for no manifest",
                 code="revoked_key", twin="Y12-listed-ok", options={"policy": (GOOD + entry).encode()},
                 manifest_bytes=lambda b: b[:4] + b"XXXX" + b[8:])
    yield row("not-a-key", "untrusted", "the key is not among the keys any more",
              entry.replace("release", public(BUILDER)), Signer(), base=HEAD + key("b", SECOND) + rule())
    yield row("no-proof", "untrusted", "only what a log had is excepted, and there is no proof",
              entry + f'except_before = [{{ origin = "log", size = 5, root = "{"aa" * 32}" }}]\n', Signer())


def logged_before():
    """Y12: what a log had before the named checkpoint stays."""
    def proven(name, expect, reason, before):
        made = Proof(entry_of(made_statement(), BUILDER))
        origin, (size, root) = before(made)
        text = (GOOD + f'[[log]]\norigin = "{ORIGIN}"\npublic = "{public(LOG_KEY)}"\n[[revoked]]\nkey = "release"\n'
                f'except_before = [{{ origin = "{origin}", size = {size}, root = "{root.hex()}" }}]\n')
        return vector(
            f"Y12-{name}", expect, "P-REVOKED L-BEFORE", reason, signers=[Signer()],
            code=None if expect == "ok" else "revoked_key", twin=None if expect == "ok" else "Y12-logged-before-ok",
            options={"policy": text.encode()}, frame=lambda frame: frame.items.append((c.ITEM_LOG_PROOF, made.make())))

    yield proven("logged-before-ok", "ok", "a revoked key, but a log had the statement before the named checkpoint",
                 lambda made: (ORIGIN, made.state()))
    yield proven("logged-in-fork", "untrusted", "the named size, with the root of another tree",
                 lambda made: (ORIGIN, (made.size, bytes(32))))
    yield proven("logged-later", "untrusted", "in a later tree only", lambda made: (ORIGIN, made.state(6)))
    yield proven("logged-elsewhere", "untrusted", "another log's checkpoint of that size and root",
                 lambda made: ("example.com/other", made.state()))


def made_statement():
    """The statement item of `tiny`, as Signer makes it."""
    return Signer().make(manifest(), sha256(build(tiny()).manifest_bytes).digest())


def manifest():
    """The fields of the manifest of `tiny` that a statement repeats."""
    model = tiny()
    return {"name": model.name, "version": model.version, "sequence": model.sequence, "file_id": c.FILE_ID}


def denied():
    digest = sha256(build(tiny()).manifest_bytes).hexdigest()
    content = content_digest(tiny(), tensor_digest(tiny()), flatten(tiny().root)).hex()
    other = tiny(version="2.0")
    text = lambda field, value: GOOD + f'[[denied]]\n{field} = "{value}"\n'
    row = lambda name, expect, reason, policy_, model=None, at="open", code=None, **steps: vector(
        f"Y13-{name}", expect, "P-DENIED", reason, model=model, signers=[Signer()], code=code, at=at,
        twin=None if expect == "ok" else "Y13-other-denied-ok", options={"policy": policy_.encode()}, **steps)
    yield row("other-denied-ok", "ok", "another container and another content are denied",
              text("manifest", "00" * 32) + f'[[denied]]\ncontent = "{"00" * 32}"\n', at="content")
    yield row("manifest", "untrusted", "a denied container, perfectly signed", text("manifest", digest),
              code="denied_manifest")
    yield row("content", "untrusted", "a denied content", text("content", content), code="denied_content")
    yield row("content-other-container", "untrusted", "a denied content in another container",
              text("content", content), model=other, code="denied_content")
    yield row("content-lies", "digest_mismatch", "a denied content that states another digest of itself",
              text("content", content), at="content",
              directory=lambda d: d.update(content_digest=bytes(32)))
