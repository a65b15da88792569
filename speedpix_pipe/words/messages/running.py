"""What goes wrong while a run goes on, and with what is kept of it: tasks, pictures, the state folder, hot folders."""

from __future__ import annotations

from collections.abc import Mapping

SAYINGS: Mapping[str, str] = {
    # what was made before
    "made before the run was resumed, by prediction <id>": "运行恢复之前已完成，调用编号 <id>",
    # hot folders
    "limits.per_day: <made> of <most> predictions of today are made; files wait until midnight": (
        "limits.per_day：今天的 <most> 次调用已用 <made> 次；文件等到午夜"
    ),
    "a look at <folder> has not come back for over <seconds> s: does its disk answer?": (
        "查看 <folder> 已超过 <seconds> 秒没有结果：它的磁盘有响应吗？"
    ),
    "moving finished files of <folder> takes over <seconds> s: does their disk answer?": (
        "移动 <folder> 处理完的文件已超过 <seconds> 秒：磁盘有响应吗？"
    ),
    "<name> in <folder> cannot be claimed: <why>": "无法领取 <folder> 里的 <name>：<why>",
    "<name> and <count> more in <folder> cannot be claimed: <why>": "无法领取 <folder> 里的 <name> 和另外 <count> 个：<why>",
    "finished files of <folder> wait where they are, because <folder> is not there": (
        "<folder> 处理完的文件留在原处等待，因为 <folder> 不在了"
    ),
    "<folder> has lost <count> files that were being worked on: is it mounted? To go on without them, make the folder <path>": (
        "<folder> 里正在处理的 <count> 个文件不见了：它挂载了吗？要放弃它们继续，请创建文件夹 <path>"
    ),
    "the run ended without saying why": "运行没有说明原因就结束了",
    "the file changed after it was claimed, and is a new arrival": "文件在领取之后被改动，将作为新文件处理",
    "<path> is not there": "<path> 不在那里",
    "<path> is no folder": "<path> 不是文件夹",
    "<path> cannot be read (<why>)": "无法读取 <path>（<why>）",
    "has a name that is not valid UTF-8; rename it and move it back": "文件名不是有效的 UTF-8；请改名后再移回来",
    # results
    "prediction <id> has succeeded, but its files could not be saved: <why*>": (
        "调用 <id> 已成功，但它的文件无法保存：<why>"
    ),
    "the result file is empty": "结果文件是空的",
    "the result should be a picture (<kind>) and is <type>": "结果应当是图片（<kind>），实际是 <type>",
    "the result should be a video (<kind>) and is <type>": "结果应当是视频（<kind>），实际是 <type>",
    "the result is a <kind> file without its end: it is truncated": "结果是不完整的 <kind> 文件：缺少结尾",
    "is <given>, one of <names> is expected": "是 <given>，应当是 <names> 之一",
    "<name>: <what*> is more than <most> million pixels, the most that is worked on": (
        "<name>：<what>超过 <most> 百万像素，这是能处理的上限"
    ),
    "<name>: is empty": "<name>：是空的",
    "<name>: is no picture in a format we know": "<name>：不是能识别的图片格式",
    "<why*>: outputs.<name> is null": "<why>：outputs.<name> 为 null",
    # objects
    "no credentials for S3 were found": "没有找到 S3 的凭证",
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use the machine's own role": (
        "请设置 AWS_PROFILE，或 AWS_ACCESS_KEY_ID 和 AWS_SECRET_ACCESS_KEY，或使用机器自己的角色"
    ),
    "the storage did not answer: <why>": "存储没有响应：<why>",
    "the storage refused: <why>": "存储拒绝了：<why>",
    "the storage cannot do that: <why>": "存储做不到：<why>",
    "check the network and AWS_ENDPOINT_URL (or endpoint_url of the profile), then run again": (
        "请检查网络和 AWS_ENDPOINT_URL（或配置里的 endpoint_url），然后再次运行"
    ),
    "check which credentials AWS_PROFILE or the environment give, and what they may do in this bucket": (
        "请检查 AWS_PROFILE 或环境变量给出的凭证，以及它们在这个存储桶里的权限"
    ),
    "check the key and secret that fsspec has for oss (FSSPEC_OSS_KEY, FSSPEC_OSS_SECRET), and their rights": (
        "请检查 fsspec 的 oss 密钥（FSSPEC_OSS_KEY、FSSPEC_OSS_SECRET）及其权限"
    ),
    "set OSS_ENDPOINT, for example to <url>": "请设置 OSS_ENDPOINT，例如 <url>",
    "check the network and OSS_ENDPOINT, then run again": "请检查网络和 OSS_ENDPOINT，然后再次运行",
    # the live page
    "this address is not ours": "这不是我们的地址",
    "another page may not ask this": "别的网页不能这样请求",
    "to change something, open the link that the terminal printed: it has the token": (
        "要做改动，请打开终端里显示的链接：它带有令牌"
    ),
    "another user may not ask this without the token": "没有令牌，别的用户不能这样请求",
    "<name> exists on the service only, and its contract lists no output: it gives a picture": (
        "<name> 只存在于服务上，它的约定没有列出输出：这里给出一张图片"
    ),
    "<name> exists on the service only, and `workflows` does not say what it gives: its tasks will fail here": (
        "<name> 只存在于服务上，`workflows` 也没有说明它给出什么：它的任务在这里会失败"
    ),
    "the spec was edited, and the old one still counts: <why*>": "规格文件已修改，但旧版本仍然有效：<why>",
    "<folder> is not watched in it any more, which takes a restart": "它不再监视 <folder>，这需要重新启动",
    "restart to have <folder> watched for <param>, too": "重新启动后，<folder> 也会为 <param> 被监视",
    "<path> was being worked on, and its folder is not watched any more": "<path> 正在处理，而它的文件夹已不再被监视",
    "<folder> is looked through by the clock: <why*>": "<folder> 改为定时查看：<why>",
    "fs.inotify.<name> is used up": "fs.inotify.<name> 已用尽",
    "the kernel gives no events: <why>": "内核不提供事件：<why>",
    "this system has no <function>": "本系统没有 <function>",
    "<kind> tells nothing of what other machines do": "<kind> 不会告知其他机器的改动",
    "the kept file <name> has rotted on the disk": "保存的文件 <name> 在磁盘上已损坏",
    "the kept file <name> is gone from the disk": "保存的文件 <name> 已不在磁盘上",
    'no pixel work is called "<name>"': '没有名为 "<name>" 的像素操作',
    "write two composites, one after the other": "请写两个 composite，一个接一个",
    # tasks
    "<task>: `when` must be true or false, not <what*>": "<task>：`when` 必须是 true 或 false，而不是<what>",
    "<path> is read by this run and is not replaced": "<path> 是这次运行要读取的文件，不会被覆盖",
    "lies in the watched folder <folder>, and would be taken for a new file": "在被监视的文件夹 <folder> 里，会被当成新文件",
    "<path> lies in the watched folder <folder>, and would be taken for a new file": (
        "<path> 在被监视的文件夹 <folder> 里，会被当成新文件"
    ),
    "<step>: `save` names <place>, and the output has nothing there": "<step>：`save` 指定了 <place>，而输出里没有内容",
    "<path> was edited since it was saved and is left alone": "<path> 保存后被改动过，保持原样",
    "<path> held other bytes; they are now <moved> (<why>)": "<path> 原来是别的内容，现已移到 <moved>（<why>）",
    "cannot save a value: <why>": "无法保存值：<why>",
    "cannot save <path>: <why>": "无法保存 <path>：<why>",
    "the result is kept: mend this and run again, it costs nothing": "结果已经保留：解决问题后再运行一次，不再收费",
    "keeping the result: <why>": "保留结果时出错：<why>",
    "it is paid for: mend this and run again, it costs nothing": "已经付费：解决问题后再运行一次，不再收费",
    "fetching the result: <why*>": "取回结果时出错：<why>",
    "the result has no file at <place> any more": "结果里已经没有 <place> 的文件",
    "paid on <date>, result no longer available: <why>": "已于 <date> 付费，结果已无法取回：<why>",
    "not done after <seconds> s; it goes on at the service, and the next run joins it": (
        "<seconds> 秒后仍未完成；它在服务端继续，下次运行会接上"
    ),
    "raise `timeout`, or run again": "请提高 `timeout`，或再运行一次",
    "the service says that it failed, without a reason": "服务报告失败，没有给出原因",
    "a submission sent at <time> was never answered; it may have been accepted and paid for": (
        "<time> 的提交没有得到答复；可能已被受理并计费"
    ),
    "the run was left before the answer came": "收到答复之前运行就结束了",
    "taken back before it was sent": "发送之前已收回",
    "input: <why*>": "input：<why>",
    "another seed: <why*>": "换种子：<why>",
    "<path> keeps changing": "<path> 一直在变化",
    "uploading <name>: <why>": "上传 <name> 时出错：<why>",
    "submitting to <name>: <why>": "提交到 <name> 时出错：<why>",
    "waiting for the prediction: <why>": "等待调用时出错：<why>",
    "asking for an earlier prediction: <why>": "查询之前的调用时出错：<why>",
    "check SPEEDPIX_ENDPOINT, the network and the proxy settings": "请检查 SPEEDPIX_ENDPOINT、网络和代理设置",
    "check SPEEDPIX_ENDPOINT and the network": "请检查 SPEEDPIX_ENDPOINT 和网络",
    "check SPEEDPIX_ENDPOINT": "请检查 SPEEDPIX_ENDPOINT",
    "<task> failed": "<task> 失败了",
    "<task> is of unknown outcome": "<task> 结果未知",
    "<task> was skipped": "<task> 被跳过",
    "`when` is false": "`when` 为 false",
    "nothing to gather": "没有可以汇集的内容",
    # what is expected of a result
    "nothing is there": "没有内容",
    "is no file": "不是文件",
    "is <kind>, <wanted*> is expected": "是 <kind>，应当是 <wanted>",
    "is of no known format, <wanted*> is expected": "格式未知，应当是 <wanted>",
    "is no picture, so its <side> is not known": "不是图片，不知道它的 <side>",
    "is <count> pixels wide, at least <least> is expected": "宽 <count> 像素，至少应为 <least>",
    "is <count> pixels wide, at most <most> is expected": "宽 <count> 像素，最多应为 <most>",
    "is <count> pixels high, at least <least> is expected": "高 <count> 像素，至少应为 <least>",
    "is <count> pixels high, at most <most> is expected": "高 <count> 像素，最多应为 <most>",
    "is <count> bytes, at least <least> is expected": "有 <count> 字节，至少应为 <least>",
    "is <count> bytes, at most <most> is expected": "有 <count> 字节，最多应为 <most>",
    "is blank": "是空白图片",
    "is the same picture as the input": "与输入的图片相同",
    "cannot be looked at: <why*>": "无法查看：<why>",
    "<path> was changed since it was saved: it is left alone, and what follows uses the kept original": (
        "<path> 保存后被改动过：保持原样，后面的步骤使用保留的原件"
    ),
    # why a run stops
    "max_predictions: <most> reached before <task>": "max_predictions：在 <task> 之前已达到 <most>",
    "max_cost: <most> would be passed by <task>": "max_cost：<task> 会超过 <most>",
    "max_failures: <count> tasks of this run have failed": "max_failures：这次运行已有 <count> 个任务失败",
    "max_failures: <count> tasks failed, the last with: <why*>": "max_failures：<count> 个任务失败，最后一个：<why>",
    "the disk is nearly full: free some space and run again": "磁盘快满了：请腾出空间再运行",
    "the disk is full: free some space and run again": "磁盘已满：请腾出空间再运行",
    "<task> failed, and its step says on_error: stop": "<task> 失败，而它的步骤写了 on_error: stop",
    "cancelled by `runs cancel`": "被 `runs cancel` 取消",
    "<reason*>: go on with --resume": "<reason>：用 --resume 继续",
    "the run did not end": "运行没有结束",
    # pictures
    'an image step takes `image` or `images`, not "<name>"': 'image 步骤接受 `image` 或 `images`，不接受 "<name>"',
    "an image step takes `image` or `images`, not both": "image 步骤接受 `image` 或 `images`，不能两个都给",
    "an image step needs a picture in `image` or `images`": "image 步骤需要在 `image` 或 `images` 里给出图片",
    "an image step works on files of this run, not on <what>": "image 步骤处理这次运行的文件，不处理 <what>",
    "use steps.X.file, steps.X.files or file('...')": "请用 steps.X.file、steps.X.files 或 file('...')",
    "<name> would be <width> x <height>, more than <most> million pixels": (
        "<name> 会是 <width> x <height>，超过 <most> 百万像素"
    ),
    "make it smaller": "请缩小",
    "<text> is no colour": "<text> 不是颜色",
    "<count> pictures are left after the last operation, and an image step gives one": (
        "最后一个操作之后还有 <count> 张图片，而 image 步骤只给出一张"
    ),
    "end with contact-sheet or composite, or make a task for each picture with for_each": (
        "请以 contact-sheet 或 composite 结尾，或用 for_each 为每张图片建一个任务"
    ),
    "composite needs `over` or `under`, or at least two pictures in `input.images`": (
        "composite 需要 `over` 或 `under`，或在 `input.images` 里至少两张图片"
    ),
    "a contact sheet needs at least one picture": "拼版至少需要一张图片",
    "<labels> labels for <pictures> pictures": "<pictures> 张图片却有 <labels> 个标签",
    "<name> is <width> x <height>: the box [<a>, <b>, <c>, <d>] lies partly outside": (
        "<name> 是 <width> x <height>：方框 [<a>, <b>, <c>, <d>] 有一部分在外面"
    ),
    "<name>: there is no such file": "<name>：没有这个文件",
    "<name>: may not be read": "<name>：没有读取权限",
    "<name>: is damaged (<why>)": "<name>：已损坏（<why>）",
    "<name>: is cut off, the end of the picture is missing": "<name>：不完整，缺少图片的结尾",
    "<width> x <height> is too large for <format>, which ends at <most> pixels a side": (
        "<width> x <height> 对 <format> 来说太大，每边最多 <most> 像素"
    ),
    "convert to png or tiff": "请转换为 png 或 tiff",
    "<field>: no file <name>": "<field>：没有文件 <name>",
    # where work is done
    "the worker at <where> cannot run speedpix-pipe: <kind>: <why>": "<where> 的工作进程无法运行 speedpix-pipe：<kind>：<why>",
    "install speedpix-pipe <version> where the workers run": "请在工作进程所在的机器安装 speedpix-pipe <version>",
    "the worker at <where> has speedpix-pipe <theirs>, this is <ours>": (
        "<where> 的工作进程是 speedpix-pipe <theirs>，这里是 <ours>"
    ),
    "a worker has speedpix-pipe <theirs>, the run <ours>": "工作进程是 speedpix-pipe <theirs>，运行是 <ours>",
    "install the same version on every worker": "请在每个工作进程安装相同的版本",
    "the worker at <where> does not see <path>": "<where> 的工作进程看不到 <path>",
    "the worker on <where> does not see <path>": "<where> 的工作进程看不到 <path>",
    "the state folder and the files must be shared with all workers under the same paths: docs/dask.md": (
        "状态文件夹和文件必须以相同路径与所有工作进程共享：docs/dask.md"
    ),
    "inputs and the state folder must be on a file system that all workers share, under the same path": (
        "输入和状态文件夹必须在所有工作进程共享的文件系统上，并且路径相同"
    ),
    "--executor dask needs Dask's distributed": "--executor dask 需要 Dask 的 distributed",
    "no Dask scheduler answers at <where>: <why>": "<where> 没有 Dask 调度器应答：<why>",
    "start one with `dask scheduler`, or correct --scheduler tcp://HOST:PORT": (
        "请用 `dask scheduler` 启动一个，或更正 --scheduler tcp://HOST:PORT"
    ),
    "the scheduler at <where> has no workers": "<where> 的调度器没有工作进程",
    "start some: dask worker <where>": "请启动几个：dask worker <where>",
    "<path>: <came> bytes came where <wanted> were expected": "<path>：应有 <wanted> 字节，只来了 <came>",
    "<path>: cannot be read: <why>": "<path>：无法读取：<why>",
    "<path>: the process that worked on this picture died": "<path>：处理这张图片的进程崩溃了",
    "it ran out of memory, or the picture makes its decoder crash": "可能内存不足，或这张图片使解码器崩溃",
    "<path>: not enough memory for this picture": "<path>：内存不够处理这张图片",
    "the executor is not open": "执行器没有打开",
    "the executor is closed": "执行器已关闭",
    "the font package <name> is not installed": "没有安装字体包 <name>",
    "install speedpix-pipe again": "请重新安装 speedpix-pipe",
    "<path>: is no font that can be read": "<path>：不是可以读取的字体",
    # why a task ran
    "an equal task of the same run did it: same workflow, same input": "同一次运行里有相同的任务做过：工作流和输入都相同",
    "reused: a result for exactly this input was kept": "沿用：保留着完全相同输入的结果",
    "reused: a result for exactly this input was kept by prediction <id>": "沿用：保留着完全相同输入的结果，来自调用 <id>",
    "skipped: <why*>": "跳过：<why>",
    "not run: <why*>": "没有运行：<why>",
    "it has not ended": "还没有结束",
    "the run ended first": "运行先结束了",
    "prediction <id> was paid for already; its result was fetched": "调用 <id> 已经付费，取回了它的结果",
    "ran: the same input failed in run <run>": "运行了：相同的输入在运行 <run> 里失败过",
    "ran: the same input left no result that is still kept in run <run>": "运行了：相同的输入在运行 <run> 里没有留下还在的结果",
    "ran: its input changed since run <run>": "运行了：自运行 <run> 以来输入有变化",
    "ran: its workflow, release, options or caching changed since run <run>": (
        "运行了：自运行 <run> 以来工作流、版本、选项或缓存方式有变化"
    ),
    "ran: no earlier run had this task, and no kept result fits its input": (
        "运行了：以前的运行没有这个任务，也没有保留着的结果符合它的输入"
    ),
    "with seed <seed>, which run <run> drew for it": "种子 <seed> 由运行 <run> 为它抽取",
    "with a seed of the service's own": "种子由服务抽取",
    # the state folder
    "this state folder was opened for reading only": "这个状态文件夹是以只读方式打开的",
    "the state folder is closed": "状态文件夹已关闭",
    "the kept file <name> is not whole": "保留的文件 <name> 不完整",
    "<name> has <came> bytes and not <wanted>": "<name> 有 <came> 字节，而应有 <wanted> 字节",
    "<path> is not a file": "<path> 不是文件",
    "there is no state in <folder> yet": "<folder> 里还没有状态",
    "`speedpix-pipe run SPEC` creates it": "`speedpix-pipe run SPEC` 会创建它",
    "the state in <folder> was written by an older speedpix-pipe": "<folder> 里的状态由旧版 speedpix-pipe 写入",
    "any `speedpix-pipe run` brings it up to date": "任意一次 `speedpix-pipe run` 都会更新它",
    "the state folder was written by a newer speedpix-pipe (tables of version <theirs>, this one knows <ours>)": (
        "状态文件夹由更新版的 speedpix-pipe 写入（表版本 <theirs>，本程序只认识 <ours>）"
    ),
    "update speedpix-pipe, or set SPEEDPIX_STATE_DIR to another folder": (
        "请更新 speedpix-pipe，或把 SPEEDPIX_STATE_DIR 设为别的文件夹"
    ),
    "journal.db belongs to another program": "journal.db 属于别的程序",
    "the disk that holds <path> is full": "<path> 所在的磁盘已满",
    "free some space, then run --resume": "请腾出空间，然后 run --resume",
    "another process kept <path> to itself for <seconds> s": "另一个进程占用 <path> 达 <seconds> 秒",
    "look for a stopped speedpix-pipe with `runs list`": "请用 `runs list` 查找停住的 speedpix-pipe",
    "cannot work with <path>: <why>": "无法使用 <path>：<why>",
    "the journal <path> is damaged (<why>), so nothing is paid for until it is mended": (
        "日志 <path> 已损坏（<why>），修好之前不会付费"
    ),
    "run `speedpix-pipe runs repair`; it saves what can be read and keeps the old file": (
        "请运行 `speedpix-pipe runs repair`；它保存能读出的内容，并保留旧文件"
    ),
    "the mended journal is not sound: <why>": "修复后的日志不完好：<why>",
    "there is no journal in <folder>": "<folder> 里没有日志",
    "the journal of run <run> has no beginning": "运行 <run> 的日志没有开头",
    'the journal has no run "<run>"': '日志里没有运行 "<run>"',
    "cannot create the state folder <folder>: <why>": "无法创建状态文件夹 <folder>：<why>",
    "set SPEEDPIX_STATE_DIR to a folder that you may write to": "请把 SPEEDPIX_STATE_DIR 设为可以写入的文件夹",
    "wait for it, or stop it with `speedpix-pipe runs cancel`": "请等它结束，或用 `speedpix-pipe runs cancel` 停止它",
    "another process uses <folder>, so it cannot be <what>": "另一个进程正在使用 <folder>，现在不能进行（<what>）",
    "wait until every run, watch and page of this folder has ended; `runs list` shows them": (
        "请等这个文件夹的运行、监视和页面全部结束；`runs list` 列出它们"
    ),
    "the state folder <folder> lies on a network file system (<kind>), where a crash could lose paid results": (
        "状态文件夹 <folder> 在网络文件系统上（<kind>），崩溃时可能丢失已付费的结果"
    ),
    "set SPEEDPIX_STATE_DIR to a folder on a local disk; specs, inputs and outputs may stay": (
        "请把 SPEEDPIX_STATE_DIR 设为本地磁盘上的文件夹；规格文件、输入和输出不用动"
    ),
    # hot folders
    "<spec> has no `watch` section": "<spec> 没有 `watch` 部分",
    "say which folder to watch": "请写明监视哪个文件夹",
    "<folder> lies on another file system than <other>": "<folder> 与 <other> 不在同一个文件系统",
    "<folder> lies on another file system than <other>, so files in it cannot be claimed": (
        "<folder> 与 <other> 不在同一个文件系统，无法领取其中的文件"
    ),
    "files are claimed by renaming them, which works within one file system only": (
        "领取文件靠改名，只能在同一个文件系统内进行"
    ),
    "the watched folder <folder> cannot be read: <why>": "被监视的文件夹 <folder> 无法读取：<why>",
    "watch a folder whose files this user may list and move": "请监视当前用户可以列出并移动其中文件的文件夹",
    "what was being worked on in <folder> cannot be taken up: <why>": "<folder> 里处理到一半的文件无法接手：<why>",
    "restart to have the new limits.<name> count": "新的 limits.<name> 要重新启动才生效",
    "the watched folder <folder> cannot be written: <why>": "被监视的文件夹 <folder> 无法写入：<why>",
    "files are claimed by moving them inside the folder: watch one that this user may write": (
        "领取文件要在文件夹内移动它们：请监视当前用户可以写入的文件夹"
    ),
    "watch: <folder> is watched twice": "watch：<folder> 被监视了两次",
    "put the patterns together": "请把模式合在一起",
    "files of <folder> cannot be moved to <same> itself": "<folder> 的文件不能移动到 <same> 自身",
    "move them to a folder below it, or beside it": "请移动到它下面或旁边的文件夹",
    "files of <folder> would be moved to <other>, which is watched too": "<folder> 的文件会移动到同样被监视的 <other>",
    "chain steps within one pipeline instead": "请改为在一个流水线里串接步骤",
    "no watcher <name> has claimed anything here": "没有名为 <name> 的监视者在这里领取过文件",
    "its name is that of a folder in .speedpix-claims of the watched folder": (
        "它的名称就是被监视文件夹的 .speedpix-claims 里的文件夹名"
    ),
    "the watched folder <folder> is not there": "被监视的文件夹 <folder> 不存在",
    "make <folder>, or mount it; it is never created, because it may only be unmounted": (
        "请创建或挂载 <folder>；程序不会自动创建，因为它可能只是没有挂载"
    ),
    "give it an entry of its own under `watch`, or ignore it": "请在 `watch` 下单独写一项，或忽略它",
    "watch.patterns: `<pattern>` leads out of the watched folder": "watch.patterns：`<pattern>` 超出了被监视的文件夹",
    "write what files in the folder are called, such as *.jpg or **/*.jpg": (
        "请写文件夹里文件的名称，例如 *.jpg 或 **/*.jpg"
    ),
    "watching <folder> for <patterns> as <name>": "正在监视 <folder>（<patterns>），监视者 <name>",
    "stopping: files on their way are finished, the rest waits for the next start": (
        "正在停止：处理中的文件会做完，其余等下次启动"
    ),
    "done: <file>": "完成：<file>",
    "failed: <file> (<why*>)": "失败：<file>（<why>）",
    "failed: <file>": "失败：<file>",
    "over: <what*>": "已恢复：<what>",
    "<spec> was edited: the new version counts from now on": "<spec> 已修改：从现在起使用新版本",
    "the disk is nearly full: nothing is taken until there is space": "磁盘快满了：有空间之前不再领取文件",
    (
        "<folder> holds files that watcher <name> claimed over an hour ago; if it is gone for good, adopt them with "
        "--take-over <same>"
    ): "<folder> 里有监视者 <name> 一个多小时前领取的文件；如果它不会再回来，用 --take-over <same> 接管",
    "the health file <path> cannot be written: <why>": "无法写入健康文件 <path>：<why>",
    (
        "<file> went on changing after it was taken, and is taken again when it stands still: its writer pauses for "
        "longer than `settle` (<seconds> s); raise it"
    ): "<file> 被领取后仍在变化，稳定后会再次领取：写入者的停顿超过 `settle`（<seconds> 秒），请调大",
    (
        "<file> changed after it was taken, and is taken again: its writer pauses for longer than `settle`; raise it"
    ): "<file> 被领取后又变化，会再次领取：写入者的停顿超过 `settle`，请调大",
    "it was taken out of the claims folder while it was being worked on": "处理期间被人从领取文件夹中取走",
    "<path>: it was taken out of the claims folder while it was being worked on": "<path>：处理期间被人从领取文件夹中取走",
    "the run was stopped before this step had its turn": "轮到这个步骤之前运行已停止",
    "finished files of <folder> cannot be moved to <target>: <why>": "<folder> 的文件处理完后无法移动到 <target>：<why>",
    "files in <folder> cannot be claimed: <why>": "无法领取 <folder> 里的文件：<why>",
    "<folder> is not mounted any more: waiting for it": "<folder> 已不再挂载：正在等待",
    "another folder stands at <folder> than before: waiting for the old one to return": (
        "<folder> 现在是另一个文件夹：正在等原来的回来"
    ),
    "<names> in <folder> lies on another file system and is not watched: give it an entry of its own": (
        "<folder> 里的 <names> 在另一个文件系统上，没有被监视：请单独写一项"
    ),
    "<names> in <folder> cannot be read: files in it are not seen": "<folder> 里的 <names> 无法读取：看不到其中的文件",
    "<name> exists on the service only: it is answered from its contract": "<name> 只存在于服务上：这里按它的约定作答",
    "the spec was edited and is broken, so the old one still counts: <why*>": "规格文件改坏了，仍使用旧的：<why>",
    "quality is for jpg and webp": "quality 只用于 jpg 和 webp",
    "a box is [left, top, right, bottom]": "方框写作 [左, 上, 右, 下]",
    "waiting for a change of the spec or its files; Ctrl-C ends": "正在等待规格文件或其文件变化；按 Ctrl-C 结束",
}
