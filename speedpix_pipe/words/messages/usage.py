"""What is wrong with a command line, and what commands are asked for that is not there."""

from __future__ import annotations

from collections.abc import Mapping

SAYINGS: Mapping[str, str] = {
    "<spec> is being run by process <pid> on <host>: run <run>, started <time>": (
        "<spec> 正由 <host> 上的进程 <pid> 运行：运行 <run>，开始于 <time>"
    ),
    "<spec> is being run by another process, which is just starting": "<spec> 正由另一个刚启动的进程运行",
    "there are no case files below it": "它下面没有用例文件",
    "cannot write <path>: <why>": "无法写入 <path>：<why>",
    "cannot read <path>: it is not UTF-8": "无法读取 <path>：不是 UTF-8",
    "nothing can be saved to <place>: <why>": "无法保存到 <place>：<why>",
    "make it, or correct the `save`": "请创建它，或更正 `save`",
    "<name> must be a folder on this machine's disk, not a URL: locks and the journal need one": (
        "<name> 必须是本机磁盘上的文件夹，不能是 URL：锁和日志需要它"
    ),
    "name a local folder; what a spec saves may go to s3:// all the same": (
        "请写本机的文件夹；规格文件的成品仍然可以保存到 s3://"
    ),
    "write s3://BUCKET/... and let expressions give what follows": "请写 s3://BUCKET/…，后面的部分由表达式给出",
    "<what> must be a folder on this machine's file system, not a URL: hot folders are file systems only": (
        "<what> 必须是本机文件系统里的文件夹，不能是 URL：热文件夹只能在文件系统上"
    ),
    "<path> is a folder, not a pipeline": "<path> 是文件夹，不是流程",
    # the parser's own words
    "the following arguments are required: <names>": "缺少参数：<names>",
    "unrecognized arguments: <names>": "不认识的参数：<names>",
    "argument <name>: expected one argument": "<name> 后面要跟一个值",
    "argument <name>: expected at least one argument": "<name> 后面至少要跟一个值",
    "argument <name>: invalid choice: <value> (choose from <choices>)": "<name>：不能是 <value>（可选 <choices>）",
    "argument <name>: not allowed with argument <other>": "<name> 不能与 <other> 同用",
    "argument <name>: invalid <type> value: <value>": "<name>：<value> 不是有效的 <type> 值",
    "argument <name>: <why*>": "<name>：<why>",
    "see <program> --help": "参见 <program> --help",
    "SPEC is a pipeline's YAML file; `speedpix-pipe init` writes one": "SPEC 是流水线的 YAML 文件；`speedpix-pipe init` 可以生成一个",
    "SPEC is a pipeline's YAML file; here there are: <names>": "SPEC 是流水线的 YAML 文件；这里有：<names>",
    '"<text>" is no duration; write a number and its unit, such as 8s or 1m30s': (
        '"<text>" 不是时长；请写数字加单位，例如 8s 或 1m30s'
    ),
    '"<text>" is no whole number from 1 on': '"<text>" 不是从 1 开始的整数',
    '"<text>" is no port': '"<text>" 不是端口号',
    '"<text>" is no number of seconds': '"<text>" 不是秒数',
    '"<text>" is no size; write 500MB or 2GiB': '"<text>" 不是大小；请写 500MB 或 2GiB',
    'no <kind*> "<name>"': '没有<kind> "<name>"',
    '"<name>" is no command': '"<name>" 不是命令',
    "to run it: <program> run <name>": "要运行它：<program> run <name>",
    "the commands of <program> are: <names>": "<program> 的命令有：<names>",
    # runs and their tasks
    "no .speedpix folder in <folder> or above it": "<folder> 和它的上级都没有 .speedpix 文件夹",
    "go to the folder of a pipeline that has run, or set SPEEDPIX_STATE_DIR": (
        "请到运行过流水线的文件夹去，或设置 SPEEDPIX_STATE_DIR"
    ),
    'no run "<run>"': '没有运行 "<run>"',
    "`speedpix-pipe runs list` shows the runs of this folder": "`speedpix-pipe runs list` 列出这个文件夹的运行",
    '"<run>" begins the ids of several runs, such as <a> and <b>': '有几次运行的编号都以 "<run>" 开头，例如 <a> 和 <b>',
    "there is no run yet in this state folder": "这个状态文件夹里还没有运行",
    "`speedpix-pipe run SPEC --local` makes one, without an account": "`speedpix-pipe run SPEC --local` 可以运行一次，不需要账号",
    "run <run> has ended: <status*>": "运行 <run> 已经结束：<status>",
    'run <run> has no step "<step>"': '运行 <run> 没有步骤 "<step>"',
    'run <run> has no task "<task>"': '运行 <run> 没有任务 "<task>"',
    "its steps are: <steps>": "它的步骤：<steps>",
    "such as <task>": "例如 <task>",
    '"<task>" fits <count> tasks: <names>': '"<task>" 符合 <count> 个任务：<names>',
    '"<task>" means <count> tasks, such as <names>': '"<task>" 指 <count> 个任务，例如 <names>',
    "write the whole key, or a pattern with * for all of them": "请写完整的任务名，要全部就用带 * 的模式",
    "write the whole key, or '<pattern>' for all of them": "请写完整的任务名，要全部就写 '<pattern>'",
    'no task "<task>"': '没有任务 "<task>"',
    "its keys are: <keys>": "它的任务名有：<keys>",
    '"<text>" is no task': '"<text>" 不是任务',
    "tasks are written STEP@KEY; `STEP@*` is all of a step": "任务写作 STEP@KEY；`STEP@*` 表示一个步骤的全部任务",
    "tasks are written STEP@KEY": "任务写作 STEP@KEY",
    "no task of run <run> is <words*>": "运行 <run> 没有<words>的任务",
    "which tasks? give --failed, --unknown, --from-file or STEP@KEY": (
        "重做哪些任务？请给出 --failed、--unknown、--from-file 或 STEP@KEY"
    ),
    "`speedpix-pipe runs show <run>` lists what failed": "`speedpix-pipe runs show <run>` 列出失败的任务",
    "--unknown sends the same again, so it goes with no other seed": "--unknown 会原样再次发送，不能同时换种子",
    "--rest goes on with a redo as it was asked for, so it goes with nothing else": (
        "--rest 按原来的要求继续重做，不能和别的选项一起用"
    ),
    "run <run> is no redo": "运行 <run> 不是重做",
    "--rest goes on with a redo; `run SPEC --resume` with a run": (
        "--rest 用来继续重做；继续一次运行请用 `run SPEC --resume`"
    ),
    "run <run> has done all that it was asked for": "运行 <run> 已完成要求的全部任务",
    "name the tasks instead: STEP@KEY --new-seed": "请改为写出任务：STEP@KEY --new-seed",
    "a new seed and the one that the spec says: only one of them can be had": "新种子和规格文件里的种子只能选一个",
    "cannot read <path>: there is no such file": "无法读取 <path>：没有这个文件",
    "cannot read <path>: <why>": "无法读取 <path>：<why>",
    "the gallery's list is where your browser saves files, such as ~/Downloads": (
        "图库保存的列表在浏览器的下载文件夹里，例如 ~/Downloads"
    ),
    "run <run> took files from <folder>, which is not watched any more": "运行 <run> 的文件来自 <folder>，而它已不再被监视",
    "the files of run <run> lie nowhere any more, or are not what they were": "运行 <run> 的文件已经不在了，或已被改动",
    "put them into <folder> again: what had succeeded is not paid for twice": (
        "请把它们再放进 <folder>：已经成功的不会重复付费"
    ),
    "nothing of this spec with these params is left to resume: this is a new run": (
        "这个规格文件和这些参数没有可以继续的运行：这是一次新的运行"
    ),
    # init, ui, diff, test, predict, emulator, executors
    "<path> cannot be written: <why>": "无法写入 <path>：<why>",
    "name another folder: speedpix-pipe init DIR": "请换一个文件夹：speedpix-pipe init DIR",
    "the live page needs <package>": "实时页面需要 <package>",
    "it did not begin": "没有开始",
    "port <port> cannot be used: <why>": "不能使用端口 <port>：<why>",
    "diff compares two states: give --rev once or twice": "diff 比较两个状态：请给出一个或两个 --rev",
    'no case has "<text>" in its name': '没有名称包含 "<text>" 的用例',
    "<path> has no cases: there is <what>": "<path> 没有用例：那里是 <what>",
    "docs/testing.md shows how a case is written": "用例的写法见 docs/testing.md",
    "there is no spec <path>": "没有规格文件 <path>",
    "<path>: there is no spec of that name beside it": "<path>：旁边没有同名的规格文件",
    "name the file after its spec, or say `spec: ./NAME.yaml` in it": "请按规格文件的名称命名，或在里面写 `spec: ./NAME.yaml`",
    '<place>: no step calls a workflow "<name>"': '<place>：没有步骤调用工作流 "<name>"',
    "the spec calls <names*>": "规格文件调用了 <names>",
    "no rule of the case fits this input: <input>": "用例里没有符合这个输入的规则：<input>",
    "<place>: copy: <why*>": "<place>：copy：<why>",
    "<place>: files: <why*>": "<place>：files：<why>",
    "<place>: files: <path> is no file": "<place>：files：<path> 不是文件",
    '-i <text>: write NAME=VALUE, such as -i prompt="a red chair"': '-i <text>：请写 NAME=VALUE，例如 -i prompt="a red chair"',
    "-i <name>: there is no file <path>": "-i <name>：没有文件 <path>",
    'no executor "<name>"': '没有执行方式 "<name>"',
    "there is <names*>": "可用的有 <names>",
    "--executor <name> needs a scheduler": "--executor <name> 需要调度器",
    "give the address of a running one: --scheduler tcp://HOST:8786": "请给出正在运行的调度器地址：--scheduler tcp://HOST:8786",
    "add --executor dask, or leave --scheduler out": "请加上 --executor dask，或去掉 --scheduler",
    "--scheduler is not for --executor <name>": "--scheduler 不用于 --executor <name>",
    # git
    "<rev> is no revision of this repository": "<rev> 不是这个仓库的版本",
    "give a commit, branch or tag, as `git log` shows them; HEAD~1 is the one before the last": (
        "请给出提交、分支或标签，如 `git log` 所示；HEAD~1 是上一个提交"
    ),
    "<path> does not exist at <rev>": "<rev> 里没有 <path>",
    "see its history: git log --oneline -- <path>": "查看它的历史：git log --oneline -- <path>",
    "<path> is outside its repository": "<path> 在仓库之外",
    "<path> is not in a git repository (or git is not installed)": "<path> 不在 git 仓库里（或没有安装 git）",
    "--rev reads the spec from git; leave it out to use the file as it is": (
        "--rev 从 git 读取规格文件；去掉它就用现在的文件"
    ),
    # settings
    "<path> is larger than 1 MiB, that is no .env file": "<path> 超过 1 MiB，不是 .env 文件",
    "<path> cannot be read: <why>": "无法读取 <path>：<why>",
    "<path>:<line>: a line is NAME=value, or a comment after #": "<path>:<line>：每行是 NAME=value，或 # 开头的注释",
    "<path>:<line>: text after the closing quote": "<path>:<line>：结尾引号之后还有文字",
    "<path>:<line>: the quote is never closed": "<path>:<line>：引号没有配对的结尾",
    "<names*> not set": "没有设置 <names>",
    "set them in the environment or in a .env file beside the spec; --local needs no account": (
        "请在环境变量里或规格文件旁的 .env 文件里设置；--local 不需要账号"
    ),
    "env: <name> is a credential and cannot be read by expressions": "env：<name> 是凭证，表达式不能读取",
    "take <name> out of the spec's env list; the client reads it by itself": "请从规格文件的 env 里去掉 <name>；程序自己会读取它",
    "<name> must look like https://host or https://host/prefix, with no user or password in it": (
        "<name> 应当像 https://host 或 https://host/prefix，里面不能有用户名或密码"
    ),
    "<name> is plain http, which is for this machine only; use https": "<name> 是 http，只能用于本机；请用 https",
    "without <name> it is the public one": "不设置 <name> 就使用公共地址",
    "limits.max_predictions is <most>, and this run would make <count>": (
        "limits.max_predictions 是 <most>，而这次运行要调用 <count> 次"
    ),
    "limits.max_cost is <most>, and this run would cost <cost>": "limits.max_cost 是 <most>，而这次运行要花费 <cost>",
    (
        "limits.max_failures is <most>, and of this run <tasks*> failed already or came to an unknown end"
    ): "limits.max_failures 是 <most>，而这次运行已有 <tasks>失败或结果未知",
    "mend what made them fail and raise the limit, or begin a new run without --resume": (
        "请解决失败的原因并提高限额，或不用 --resume 开始新的运行"
    ),
    "`speedpix-pipe doctor` looks at all of this": "`speedpix-pipe doctor` 会检查这一切",
    "raise the limit, or run less at once: --only, or fewer items": "请提高限额，或一次少运行一些：--only，或更少的条目",
    "nothing was sent": "什么都没有发送",
    "interrupted": "已中断",
    "the results could not be written: <why>": "无法写出结果：<why>",
    "this is a bug in speedpix-pipe: <kind>; everything about it is in <path>": (
        "这是 speedpix-pipe 自身的错误：<kind>；详情写在 <path>"
    ),
    "something went wrong inside speedpix-pipe itself; it is written down in <path>": (
        "speedpix-pipe 内部出了问题，详情写在 <path>"
    ),
}
