"""Two accounts of one endpoint in one folder: what is finished is everybody's, what is open its owner's alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow
SHOP, SCHOOL = "shop", "school"


class TwoAccounts(Shop):
    """A shop whose service knows two accounts; `account` says who runs next."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        names = ("first", "second")
        options = EmulatorOptions(
            workflows={name: self._workflow(name) for name in names}, accounts={SHOP: "s1", SCHOOL: "s2"}
        )
        self.emulator = EmulatorThread(options)
        self.account = SHOP

    @property
    def settings(self):
        from speedpix_pipe.settings import load_settings

        environment = {
            "SPEEDPIX_APP_KEY": self.account,
            "SPEEDPIX_APP_SECRET": {SHOP: "s1", SCHOOL: "s2"}[self.account],
            "SPEEDPIX_ENDPOINT": self.emulator.url,
        }
        return load_settings(None, environment)

    def accounts(self) -> list[str]:
        """Who paid for each prediction, in order."""
        return [one["owner"] for one in self.emulator.predictions()]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TwoAccounts]:
    with TwoAccounts(tmp_path) as shop:
        yield shop


def run_as(shop: TwoAccounts, account: str, **options):
    shop.account = account
    return shop.run(only=("first@ant",), **options)


def test_what_one_account_has_finished_costs_the_other_nothing(shop: TwoAccounts) -> None:
    assert counts(run_as(shop, SHOP)) == {"succeeded": 1}
    assert counts(run_as(shop, SCHOOL)) == {"cached": 1}
    assert shop.accounts() == [SHOP]


def left_open(shop: TwoAccounts, account: str) -> None:
    """A run that times out while its prediction goes on: its row stays open."""
    shop.hold.set()
    shop.edit("cache: true", "timeout: 200ms")
    assert run_as(shop, account).exit_code == 1
    shop.edit("timeout: 200ms", "cache: true")


def test_what_one_account_has_open_is_joined_by_it_alone(shop: TwoAccounts) -> None:
    left_open(shop, SHOP)
    release = threading.Timer(0.5, shop.hold.clear)
    release.start()
    school = run_as(shop, SCHOOL)
    release.join()
    assert counts(school) == {"succeeded": 1}
    assert (school.summary.submitted, school.summary.resumed) == (1, 0)
    assert shop.accounts() == [SHOP, SCHOOL]
    assert counts(run_as(shop, SHOP)) == {"cached": 1}  # by now there is a result, whoever paid for it
    assert shop.accounts() == [SHOP, SCHOOL]


def test_its_owner_joins_it(shop: TwoAccounts) -> None:
    left_open(shop, SHOP)
    shop.hold.clear()
    again = run_as(shop, SHOP)
    assert counts(again) == {"succeeded": 1}
    assert (again.summary.submitted, again.summary.resumed) == (0, 1)
    assert shop.accounts() == [SHOP]


def test_what_is_in_doubt_for_one_account_is_none_of_the_others(shop: TwoAccounts) -> None:
    shop.emulator.add_fault(Fault.parse("submit:reset-before"))
    assert counts(run_as(shop, SHOP)) == {"unknown": 1}
    assert counts(run_as(shop, SCHOOL)) == {"succeeded": 1}
    assert shop.accounts() == [SCHOOL]
