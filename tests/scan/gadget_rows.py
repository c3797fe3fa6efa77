# SPDX-License-Identifier: Apache-2.0
"""Programs made of listed names alone: a function that is handed on, and an attribute, a setter, a hook or a hash that calls it."""

from assemble import PAYLOAD, Row, STOP, blob, call, frame, name, new, proto, state, text

LOAD = name("torch.storage", "_load_from_bytes")
GETATTR = name("builtins", "getattr")
ANALYZE = name("sklearn.feature_extraction.text", "_analyze")
PARTIAL = name("functools", "partial")
HIDDEN = blob(b"N0" + PAYLOAD + STOP)  # what torch.load would run
HANDED, ARGS, ATTRIBUTE = "GLOBAL-VALUE", "STATE-SCHEMA", "STATE-RESERVED"


def dictionary(*items):
    return b"}(" + b"".join((text(key) if isinstance(key, str) else key) + value for key, value in items) + b"u"


def partial(function, args=b")", keywords=b"}"):
    return PARTIAL + function + b"\x85R(" + function + args + keywords + b"Ntb"


def loader():
    """What calls _load_from_bytes with the bytes, whatever it is called with."""
    return partial(ANALYZE, HIDDEN + b"\x85", dictionary(("analyzer", LOAD)))


def bunch(*items):
    return new("sklearn.utils._bunch", "Bunch") + b"(" + b"".join(text(key) + value for key, value in items) + b"u"


def module(*attributes):
    return new("torch.nn.modules.linear", "Identity") + state(*attributes)


def hooked(value, hooks="_forward_pre_hooks"):
    return module((hooks, call("collections", "OrderedDict", b"") + b"K\0" + value + b"s"))


def interpolation(value):
    """A state in two parts: attributes, and slots, which setattr sets."""
    return new("scipy.interpolate._interpolate", "interp1d") + b"N" + dictionary(("fill_value", value)) + b"\x86b"


def isotonic(value):
    return new("sklearn.isotonic", "IsotonicRegression") + state(("X_thresholds_", value), ("y_thresholds_", b"]K\1aK\2a"))


def category(value):
    return new("pandas", "CategoricalDtype") + state(("categories", value), ("ordered", b"\x89"))


def masked(fill):
    made = call("numpy.ma.core", "_mareconstruct", name("numpy.ma", "MaskedArray") + name("numpy", "ndarray") + b"K\0\x85" + text("b"))
    kind = call("numpy", "dtype", text("f8") + b"\x89\x88") + b"(K\3" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    return made + b"(K\1K\1\x85" + kind + b"\x89" + blob(b"\0" * 8) + blob(b"\0") + fill + b"tb"


def reducers():
    """Functions that are read where a pickle calls them, and nowhere else."""
    for title, function in (("_load_from_bytes", LOAD), ("getattr", GETATTR), ("_reconstructor", name("copyreg", "_reconstructor")),
                            ("_rebuild_tensor_v2", name("torch._utils", "_rebuild_tensor_v2")), ("_analyze", ANALYZE),
                            ("_reconstruct", name("numpy._core.multiarray", "_reconstruct"))):  # fmt: skip
        yield f"{title} as a value", function, HANDED
        yield f"{title} in a dict", dictionary(("f", function)), HANDED
    yield "a reducer in a tuple in a list", b"]" + LOAD + b"\x85a", HANDED
    yield "a reducer as a key", b"}" + LOAD + b"Ns", HANDED
    yield "a reducer in a set", call("builtins", "set", b"]" + LOAD + b"a"), HANDED
    yield "a reducer as an attribute", new("argparse", "Namespace") + state(("f", LOAD)), HANDED
    yield "a reducer as a hook", hooked(LOAD), HANDED
    yield "a reducer as an item", bunch(("f", LOAD)), HANDED
    typed = b"(" + name("torch._utils", "_rebuild_tensor_v2") + name("torch", "Tensor") + b")Ntq\0"
    yield "the arguments of a rebuild function, kept as a value", typed + b"0]h\0a" + name("torch._tensor", "_rebuild_from_type_v2") + b"h\0R\x86", HANDED
    mersenne = b"(" + text("MT19937") + name("numpy.random._pickle", "__bit_generator_ctor") + b"tq\0"
    random = mersenne + b"0" + name("numpy.random._pickle", "__randomstate_ctor") + b"h\0R"
    yield "the arguments of a random generator, kept as a value", random + b"h\0\x86", HANDED
    yield "a reducer as an argument where another one is stated", name("numpy.random._pickle", "__randomstate_ctor") + text("MT19937") + LOAD + b"\x86R", HANDED


