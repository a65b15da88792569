"""What is wrong with a spec: its keys, its names, how its steps hang together."""

from __future__ import annotations

from collections.abc import Mapping

SAYINGS: Mapping[str, str] = {
    "<name> runs <count> times, and validate looked at the first <most>": "<name> 要运行 <count> 次，validate 只检查了前 <most> 个",
    "plan and run look at all of it": "plan 和 run 会全部检查",
    "this spec takes long to evaluate, and a part of it only was looked at": "这个规格文件计算很久，只检查了其中一部分",
    "what <step> saves here would be found by <what>, and be its input next time": (
        "<step> 保存在这里的文件会被 <what> 找到，下次变成它的输入"
    ),
    "`expect` of <place> must be a mapping such as {min_width: 1024}": "<place> 的 `expect` 必须是映射，例如 {min_width: 1024}",
    "there are <names>": "可用的有 <names>",
    "`<low>` <least> is above `<high>` <most>": "`<low>` <least> 大于 `<high>` <most>",
    # image steps
    "`<name>` <what*>": "`<name>` <what>",
    "<operation>: `<name>` <what*>": "<operation>：`<name>` <what>",
    "must be a whole number from <least> to <most>": "必须是 <least> 到 <most> 的整数",
    "must be a number from <least> to <most>": "必须是 <least> 到 <most> 的数字",
    "must be a share such as 5%": "必须是比例，例如 5%",
    "must be a colour such as white, '#f4f4f4', rgb(240, 240, 240) or transparent": (
        "必须是颜色，例如 white、'#f4f4f4'、rgb(240, 240, 240) 或 transparent"
    ),
    "must be a list of <count>": "必须是 <count> 个元素的列表",
    "must be one of <names>": "必须是 <names> 之一",
    "must be <what*>": "必须是<what>",
    "the operations are <names>": "可用的操作有 <names>",
    "<operation> takes no options": "<operation> 没有选项",
    "<operation> takes <names>": "<operation> 的选项有 <names>",
    # the file
    "the file is empty": "文件是空的",
    "a spec begins with `apiVersion: speedpix-pipe/v1`": "规格文件以 `apiVersion: speedpix-pipe/v1` 开头",
    "a spec is a mapping, not <what*>": "规格文件必须是映射，而这里是<what>",
    "this is a folder, not a spec": "这是文件夹，不是规格文件",
    "there is no such file": "没有这个文件",
    "the file cannot be read": "文件无法读取",
    "the file cannot be read: <why>": "文件无法读取：<why>",
    "<path> cannot be a path": "<path> 不能作为路径",
    "the pipeline <path> cannot be read": "无法读取流水线 <path>",
    "cycle of pipelines: <names>": "流水线互相包含：<names>",
    "pipelines are nested more than <most> deep here": "这里的流水线嵌套超过 <most> 层",
    "steps has <count> entries; a spec may have <most>": "steps 有 <count> 项，规格文件最多 <most> 项",
    "one step can run for many items: for_each": "一个步骤可以处理许多条目：for_each",
    # keys
    'unknown key "<key>"': '未知的键 "<key>"',
    'unknown key "<key>" in step <where>': '步骤 <where> 里有未知的键 "<key>"',
    'unknown key "<key>" in param <where>': '参数 <where> 里有未知的键 "<key>"',
    'unknown key "<key>" in workflow <where>': '工作流 <where> 里有未知的键 "<key>"',
    'unknown key "<key>" in <where>': '<where> 里有未知的键 "<key>"',
    "known keys: <keys>": "可用的键：<keys>",
    "<key> belongs into a step, below `steps:`": "<key> 要写在 `steps:` 下面的步骤里",
    "keys for YAML anchors begin with x-": "存放 YAML 锚点的键以 x- 开头",
    "<key> stands at the top level of the file": "<key> 要写在文件的最外层",
    "<key> belongs into `limits:` at the top level": "<key> 要写在最外层的 `limits:` 里",
    "<key> is missing": "缺少 <key>",
    "<key> is missing in step <where>": "步骤 <where> 缺少 <key>",
    "<key> is missing in param <where>": "参数 <where> 缺少 <key>",
    "<key> is missing in workflow <where>": "工作流 <where> 缺少 <key>",
    "<key> is missing in <where>": "<where> 缺少 <key>",
    "add `<text>`": "加上 `<text>`",
    "alias and version are both given; one of them decides which release is called": (
        "alias 和 version 同时给出；只能由其中一个决定调用哪个版本"
    ),
    "keep version to pin the release, or alias to follow it": "要固定版本就留 version，要跟随更新就留 alias",
    "step <step> has <kinds>; a step has exactly one of workflow, pipeline and image": (
        "步骤 <step> 同时有 <kinds>；一个步骤只能有 workflow、pipeline、image 之一"
    ),
    "make two steps of it, the second chained with `for_each: ${{ steps.FIRST }}`": (
        "拆成两个步骤，第二个用 `for_each: ${{ steps.FIRST }}` 接在后面"
    ),
    "step <step> has none of workflow, pipeline and image; it needs exactly one": (
        "步骤 <step> 没有 workflow、pipeline、image；必须有其中一个"
    ),
    "add `workflow: NAME`, the workflow that the step calls": "加上 `workflow: NAME`，即这个步骤调用的工作流",
    '"<name>" cannot be <what*>: names have letters of any script, digits and _, and begin with no digit': (
        '"<name>" 不能作为<what>：名称只能有各种文字的字母、数字和 _，并且不能以数字开头'
    ),
    '"<name>" cannot be <what*>: names have letters, digits, _ - and .': (
        '"<name>" 不能作为<what>：名称只能有字母、数字、_、- 和 .'
    ),
    "call it <name>": "可以叫 <name>",
    "<field> of <step> stands in its entry in workflows, and may not be given again": (
        "<step> 的 <field> 已写在 workflows 里，不能再次给出"
    ),
    "change it on line <line>, or name the id itself": "请改第 <line> 行，或直接写 id",
    "<field> is for steps that call a workflow, not for <kind> steps": "<field> 只用于调用工作流的步骤，不用于 <kind> 步骤",
    "for_each must be a list or one expression; text around an expression makes a text": (
        "for_each 必须是列表或单独一个表达式；表达式旁边有文字就成了文本"
    ),
    "matrix.<axis> must be a list or one expression; text around an expression makes a text": (
        "matrix.<axis> 必须是列表或单独一个表达式；表达式旁边有文字就成了文本"
    ),
    "let the expression stand alone: ${{ ... }}": "让表达式单独成为整个值：${{ ... }}",
    'for_each must be a list or an expression, not the text "<text>"': 'for_each 必须是列表或表达式，不能是文本 "<text>"',
    "write <text>": "写 <text>",
    "write `<text>`": "写 `<text>`",
    "for example `<text>`": "例如 `<text>`",
    "for a list of one, write <text>": "只有一个元素的列表写作 <text>",
    "<operation> needs options": "<operation> 需要选项",
    "write <seconds>s for seconds, <minutes>m for minutes": "秒写作 <seconds>s，分钟写作 <minutes>m",
    "write <rate>/s for so many a second": "每秒这么多写作 <rate>/s",
    "leave it out: a param without a default must be given": "请去掉：没有 default 的参数本来就必须给出",
    "make an element of each": "每个操作写成列表的一项",
    "remove one of them": "请去掉一个",
    'did you mean "<name>"?': '是不是 "<name>"？',
    # steps and how they hang together
    'no step "<step>"': '没有步骤 "<step>"',
    "the steps are: <steps>": "现有步骤：<steps>",
    "there is no step at all": "一个步骤也没有",
    "mend what is wrong, and look again": "请先更正错误，再检查一次",
    "cycle: <steps>": "循环依赖：<steps>",
    'axis "<axis>" is already inherited from <step>': '矩阵轴 "<axis>" 已经从 <step> 继承而来',
    "give this one another name": "请换个名称",
    "for_each refers to one task of <a> and to one of <b>, but <c> does not have all fan-outs of <d>": (
        "for_each 同时引用 <a> 的一个任务和 <b> 的一个任务，但 <c> 没有 <d> 的全部展开"
    ),
    "use steps.<step>.<name>": "请用 steps.<step>.<name>",
    "use steps.<step>.<name> there": "那里请用 steps.<step>.<name>",
    "steps.<path>: <step> runs for each of <fan_out>, which <other> does not share; use steps.<instead> for <all*>": (
        "steps.<path>：<step> 按 <fan_out> 逐个运行，而 <other> 没有这个展开；要取<all>请用 steps.<instead>"
    ),
    (
        "steps.<path>: <step> runs for each of <fan_out>, which <other> does not share; use steps.<instead> for "
        "<all*>, or chain <follower> with `for_each: ${{ steps.<origin> }}`"
    ): (
        "steps.<path>：<step> 按 <fan_out> 逐个运行，而 <other> 没有这个展开；要取<all>请用 steps.<instead>，"
        "或用 `for_each: ${{ steps.<origin> }}` 把 <follower> 接在后面"
    ),
    "there is no `<name>` inside for_each": "for_each 里没有 `<name>`",
    "`<name>` outside a fan-out: <step> has no for_each": "`<name>` 不在展开里：<step> 没有 for_each",
    "`<name>` outside a fan-out: outputs have none": "`<name>` 不在展开里：outputs 没有展开",
    "give the step a for_each": "给步骤加上 for_each",
    "an axis cannot use the axes beside it": "矩阵轴不能使用旁边的轴",
    "a key cannot use the step's own axes: they are part of it anyway": "key 不能使用步骤自己的矩阵轴：它们本来就是任务名的一部分",
    "`matrix` without a matrix: <step> has none": "没有矩阵却用了 `matrix`：<step> 没有 matrix",
    "give the step a matrix": "给步骤加上 matrix",
    'no axis "<axis>"': '没有矩阵轴 "<axis>"',
    "the axes are: <axes>": "现有矩阵轴：<axes>",
    "for_each needs a list, this is <what*>": "for_each 需要列表，而这里是<what>",
    "a fan-out has at most <most> tasks, <step> would have more": "一个展开最多 <most> 个任务，<step> 会超过",
    "a key is a text, a number or a boolean, this is <what*>": "key 必须是文本、数字或布尔值，而这里是<what>",
    "element <number> is <what*> and gives no key": "第 <number> 个元素是<what>，得不出任务名",
    "give the step a `key:`, or the objects a `name`": "给步骤加上 `key:`，或给对象加上 `name`",
    'elements <first> and <second> have the same key "<key>"': '第 <first> 个和第 <second> 个元素的任务名相同："<key>"',
    "give the step a `key:` that tells them apart": "给步骤加上能区分它们的 `key:`",
    'matrix axis "<axis>" needs a list, this is <what*>': '矩阵轴 "<axis>" 需要列表，而这里是<what>',
    'element <number> of axis "<axis>" is <what*> and gives no key': '矩阵轴 "<axis>" 的第 <number> 个元素是<what>，得不出任务名',
    "use texts, numbers, or objects with a `name`": "请用文本、数字，或带 `name` 的对象",
    'elements <first> and <second> of axis "<axis>" have the same key "<key>"': (
        '矩阵轴 "<axis>" 的第 <first> 个和第 <second> 个元素的任务名相同："<key>"'
    ),
    "leave one of them out": "请去掉一个",
    'two tasks of <step> have the key "<key>"': '<step> 有两个任务的任务名都是 "<key>"',
    "the results of <step> go nowhere: it has no save, and no output or other step uses it": (
        "<step> 的结果没有去处：没有 save，也没有 outputs 或其他步骤使用它"
    ),
    "add `save:`, or name it in `outputs`": "加上 `save:`，或写进 `outputs`",
    "no input of <step> uses <what*>: tasks that differ only there send the same": (
        "<step> 的 input 没有用到 <what>：只在这里不同的任务会发送相同的内容"
    ),
    "<owner>: alias <alias> may move on, and cached results of the old version would be used again": (
        "<owner>：alias <alias> 可能指向新版本，而旧版本的缓存结果仍会被使用"
    ),
    "pin `version:`, or let results age with `cache: {max_age: 7d}`": "用 `version:` 固定版本，或用 `cache: {max_age: 7d}` 让结果过期",
    # names in expressions
    'no param "<name>"': '没有参数 "<name>"',
    'watch.param: no param "<name>"': 'watch.param：没有参数 "<name>"',
    "declare it: `<text>`": "请声明：`<text>`",
    "watch.param must be a param of type files or file; <name> is <type>": (
        "watch.param 必须是 files 或 file 类型的参数；<name> 是 <type>"
    ),
    "declare <name> with `type: files`": "请把 <name> 声明为 `type: files`",
    "a list of files is `type: files`": "文件列表写作 `type: files`",
    "<name> is a credential, which expressions cannot read": "<name> 是凭证，表达式不能读取",
    "take it out; the client reads it by itself": "请去掉它；客户端会自己读取",
    "the environment variable <name> is not listed in env": "env 里没有列出环境变量 <name>",
    "list it: `<text>`": "请列出：`<text>`",
    "<owner> has no <name>": "<owner> 没有 <name>",
    "run has <names*>": "run 有 <names>",
    "git has <names*>": "git 有 <names>",
    "<name> exists only in `save`, where the result is known": "<name> 只在 `save` 里可用，因为那时才知道结果",
    "no expression uses params.<name>": "没有表达式用到 params.<name>",
    # inputs
    '<owner> has no input "<name>"': '<owner> 没有输入字段 "<name>"',
    "its inputs: <names>": "它的输入字段：<names>",
    "its contract lists no input at all": "它的约定里没有任何输入字段",
    "<owner> needs the input <name>": "<owner> 需要输入字段 <name>",
    "add `<name>:` to the step's input": "在步骤的 input 里加上 `<name>:`",
    "an image step needs the input image, or images": "image 步骤需要输入字段 image 或 images",
    'an image step has no input "<name>"': 'image 步骤没有输入字段 "<name>"',
    "it takes image or images": "它接受 image 或 images",
    "an image step takes image or images, and here are both": "image 步骤接受 image 或 images，而这里两个都有",
    "put all pictures into images": "请把所有图片放进 images",
    "an image step works on files, not on <what*>": "image 步骤处理文件，不处理<what>",
    "name a file, or use steps.X.file, steps.X.files or file('...')": (
        "请写出文件，或用 steps.X.file、steps.X.files 或 file('...')"
    ),
    # outputs
    'there is no output "<name>"': '没有输出 "<name>"',
    '<owner> has no output "<name>"': '<owner> 没有输出 "<name>"',
    "its outputs: <names>": "它的输出：<names>",
    "it promises no output": "它没有承诺任何输出",
    "a task has <names>": "任务有 <names>",
    "take one of them, steps.<step>.<name>[0], or of each `<filter>`": (
        "取其中一个：steps.<step>.<name>[0]，或从每一个取：`<filter>`"
    ),
    "take one of its elements, <name>[0], or of each `<filter>`": "取它的一个元素：<name>[0]，或从每一个取：`<filter>`",
    "<what> must be <kind*>; <given> is <other*>": "<what> 必须是<kind>；<given> 是<other>",
    "<name> alone chains a step, as the whole of for_each; it is no value": (
        "单独的 <name> 用来接续步骤，只能作为整个 for_each；它不是值"
    ),
    "write <step>.output, or <other>.outputs for all its tasks": "请写 <step>.output，要取它的全部任务写 <other>.outputs",
    "the file <path> does not exist": "文件 <path> 不存在",
    "the file <path> is a folder, not a file": "<path> 是文件夹，不是文件",
    "the file <path> cannot be found": "找不到文件 <path>",
    "the file <path> is a device or a pipe": "<path> 是设备或管道，不是文件",
    "<path> is a device or a pipe, not a file": "<path> 是设备或管道，不是文件",
    "`<path>` is <what*>; read() takes a file": "`<path>` 是<what>；read() 要的是文件",
    "<path> is <what*>; a pipeline is a YAML file": "<path> 是<what>；流程应当是 YAML 文件",
    "there is no folder <name> either": "也没有文件夹 <name>",
    "write ${{ glob('<text>') }} for a pattern, or [<text>] for one file": (
        "模式写作 ${{ glob('<text>') }}，单个文件写作 [<text>]"
    ),
    "to send it as a text: ${{ '<text>' }}": "要作为文本发送：${{ '<text>' }}",
    "an expression that stands alone keeps its type: ${{ ... }}": "单独成为整个值的表达式保持自己的类型：${{ ... }}",
    "timeout must be more than 0": "timeout 必须大于 0",
    "rate must be more than 0": "rate 必须大于 0",
    "<what*>: its JSON Schema is not valid: <why>": "<what>：JSON Schema 无效：<why>",
    # what is saved
    "<task> saves to <path> too": "<task> 也保存到 <path>",
    "two rules of `save` mean <path>": "`save` 的两条规则指向同一个 <path>",
    "two files of the output mean <path>": "输出里的两个文件指向同一个 <path>",
    "put item.stem, matrix or n into the path": "请在路径里加上 item.stem、matrix 或 n",
    "a path is a text": "路径必须是文本",
    "the path `<path>` has a part `<part>`": "路径 `<path>` 里有 `<part>`",
    "the path `<path>` begins with `<sign>`": "路径 `<path>` 以 `<sign>` 开头",
    "the path `<path>` has nothing before its extension": "路径 `<path>` 的扩展名前面没有名称",
    "a value in it is empty: `default('name', true)` replaces it": "其中有一个值是空的：可以用 `default('name', true)` 代替",
    "the path `<path>` <why*>": "路径 `<path>` <why>",
    "values in a `save` path must make plain names; try the filter `slug`": (
        "`save` 路径里的值必须得出普通的名称；可以试试过滤器 `slug`"
    ),
    "what <step> saves here would be found by the spec's own pattern <pattern>, and be its input next time": (
        "<step> 保存在这里的文件会被规格文件自己的模式 <pattern> 找到，下次就成了输入"
    ),
    "save to another folder, or narrow the pattern": "请保存到别的文件夹，或缩小模式的范围",
    "save to another folder": "请保存到别的文件夹",
}
