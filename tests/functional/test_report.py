"""`report`: a run becomes one page that needs nothing but itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.emulator import Fault

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: shots
params:
  photos: {type: files, default: "inbox/*.png"}
steps:
  big:
    workflow: upscale
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", scale: 2}
    save: out/${{ item.stem }}.${{ ext }}
"""


@pytest.fixture
def spec(project: Path) -> Path:
    path = project / "shots.yaml"
    path.write_text(SPEC)
    (project / "inbox").mkdir()
    for number in range(14):  # more than few: thumbnails come from processes
        Image.new("RGB", (32, 32), (16 * number, 0, 99)).save(project / f"inbox/p{number}.png")
    return path


def test_the_page_holds_inputs_and_results_and_asks_the_network_for_nothing(cli, spec, emulator):
    emulator.add_fault(Fault("task-failed", "poll"))
    run = cli("run", "shots.yaml", "--json").json
    ran = cli("report")
    assert ran.code == 0
    path = Path(ran.out.strip())
    assert path == spec.parent / f".speedpix/reports/{run['run_id']}.html"
    page = path.read_text("utf-8")
    assert page.count("UklGR") >= 27  # WebP thumbnails: 14 inputs, 13 results
    assert "inbox/p3.png" in page
    assert not re.search(r'(?:src|href)="https?:', page)
    assert "local" not in re.findall(r"SPEEDPIX_APP_SECRET=(\w+)", page)


def test_a_report_of_any_run_goes_where_it_is_asked_for(cli, spec, emulator):
    first = cli("run", "shots.yaml", "--json").json["run_id"]
    cli("run", "shots.yaml")
    ran = cli("report", first, "-o", "pages/first.html", "--json")
    assert ran.json == {"run_id": first, "path": str(spec.parent / "pages/first.html")}
    assert first in Path("pages/first.html").read_text("utf-8")


def test_without_a_run_it_exits_2(cli, project):
    assert cli("report").code == 2


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(cli, spec, emulator):
    assert cli("run", "shots.yaml").code == 0
    (spec.parent / "taken").mkdir()
    ran = cli("report", "-o", "taken", "--json")
    assert ran.code == 2
    assert ran.json["errors"][0]["type"] == "usage.report-file"
    assert "Is a directory" in ran.err


def test_on_a_terminal_it_counts_while_it_takes_long_and_leaves_no_trace(cli, spec, emulator, monkeypatch):
    from speedpix_pipe.cli import report
    from speedpix_pipe.cli.output import Terminal

    cli("run", spec, "--yes")
    quiet = cli("report")
    assert quiet.err == ""
    monkeypatch.setattr(report, "terminal", lambda: Terminal(live=True, color=False, width=80, wrap=80, language="en"))
    monkeypatch.setattr(report, "QUIET_SECONDS", -1.0)
    told = cli("report")
    assert told.out == quiet.out
    assert told.err.endswith("thumbnails: 28 of 28\r\x1b[K")