def partials():
    """Functions that call what they are given."""
    yield "a loader", loader(), HANDED
    yield "getattr as the ngrams of an analyzer", partial(ANALYZE, ANALYZE + b"\x85", dictionary(("ngrams", GETATTR))), HANDED
    yield "an analyzer of a document", partial(ANALYZE, text("x") + b"\x85"), ARGS
    yield "an analyzer that calls a type", partial(ANALYZE, b")", dictionary(("analyzer", name("numpy", "memmap")))), ARGS
    yield "a preprocessor that calls a class", partial(name("sklearn.feature_extraction.text", "_preprocess"), b")",
                                                       dictionary(("accent_function", name("pathlib", "Path")))), ARGS  # fmt: skip
    yield "max with an object as its key", partial(name("builtins", "max"), b")", dictionary(("key", hooked(b"\x88")))), ARGS
    yield "a distance that is a module", partial(name("sklearn.metrics.pairwise", "pairwise_distances"), b")",
                                                 dictionary(("metric", module()))), ARGS  # fmt: skip
    yield "clip of an object, which calls its clip", partial(name("numpy", "clip"), bunch(("clip", module())) + b"\x85"), ARGS
    yield "a method that calls methods", partial(name("torch.nn.modules.linear", "LazyLinear._infer_parameters")), "CALL-ARGS"
    yield "such a method as a value", name("torch.nn.modules.linear", "LazyLinear._infer_parameters"), HANDED
    yield "such a method, fetched from its class", call("builtins", "getattr", name("torch.nn.modules.linear", "LazyLinear") +
                                                        text("_infer_parameters")), HANDED  # fmt: skip


def carriers():
    """Objects that answer when they are asked for an attribute."""
    for harmless in (name("numpy", "sum"), module()):
        yield f"a dunder among the items of a Bunch {len(harmless)}", bunch(("__array__", harmless)), ATTRIBUTE
        yield f"a dunder among submodules {len(harmless)}", module(("_modules", dictionary(("__array__", harmless)))), ATTRIBUTE
    ordered = call("collections", "OrderedDict", b"") + text("__array__") + module() + b"s"
    yield "a dunder in an OrderedDict of submodules", module(("_modules", ordered)), ATTRIBUTE
    listed = call("collections", "OrderedDict", b"]]" + text("__array__") + b"a" + module() + b"aa")
    yield "a dunder in an OrderedDict of submodules as Python 2 makes it", module(("_modules", listed)), ATTRIBUTE
    yield "a dunder among parameters", module(("_parameters", dictionary(("__array__", b"N")))), ATTRIBUTE
    yield "a dunder among buffers", module(("_buffers", dictionary(("__float__", b"N")))), ATTRIBUTE
    for key in ("_modules", "_parameters", "_buffers"):
        yield f"a function in {key}", module((key, dictionary(("astype", name("numpy", "sum"))))), ARGS
        yield f"a partial in {key}", module((key, dictionary(("astype", partial(name("numpy", "sum")))))), ARGS
    yield "an object of another kind among submodules", module(("_modules", dictionary(("astype", bunch(("x", b"N")))))), ARGS
    yield "a partial as a hook", hooked(partial(name("numpy", "sum"))), ARGS
    yield "a function as a hook of an optimizer", new("torch.optim.sgd", "SGD") + state(
        ("_optimizer_step_pre_hooks", call("collections", "OrderedDict", b"") + b"K\0" + name("numpy", "sum") + b"s")), ARGS
    yield "a hook that joins after the check", joined(), "CALL-ARGS"


def joined():
    """The same dict of hooks gets a function when the module that took it has been judged."""
    hooks = call("collections", "OrderedDict", b"") + b"q\7"
    return hooks + b"0" + module(("_forward_hooks", b"h\7")) + b"0h\7K\1" + name("numpy", "sum") + b"s"


