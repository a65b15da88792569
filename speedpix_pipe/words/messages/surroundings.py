"""What `doctor` finds, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

SAYINGS: Mapping[str, str] = {
    "install Python 3.11 or newer": "请安装 Python 3.11 或更新的版本",
    "install it: pip install speedpix-pipe": "请安装：pip install speedpix-pipe",
    "speedpix-pipe <version> runs without being installed": "speedpix-pipe <version> 没有安装就在运行",
    "missing: <names>": "缺少：<names>",
    "set <name> to a folder on a local disk that you may write to": "请把 <name> 设为本地磁盘上可以写入的文件夹",
    "<folder> cannot be written": "<folder> 无法写入",
    "<folder> lies on a network file system (<kind>)": "<folder> 在网络文件系统上（<kind>）",
    "free some, or `speedpix-pipe runs prune`": "请腾出空间，或运行 `speedpix-pipe runs prune`",
    "<size> free: too little, nothing would be submitted": "剩余 <size>：太少，不会提交任何任务",
    "<size> free": "剩余 <size>",
    "this system has none": "本系统没有",
    "`watch` looks into its folders by the clock": "`watch` 会按时间间隔查看文件夹",
    "<watches> watches, <instances> instances": "<watches> 个监视点，<instances> 个实例",
    "for large hot folders: sysctl fs.inotify.max_user_watches=65536": (
        "大型热文件夹请执行：sysctl fs.inotify.max_user_watches=65536"
    ),
    "no limit": "没有限制",
    "set (from the environment), and not tried: nobody answers at the endpoint": "已设置（来自环境变量），未测试：服务地址没有应答",
    "set (from <path>), and not tried: nobody answers at the endpoint": "已设置（来自 <path>），未测试：服务地址没有应答",
    "mend <name>": "请更正 <name>",
    "check <name>, the network and the proxy settings": "请检查 <name>、网络和代理设置",
    "<url> cannot be reached: <why>": "无法连接 <url>：<why>",
    "<url> answers in <time> ms": "<url> 在 <time> 毫秒内应答",
    "this machine's clock is <seconds> s behind the service's": "本机时钟比服务慢 <seconds> 秒",
    "this machine's clock is <seconds> s ahead of the service's": "本机时钟比服务快 <seconds> 秒",
    "<off*>, which refuses signatures so far off": "<off>，服务会拒绝偏差这么大的签名",
    "synchronise it: timedatectl set-ntp true": "请同步时钟：timedatectl set-ntp true",
    "within <seconds> s of the service's": "与服务相差不到 <seconds> 秒",
    "accepted by the service (from the environment)": "服务已接受（来自环境变量）",
    "accepted by the service (from <path>)": "服务已接受（来自 <path>）",
    "Check <name>. <more>": "请检查 <name>。<more>",
    "none": "无",
}
