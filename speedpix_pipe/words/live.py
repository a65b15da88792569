"""Every word of the live page."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("speedpix-pipe, live", "speedpix-pipe 实时页面"),
    "runs": ("Runs", "运行"),
    "no_runs": ("No run yet in this folder.", "这个文件夹里还没有运行。"),
    "no_run": ("Choose a run.", "请选择一次运行。"),
    "running": ("running", "运行中"),
    "succeeded": ("succeeded", "成功"),
    "cached": ("cached", "来自缓存"),
    "failed": ("failed", "失败"),
    "skipped": ("skipped", "已跳过"),
    "cancelled": ("cancelled", "已取消"),
    "unknown": ("unknown", "结果未知"),
    "waiting": ("waiting", "等待中"),
    "died": ("died", "已中断"),
    "all": ("All", "全部"),
    "done_of": ("{done} of {total} done", "已完成 {done} / {total}"),
    "reading": ("reading the journal …", "正在读取日志……"),
    "steps": ("Steps", "步骤"),
    "graph_label": ("Steps and how they feed each other", "各步骤及其先后关系"),
    "step_label": (
        "{step}: {done} of {total} done, {running} running, {failed} failed",
        "{step}：已完成 {done} / {total}，运行中 {running}，失败 {failed}",
    ),
    "every_step": ("Every step", "全部步骤"),
    "pictures": ("Pictures", "图片"),
    "no_pictures": ("No picture yet.", "还没有图片。"),
    "tasks": ("Tasks", "任务"),
    "no_tasks": ("No such task.", "没有这样的任务。"),
    "more": ("Show more", "显示更多"),
    "status": ("Status", "状态"),
    "search": ("Search keys", "搜索任务名"),
    "log": ("Log", "日志"),
    "open_file": ("Open the file", "打开文件"),
    "close": ("Close", "关闭"),
    "cancel": ("Cancel this run", "取消这次运行"),
    "cancel_sure": (
        "Stop this run for good? What is on its way is finished; the run cannot be resumed.",
        "要彻底停止这次运行吗？正在进行的任务会做完，之后不能继续这次运行。",
    ),
    "yes_cancel": ("Stop it", "停止"),
    "no_cancel": ("Let it run", "继续运行"),
    "cancel_asked": ("It was asked to stop.", "已请求停止。"),
    "redo": ("Make it again", "重做"),
    "redo_asked": ("A new run is making it again.", "新的运行正在重做。"),
    "refused": ("This did not work: {reason}", "操作失败：{reason}"),
    "read_only": (
        "To cancel or redo, open the whole link that the terminal shows.",
        "要取消或重做，请打开终端里显示的完整链接。",
    ),
    "lost": (
        "The server is gone. `speedpix-pipe ui` starts it again.",
        "服务已停止。运行 `speedpix-pipe ui` 可重新启动。",
    ),
    "theme": ("Light or dark", "浅色或深色"),
    "skip_link": ("Skip to the run", "跳到运行内容"),
    "no_script": (
        "This page needs JavaScript, which it carries with it.",
        "本页面需要 JavaScript，程序已包含在页面内。",
    ),
    "failures": ("What failed last", "最近失败的任务"),
    "input": ("Input", "输入"),
}
