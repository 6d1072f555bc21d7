"""Which files are notebooks, their ids, and what a name can not do."""

from pathlib import Path

import pytest

from tailrace_gateway.library import Library, id_of
from tailrace_protocol.errors import ErrorCode, TailraceError

CELL = "# %%\nx = 1\n"


def shown(library: Library) -> list[str]:
    return [found.shown for found in library.list()]


def test_percent_files_and_ipynb_files_are_listed_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for hidden in (".venv", "node_modules", "__pycache__"):
        (tmp_path / hidden).mkdir()
        (tmp_path / hidden / "no.py").write_text(CELL)
    (tmp_path / "a.py").write_text(CELL)
    (tmp_path / "script.py").write_text("print(1)\n")
    (tmp_path / "b.ipynb").write_text("{}")
    (tmp_path / "deep" / "er" / "c.py").write_text("'''doc'''\n" + CELL)
    (tmp_path / ".hidden.py").write_text(CELL)
    (tmp_path / "notes.md").write_text(CELL)
    assert shown(Library([tmp_path])) == ["a.py", "b.ipynb", "deep/er/c.py"]


def test_a_file_that_is_served_by_name_is_a_notebook_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("print(1)\n")
    library = Library([path])
    assert shown(library) == ["script.py"]
    assert library.find(library.list()[0].id).path == path
    with pytest.raises(TailraceError) as refused:
        library.create("new")
    assert refused.value.code is ErrorCode.READ_ONLY


def test_an_id_is_that_of_the_path(tmp_path: Path) -> None:
    assert id_of(tmp_path / "a b é.py") == id_of(tmp_path / "a b é.py")
    assert id_of(tmp_path / "a.py") != id_of(tmp_path / "sub" / "a.py")
    for name in ("a b é.py", "x" * 200 + ".ipynb", "..py", "数.py"):
        found = id_of(tmp_path / name)
        assert 1 <= len(found) <= 64
        assert all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in found)


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").write_text(CELL)
    served = tmp_path / "served"
    served.mkdir()
    (served / "in.py").write_text(CELL)
    (served / "file.py").symlink_to(tmp_path / "outside" / "secret.py")
    (served / "folder").symlink_to(tmp_path / "outside")
    assert shown(Library([served])) == ["in.py"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "x\n", "x" * 300, "..", "\\x"])
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    library = Library([tmp_path])
    with pytest.raises(TailraceError):
        library.create(name)
    assert list(tmp_path.iterdir()) == []
    assert library.create("fine").shown == "fine.py"


@pytest.mark.parametrize("folder", ["..", "../other", "/etc", ".git", "a/../../b"])
def test_a_folder_cannot_lead_elsewhere(tmp_path: Path, folder: str) -> None:
    served = tmp_path / "served"
    served.mkdir()
    library = Library([served])
    with pytest.raises(TailraceError):
        library.create("x", folder)
    assert library.create("x", "sub").shown == "sub/x.py"
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_a_name_that_is_taken_is_refused_and_the_file_kept(tmp_path: Path) -> None:
    library = Library([tmp_path])
    found = library.create("n")
    found.path.write_text(CELL)
    with pytest.raises(TailraceError) as refused:
        library.create("n")
    assert refused.value.code is ErrorCode.CONFLICT
    assert found.path.read_text() == CELL
    library.delete(found)
    assert library.list() == []
    with pytest.raises(TailraceError) as gone:
        library.find(found.id)
    assert gone.value.code is ErrorCode.UNKNOWN_NOTEBOOK


def test_a_file_gets_another_name_in_its_folder_and_keeps_its_format(tmp_path: Path) -> None:
    library = Library([tmp_path])
    found = library.create("n", "deep")
    other = library.create("other.ipynb", "deep")
    renamed = library.rename(found, "m")
    assert (renamed.shown, found.path.exists()) == ("deep/m.py", False)
    assert library.rename(other, "m.py").shown == "deep/m.py.ipynb"
    for wrong, code in (("../x", ErrorCode.BAD_FIELD), ("m", ErrorCode.CONFLICT), (".m", ErrorCode.BAD_FIELD)):
        with pytest.raises(TailraceError) as refused:
            library.rename(renamed, wrong)
        assert refused.value.code is code
    assert renamed.path.exists()
    with pytest.raises(TailraceError) as alone:
        Library([renamed.path]).rename(renamed, "k")
    assert alone.value.code is ErrorCode.READ_ONLY
