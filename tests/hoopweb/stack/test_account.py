"""As root: which account the services drop to, and what it may reach without opening anything else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hoopweb.stack.account import Account, may_traverse, private_folder, root_folder, service_account
from hoopweb.stack.problems import StackProblem

NOBODY = Account(name="nobody", uid=65534, gid=65534)


def test_an_ordinary_user_drops_to_nobody_else() -> None:
    assert service_account(effective_uid=1000) is None


def test_root_drops_to_an_unprivileged_account() -> None:
    account = service_account(effective_uid=0)
    assert account is not None
    assert account.uid != 0


def test_root_is_no_account_to_drop_to() -> None:
    with pytest.raises(StackProblem, match="root itself"):
        service_account(effective_uid=0, name="root")


def test_an_account_that_does_not_exist_is_told_with_its_variable() -> None:
    with pytest.raises(StackProblem, match="HOOPWEB_SERVICE_ACCOUNT"):
        service_account(effective_uid=0, name="no-such-account")


def test_a_closed_folder_anywhere_above_keeps_the_account_out(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            break
    inner = tmp_path / "home" / "checkout" / "var"
    inner.mkdir(parents=True)
    closed = tmp_path / "home"
    closed.chmod(0o700)
    assert not may_traverse(inner, NOBODY)


def test_the_way_to_a_folder_everybody_may_pass_is_open() -> None:
    assert may_traverse(Path("/usr/bin"), NOBODY)


def test_looking_for_a_way_opens_none(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    may_traverse(tmp_path, NOBODY)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_link_in_place_of_a_private_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / "private").symlink_to(elsewhere)
    with pytest.raises(OSError, match="private"):
        private_folder(tmp_path / "private", None)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def test_a_private_folder_is_closed_even_if_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o777)
    private_folder(folder, None)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_others_can_write_is_no_place_for_roots_programs(tmp_path: Path) -> None:
    """The way to it leads through /tmp, where everybody may put things."""
    with pytest.raises(StackProblem, match="not a folder of root's alone"):
        root_folder(tmp_path / "programs")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away; its own run has this test")
def test_another_users_folder_is_not_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    os.chown(folder, 4242, 4242)
    with pytest.raises(StackProblem, match="belongs to user 4242"):
        private_folder(folder, NOBODY)
