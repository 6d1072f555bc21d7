"""What the gateway lets the page's frames do."""

from pathlib import Path

from tailrace_gateway.page import frame_page


def test_an_output_with_scripts_cannot_phone_home(tmp_path: Path) -> None:
    (tmp_path / "frame.html").write_text("<p>")
    policy = frame_page(tmp_path).headers["Content-Security-Policy"]
    rules = {rule.split()[0]: set(rule.split()[1:]) for rule in policy.split(";")}
    assert "allow-scripts" in rules["sandbox"]
    assert rules["default-src"] == {"'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert rules["form-action"] == {"'none'"}
    assert not {name for name in rules if name.endswith("-src")} - {"default-src"}
