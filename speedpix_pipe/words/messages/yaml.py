"""What is wrong with a file before it is a spec."""

from __future__ import annotations

from collections.abc import Mapping

SAYINGS: Mapping[str, str] = {
    "<number> is too large a number": "<number> 这个数太大",
    "YAML cannot read this: <said>": "YAML 无法读取这里：<said>",
    "an expression inside { } or [ ] needs quotes": "{ } 或 [ ] 里的表达式要加引号",
    "an expression that contains `: ` needs quotes around the whole value": "含有 `: ` 的表达式要给整个值加引号",
    "a tab cannot indent in YAML": "YAML 不能用制表符缩进",
    "indent with spaces, two for each level": "请用空格缩进，每级两个",
    "<text> is read as a YAML alias, because it begins with *": "<text> 以 * 开头，被当成了 YAML 别名",
    'a pattern that begins with * needs quotes: "<text>"': '以 * 开头的模式要加引号："<text>"',
    "<sign> at the beginning of a value starts a block of text in YAML; `<rest>` cannot follow it": (
        "值开头的 <sign> 在 YAML 里表示文本块，后面不能跟 `<rest>`"
    ),
    'put the value in quotes, or write the left side too: "item.size <rest>"': (
        '给值加引号，或把左边也写上："item.size <rest>"'
    ),
    "<sign> at the beginning of a value starts a block of text in YAML, and it is empty": (
        "值开头的 <sign> 在 YAML 里表示文本块，而这个文本块是空的"
    ),
    "put the condition in quotes, and write its left side too": "给条件加引号，并把左边也写上",
    "a text that begins with <sign> needs quotes": "以 <sign> 开头的文本要加引号",
    "in double quotes a backslash begins an escape, and this is none": "双引号里的反斜杠表示转义，而这里不是有效的转义",
    "use single quotes, in which a backslash is only a backslash": "请用单引号，其中的反斜杠就是反斜杠",
    "a second `: ` on this line, or a line that is indented too far": "这一行有第二个 `: `，或缩进过多",
    "a text that contains `: ` needs quotes; the keys of one mapping stand in one column": (
        "含有 `: ` 的文本要加引号；同一个映射的键要对齐"
    ),
    "the quoted text ended just before this place, and nothing may follow it": (
        "引号里的文本到此已经结束，后面不能再跟内容"
    ),
    "this quote is never closed": "这个引号没有配对的结尾",
    "inside single quotes, a quote is written twice: 'it''s'": "单引号文本里的单引号要写两遍：'it''s'",
    'inside double quotes, a quote is written \\"': '双引号文本里的双引号写作 \\"',
    "after <sign>, a comma or <end> was expected here": "<sign> 之后，这里应当是逗号或 <end>",
    "this <sign> is never closed, or a comma is missing after it": "这个 <sign> 没有结尾，或后面缺逗号",
    "texts that contain , [ ] { } need quotes there": "那里的文本如果含有 , [ ] { } 就要加引号",
    "this line does not fit the indentation of the lines before it": "这一行的缩进与前面的行不一致",
    "the keys of one mapping, and the dashes of one list, stand in one column": "同一个映射的键、同一个列表的横线要对齐",
    "`<key>:` needs a space after its colon": "`<key>:` 的冒号后面要有空格",
    "`<text>` is neither a key with its value nor part of the value before it": (
        "`<text>` 既不是带值的键，也不属于前面的值"
    ),
    "a key ends in a colon and a space": "键以冒号加空格结尾",
    "this expression is cut off: ` #` begins a comment in YAML, and `}}` stands behind it": (
        "表达式被截断：` #` 在 YAML 里开始注释，`}}` 落在了注释里"
    ),
    "put the whole value in quotes": "给整个值加引号",
    "this file has more than <most> MiB, the most that a spec may have": "文件超过 <most> MiB，规格文件不能更大",
    "this file has <size>; a spec may have <most> MiB": "文件有 <size>，规格文件最大 <most> MiB",
    "keep long lists in a CSV or JSON file and take them in with ${{ read(file('rows.csv')) }}": (
        "把长列表放进 CSV 或 JSON 文件，用 ${{ read(file('rows.csv')) }} 读入"
    ),
    "byte 0x<byte> is not UTF-8; a spec is UTF-8 text": "字节 0x<byte> 不是 UTF-8；规格文件必须是 UTF-8 文本",
    "save the file as UTF-8": "请把文件存为 UTF-8",
    "<what*> cannot stand in a spec": "规格文件里不能有<what>",
    'write it as "\\u<code>", in double quotes, if it is meant': '如果确实需要，在双引号里写作 "\\u<code>"',
    "a second document begins here; a spec is one document": "这里开始了第二个文档；一个规格文件只能有一个文档",
    "<text> is not a finite number": "<text> 不是有限的数",
    "<text>... is too large a number": "<text>…… 这个数太大",
    'as a text it needs quotes: "<text>"': '要当作文本就加引号："<text>"',
    "<text> is read as the number <number>": "<text> 被读作数字 <number>",
    'to keep the zeros, make it a text: "<text>"': '要保留前面的零，写成文本："<text>"',
    "YAML tags such as <tag> are not allowed": "不允许 <tag> 这样的 YAML 标签",
    'a text that begins with "!" needs quotes': '以 "!" 开头的文本要加引号',
    "*<name> stands inside its own anchor": "*<name> 出现在它自己的锚点里面",
    "no anchor &<name> before this place": "前面没有锚点 &<name>",
    'a text that begins with "*" needs quotes: "*<name>"': '以 "*" 开头的文本要加引号："*<name>"',
    "values are nested more than <most> deep here": "这里的嵌套超过 <most> 层",
    "a spec may have <most> values, and here are more": "规格文件最多 <most> 个值，这里超过了",
    "with this alias written out, the spec has more than <most> values": "展开这个别名后，规格文件超过 <most> 个值",
    "repeat less: an alias to a list of aliases multiplies": "减少重复：别名指向别名列表会成倍增长",
    "an empty key names nothing": "空的键没有意义",
    "a key must be a text": "键必须是文本",
    "the key <key> is no text": "键 <key> 不是文本",
    'put it in quotes: "<key>"': '加上引号："<key>"',
    '"<key>" stands twice in this mapping; first on line <line>': '"<key>" 在这个映射里出现两次，第一次在第 <line> 行',
    "only one of them can count: remove or rename the other": "只能有一个生效：请删去或改名另一个",
    "<< merges mappings, and this is none": "<< 用来合并映射，而这里不是映射",
    "write `<<: *name`, where &name stands at a mapping": "写 `<<: *name`，并且 &name 标在一个映射上",
}