def triggers():
    """What runs while the object is made: setters, __setstate__, hashes."""
    for title, carrier in (("a Bunch", bunch(("x", b"N"))), ("a module", module()), ("a namespace", new("argparse", "Namespace")),
                           ("a partial", partial(name("numpy", "sum")))):
        yield f"{title} in slots", interpolation(carrier), ARGS
        yield f"{title} as thresholds", isotonic(carrier), ARGS
        yield f"{title} as categories", category(carrier), ARGS
        yield f"{title} as the nodes of trees", new("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor") + state(("nodes", carrier)), ARGS
        moment = name("pandas._libs.tslibs.timestamps", "_unpickle_timestamp")
        yield f"{title} as a time zone", moment + b"(K\1N" + carrier + b"tR", "CALL-ARGS"
        yield f"{title} as the defaults of an optimizer", new("torch.optim.adam", "Adam") + state(("defaults", carrier)), ARGS
        yield f"{title} in the state of an optimizer", new("torch.optim.asgd", "ASGD") + state(
            ("state", dictionary(("p", dictionary(("eta", carrier)))))), ARGS
        index = name("pandas.core.indexes.base", "_new_Index") + b"(" + name("pandas", "Index")
        yield f"{title} as the type of an index", index + dictionary(("data", b"]"), ("dtype", carrier)) + b"tR", "CALL-ARGS"
        yield f"{title} as the version of an estimator", new("sklearn.dummy", "DummyClassifier") + state(("_sklearn_version", carrier)), ARGS
        yield f"{title} as a mask's fill value", masked(carrier), ARGS
    yield "a type that is made as a bit generator", name("numpy.random._pickle", "__bit_generator_ctor") + name("numpy", "memmap") + b"\x85R", "CALL-ARGS"
    yield "a value for a setter", interpolation(b"K\1"), ATTRIBUTE
    for key in ("columns", "index", "flags", "T", "style"):
        yield f"pandas: {key} is an attribute", new("pandas", "DataFrame") + state((key, b"N")), ATTRIBUTE
    triplet = call("sklearn.impute._iterative", "_ImputerTriplet", b"NNN")[:-1] + b"\x81"
    for title, key in (("alone", triplet), ("in a tuple", triplet + b"\x85"), ("in a tuple in a tuple", triplet + b"\x85\x85")):
        yield f"a key whose hash asks its attributes, {title}", b"}" + key + b"Ns", "ITEMS-TARGET"
    yield "such a key of an OrderedDict", call("collections", "OrderedDict", b"") + triplet + b"Ns", "ITEMS-TARGET"
    yield "such a key in a list of pairs", call("collections", "OrderedDict", b"]" + triplet + b"N\x86a"), "ITEMS-TARGET"
    yield "such an item of a set", call("builtins", "set", b"]" + triplet + b"a"), "ITEMS-TARGET"
    yield "such an item of a new set", b"\x8f(" + triplet + b"\x90", "ITEMS-TARGET"
    yield "such an item of a frozenset", b"(" + triplet + b"\x91", "ITEMS-TARGET"
    yield "such a key of DICT", b"(" + triplet + b"Nd", "ITEMS-TARGET"


def chains():
    """Whole programs, as somebody wrote them."""
    yield "a setter asks a Bunch", interpolation(bunch(("__array__", loader()))), HANDED
    yield "a setter asks a module", interpolation(module(("_modules", dictionary(("__array__", loader()))))), HANDED
    hooks = hooked(partial(ANALYZE, HIDDEN + LOAD + b"\x86"))
    yield "__setstate__ asks a Bunch, which calls a hook", isotonic(bunch(("__array__", hooks), ("zz", b"N"))), HANDED
    yield "a hook, when the model is used", hooks, HANDED
    values = bunch(("_typ", text("extension")), ("_hash_pandas_object", hooks))
    yield "a hash asks categories", b"}" + category(bunch(("_values", values), ("dtype", b"N"))) + b"Ns", HANDED
    yield "a table asks for its columns", new("pandas", "DataFrame") + state(("columns", bunch(("__array__", loader())))), HANDED


def rows():
    for family in (reducers, partials, carriers, triggers, chains):
        for title, value, rule in family():
            yield Row(title, proto(2 if b"\x8f" not in value else 4) + value + STOP, rule)
            if family is chains:
                yield Row(f"{title}, in a frame", proto(4) + frame(value + STOP), rule)
                yield Row(f"{title}, in a file that breaks off", proto(2) + value + b"NN", rule)
