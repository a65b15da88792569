"""From `init` to `doctor` in Chinese: what is said, and names, captions and prompts in Chinese everywhere."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from speedpix_pipe.cli import main

pytestmark = pytest.mark.slow

SPEC = """\
apiVersion: speedpix-pipe/v1
name: 商品图
params:
  照片: {type: files, default: "照片/*.jpg"}
  标题: {type: string, default: 阿里云}
  风格: {type: array, default: [影棚, 海滩]}
workflows:
  白底: {id: white-background, input: {image: {type: file, required: true}, text: {type: string}}, price: 0.12}
steps:
  白底图:
    workflow: 白底
    for_each: ${{ params.照片 }}
    input: {image: "${{ item }}", text: "${{ params.标题 }}"}
    save: 结果/白底/${{ item.stem }}.${{ ext }}
  风格图:
    workflow: relight
    for_each: ${{ steps.白底图 }}
    matrix: {风格: "${{ params.风格 }}"}
    input: {image: "${{ steps.白底图.file }}", prompt: "${{ matrix.风格 }}，柔和的光", seed: 7}
    save: 结果/${{ matrix.风格 }}/${{ item.stem }}.${{ ext }}
"""
# Three English words in a row that are no command, no path and no address
ENGLISH = re.compile(r"(?<![\w/.@-])[a-z]{2,} [a-z]{2,} [a-z]{2,}(?![\w/.@-])")
COMMAND = re.compile(r"(speedpix-pipe|cd|pip|timedatectl|sysctl|ulimit)( [^\s，。；、`]+)+|`[^`]*`|https?://\S+")


@pytest.fixture
def speak(monkeypatch, capsys):
    """Runs a command in Chinese; what it says to people is given back, and is Chinese."""
    monkeypatch.setenv("SPEEDPIX_LANG", "zh")

    def say(*command, code=0):
        assert main(list(command)) == code
        said = capsys.readouterr()
        text = said.out + said.err
        ours = COMMAND.sub("", text)
        assert ENGLISH.findall(ours) == [], text
        return text

    return say


@pytest.fixture
def shop(speak, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = speak("init", "店铺")
    assert "写入" in told
    assert "下一步：" in told
    folder = tmp_path / "店铺"
    (folder / "照片").mkdir()
    for photo, name in zip(sorted((folder / "inbox").iterdir()), ("新品 一.jpg", "新品 二.jpg"), strict=False):
        shutil.move(photo, folder / "照片" / name)
    (folder / "商品.yaml").write_text(SPEC, "utf-8")
    monkeypatch.chdir(folder)
    return folder


def test_a_day_in_chinese(speak, shop):
    assert speak("validate", "商品.yaml") == ""
    planned = speak("plan", "商品.yaml", "--local")
    assert "商品图: 要运行 2 个任务，之后最多还有 4 个等待它们的任务" in planned
    ran = speak("run", "商品.yaml", "--local")
    assert "商品图 成功" in ran
    assert sorted(str(path.relative_to(shop / "结果")) for path in (shop / "结果").rglob("*.jpg"))[:1] != []
    assert "6 个成功" in speak("runs", "list")
    assert "花费 0.24" in speak("runs", "show")
    again = speak("runs", "redo", "风格图@*海滩", "--new-seed")
    assert "2 个成功" in again
    page = json.dumps(speak("report"))
    assert ".html" in page
    assert "种子" in speak("runs", "why", "风格图@照片/新品 一.jpg,风格=海滩")
    assert "没有运行" not in speak("runs", "show", "--unknown")
    assert "保留" in speak("runs", "prune")


def test_doctor_in_chinese(speak, shop, monkeypatch):
    monkeypatch.setenv("SPEEDPIX_ENDPOINT", "http://127.0.0.1:9")
    told = speak("doctor", code=3)
    assert "无法连接" in told
    assert "没有设置 SPEEDPIX_APP_KEY 和 SPEEDPIX_APP_SECRET" in told


MISTAKES = [
    (("run",), {}, "缺少参数：SPEC"),
    (("rnu", "商品.yaml"), {}, '是不是 "run"？'),
    (("run", "商品.yaml", "--locla"), {}, "不认识的参数：--locla"),
    (("run", "没有.yaml", "--local"), {}, "没有这个文件"),
    (("run", "商品.yaml"), {}, "没有设置 SPEEDPIX_APP_KEY"),
    (("validate", "商品.yaml"), {"steps.白底图 }}": "steps.白底 }}"}, '是不是 "白底图"？'),
    (("validate", "商品.yaml"), {'image: "${{ item }}"': 'imgae: "${{ item }}"'}, '没有输入字段 "imgae"'),
    (("validate", "商品.yaml"), {"for_each: ${{ params.照片": "for-each: ${{ params.照片"}, '未知的键 "for-each"'),
    (("validate", "商品.yaml"), {'${{ item }}", text': '${{ item ", text'}, "有 `${{` 而没有 `}}`"),
    (("validate", "商品.yaml"), {"照片/*.jpg": "相片/*.jpg"}, "没有匹配到文件"),
    (("validate", "商品.yaml"), {"seed: 7}": "seed: 7} extra"}, "缩进"),
    (("runs", "show", "1999"), {}, "没有 .speedpix 文件夹"),
    (("runs", "redo"), {}, "没有 .speedpix 文件夹"),
    (("watch", "商品.yaml", "--local"), {}, "没有 `watch` 部分"),
    (("plan", "商品.yaml", "--local", "-p", "标题"), {}, "没有值"),
]


@pytest.mark.parametrize(("command", "edits", "words"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_explained_in_chinese(speak, shop, command, edits, words):
    text = SPEC
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new)
    (shop / "商品.yaml").write_text(text, "utf-8")
    code = 3 if words.startswith("没有设置") else 2
    told = speak(*command, code=code)
    assert words.replace(" ", "") in re.sub(r"\s+", "", told)


def test_failures_are_told_in_chinese_where_the_words_are_ours(speak, shop):
    text = SPEC.replace("    save: 结果/白底", "    expect: {images: {min_width: 9000}}\n    save: 结果/白底")
    (shop / "商品.yaml").write_text(text, "utf-8")
    told = speak("run", "商品.yaml", "--local", code=1)
    assert "至少应为 9000（工作流）" in told
    assert "白底图@照片/新品 一.jpg" in told
    page = (shop / speak("report").strip()).read_text("utf-8")
    assert "\\u81f3\\u5c11\\u5e94\\u4e3a 9000" in page  # the same, inside the page's JSON
