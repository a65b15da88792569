"""Every message that the code can raise has its Chinese, and the catalogue holds no message that nobody raises."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import speedpix_pipe
from speedpix_pipe.app.validate import validate
from speedpix_pipe.cli.base import parser_of
from speedpix_pipe.words.messages import GAP, catalogue, translated
from speedpix_pipe.words.messages.phrases import SAYINGS as PHRASES

HOUSE = Path(speedpix_pipe.__file__).parent
ROOMS = "yaml|spec|usage|expression|plan|run|store|access|executor|pipe|task|watch|output|files|save"
CODE = re.compile(rf"(?:{ROOMS})\.[a-z0-9-]+\Z")
HAN = re.compile("[\u4e00-\u9fff]")
WORD = re.compile(r"[A-Za-z][\w'-]*")
GIVEN = "qq"  # stands for whatever is filled in
BUGS = {"AssertionError", "TypeError", "KeyError", "FileNotFoundError"}  # of ours: they end in a log
# Put together from more than the eye of this test sees; examples of each are in composed.txt
COMPOSED = {
    "the file `qq` qq", "unexpected `qq`qq", "qq, expected `qq`", "the expression ends too earlyqq", "qq inside a text",
    "set (qq), and not tried: nobody answers at the endpoint", "accepted by the service (qq)",
    "this machine's clock is qq s qq the service's", "speedpix-pipe qq; qq",
    "the file qq qq", "the URL qq qq", "is given qq times, and qq qq has one value", 'unknown key "qq"qq',
    "qq is missingqq", "qq is being run qq", '"qq" cannot be qq: names have qq',
    "qq is not looked at",  # never shown
}  # fmt: skip
COMMANDS = ("pip install ", "ulimit ")  # to be typed as they stand
KEPT = re.compile(
    "`[^`]*`|\"[^\"]*\"|'[^']*'|(?:speedpix-pipe|pip|dask|git|sysctl|timedatectl|--[a-z]+)(?: [a-z0-9:/.=_-]+)*",
    re.IGNORECASE,
)
# What argparse says, in words of its own
OF_ARGPARSE = ("the following arguments are required", "unrecognized arguments", "argument ", "see ")


# --- the code, read ---


def texts(node: ast.expr | None, known: dict[str, list[ast.expr]]) -> list[str]:
    """What an expression may come to, with GIVEN for what is filled in."""
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.JoinedStr(values=values):
            return ["".join(str(v.value) if isinstance(v, ast.Constant) else GIVEN for v in values)]
        case ast.IfExp(body=one, orelse=other):
            return texts(one, known) + texts(other, known)
        case ast.BoolOp(values=values):
            return [text for value in values for text in texts(value, known)]
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            return [a + b for a in texts(left, known) or [GIVEN] for b in texts(right, known) or [GIVEN]]
        case ast.Name(id=name) if name in known:
            return [text for value in known[name] for text in texts(value, {})]
        case _:
            return []


def assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    known: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            pairs = (
                zip(target.elts, node.value.elts, strict=False)
                if _is_pair(target, node.value)
                else [(target, node.value)]
            )
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    known.setdefault(name.id, []).append(value)
    return known


def _is_pair(target: ast.expr, value: ast.expr) -> bool:
    return isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)


def said_by(call: ast.Call, known: dict[str, list[ast.expr]]) -> list[str]:
    """Message and hint of a call that raises or reports something."""
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    places = [at for at, given in enumerate(call.args) if isinstance(given, ast.Constant) and _is_code(given.value)]
    told: list[ast.expr | None] = [words.get("message"), words.get("hint")]
    if places:
        told += call.args[places[0] + 1 : places[0] + 3]
    elif (
        call.args
        and (_is_code(getattr(words.get("code"), "value", None)) or name.endswith("Error"))
        and name not in BUGS
    ):
        told.append(call.args[0])
    elif name == "Finding":
        told += [*call.args[2:4]]
    elif name in {"_tell", "tell", "note", "trouble", "Stop"} and call.args:
        told += call.args
    return [text for given in told for text in texts(given, known)]


def _is_code(value: object) -> bool:
    return isinstance(value, str) and CODE.match(value) is not None


@cache
def raised() -> dict[str, str]:
    """Every message in the code, and where."""
    found: dict[str, str] = {}
    for path in sorted(HOUSE.rglob("*.py")):
        if {"emulator", "sdk", "words"} & set(path.relative_to(HOUSE).parts):
            continue  # what the service and the SDK say stays as it is
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                known = assigned(function)
                for node in ast.walk(function):
                    for text in said_by(node, known) if isinstance(node, ast.Call) else ():
                        found.setdefault(text, f"{path.relative_to(HOUSE)}:{node.lineno}")
    return found


def constants() -> Iterator[str]:
    for path in HOUSE.rglob("*.py"):
        if "words" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
    yield (HOUSE.parent / "schemas" / "pipeline.v1.schema.json").read_text("utf-8")


def is_sentence(text: str) -> bool:
    words = re.sub(r"^[a-z_]+(\(\))?: ", "", text.replace(GIVEN, ""))
    return bool(re.search(r"[A-Za-z]{2,} [A-Za-z`]", words)) and not text.startswith(COMMANDS)


# --- the facts ---


def test_the_code_was_read():
    assert len(raised()) > 350
    assert 'no step "qq"' in raised()


def test_every_message_has_its_chinese():
    lacking = [
        f"{where}: {text}"
        for text, where in raised().items()
        if is_sentence(text) and text not in COMPOSED and not HAN.search(translated(text, "zh"))
    ]
    assert lacking == [], "add them to speedpix_pipe/words/messages/, English as it stands here, `<name>` for qq"


def test_no_message_is_half_translated():
    halves = [
        (text, told)
        for text in raised()
        if is_sentence(text)
        and HAN.search(told := translated(text, "zh"))
        and re.search(r"[a-z]{2,} [a-z]{2,}", KEPT.sub("", told).replace(GIVEN, ""))
    ]
    assert halves == [], "a general entry took what has none of its own"


def test_exemptions_are_needed():
    assert [text for text in COMPOSED if text not in raised() or HAN.search(translated(text, "zh"))] == []


def test_no_entry_is_left_behind_by_the_code():
    everything = " ".join(WORD.findall(" ".join(constants())))
    stale = []
    for english in catalogue():
        words = WORD.findall(" ".join(GAP.split(english)[::3]))
        pairs = [f"{one} {other}" for one, other in pairwise(words)]
        if (
            len(pairs) > 1
            and not english.startswith(OF_ARGPARSE)
            and sum(pair in everything for pair in pairs) < len(pairs) / 2
        ):
            stale.append(english)
    assert stale == [], "nobody says these any more"


@pytest.mark.parametrize("text", (Path(__file__).parent / "composed.txt").read_text("utf-8").splitlines())
def test_what_is_put_together_is_translated_too(text):
    told = translated(text, "zh")
    assert HAN.search(told)
    assert re.findall(r"[a-z]{2,} [a-z]{2,}", KEPT.sub("", told)) == []


@pytest.mark.parametrize(("english", "chinese"), [*catalogue().items(), *PHRASES.items()])
def test_an_entry_is_chinese_and_fills_the_same_gaps(english, chinese):
    assert sorted({name for name, _ in GAP.findall(english)}) == sorted({name for name, _ in GAP.findall(chinese)})
    assert HAN.search(chinese) or not is_sentence(GAP.sub(GIVEN, english))


def test_what_is_filled_in_stays_as_it_is():
    assert translated('no step "no step"', "zh") == '没有步骤 "no step"'
    assert translated("the file a list does not exist", "zh") == "文件 a list 不存在"


def test_phrases_within_a_sentence_are_translated_too():
    assert translated('white: image must be a list of files, not the text "a list"', "zh") == (
        'white：image 必须是文件列表，而不是文本 "a list"'
    )
    assert (
        translated("timeout must be a text or a list, not the number 5", "zh")
        == "timeout 必须是文本或列表，而不是数字 5"
    )


def test_sentences_in_a_row_are_translated_each():
    assert (
        translated('white has no input imag; did you mean "image"?', "zh")
        == 'white 没有输入字段 imag；是不是 "image"？'
    )
    assert (
        translated("images.url: is blank; images.url: is no file", "zh")
        == "images.url：是空白图片；images.url：不是文件"
    )


def test_the_place_in_a_file_stays_before_it():
    nowhere = "the results of says go nowhere: it has no save, and no output or other step uses it"
    assert translated(f"my shop.yaml:30:3: {nowhere}", "zh") == f"my shop.yaml:30:3: {translated(nowhere, 'zh')}"


def test_foreign_words_stay_as_they_came():
    for text in ("Emulator.Failed: the model said no", "[Errno 2] No such file or directory", "鞋 1.jpg", ""):
        assert translated(text, "zh") == text
    assert translated('no step "whte"', "en") == 'no step "whte"'


def invalid() -> Iterator[tuple[str, str]]:
    """Every message and hint that the wrong examples give."""
    from speedpix_pipe.app.request import SpecRequest
    from speedpix_pipe.settings import load_settings

    examples = Path(__file__).parents[2] / "examples" / "invalid"
    for spec in sorted(examples.rglob("*.yaml")):
        request = SpecRequest(spec, spec.parent, load_settings(None, {}))
        for problem in validate(request):
            yield spec.name, problem.message
            if problem.hint:
                yield spec.name, problem.hint


@pytest.mark.slow
def test_everything_that_the_wrong_examples_say_is_said_in_chinese():
    said = list(invalid())
    assert len(said) > 400
    assert [(spec, text) for spec, text in said if not HAN.search(translated(text, "zh"))] == []


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b"], ["a", "--nothing"], ["a", "--concurrency", "0"], ["a", "--grace"]]
)
def test_what_the_parser_says_is_said_in_chinese(arguments):
    from speedpix_pipe.cli import run
    from speedpix_pipe.errors import UsageError

    with pytest.raises(UsageError) as told:
        parser_of(run, "speedpix-pipe run").parse_args(arguments)
    assert HAN.search(translated(told.value.message, "zh")), told.value.message
    assert HAN.search(translated(told.value.hint or "", "zh")), told.value.hint


def test_json_stays_english(tmp_path, monkeypatch, capsys):
    from speedpix_pipe.cli import main

    monkeypatch.setenv("SPEEDPIX_LANG", "zh")
    (tmp_path / "x.yaml").write_text("apiVersion: speedpix-pipe/v1\nname: x\nsteps: {a: {workflw: w}}\n", "utf-8")
    main(["validate", str(tmp_path / "x.yaml"), "--json"])
    assert 'unknown key "workflw" in step a' in [problem["message"] for problem in json.loads(capsys.readouterr().out)]
