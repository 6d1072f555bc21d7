"""Widgets of ipywidgets and anywidget in the page: to the kernel and back, in a late tab, after a restart."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]

INTERACT = """import ipywidgets as w
@w.interact(n=(0, 10))
def square(n=3):
    print("square", n * n)
    if n == 6:
        raise ValueError("six")
    return n"""
LINKED = """a, b = w.IntSlider(description="a", value=2), w.IntText(description="b", value=9)
link = w.jslink((a, "value"), (b, "value"))
out = w.Output()
button = w.Button(description="Say")
@button.on_click
def say(_):
    with out:
        print("said", a.value)
markup = w.HTML("<b>bold</b><i onclick='document.title = 1'>text</i>")
w.VBox([a, b, markup, button, out])"""
COUNTER = """import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const button = document.createElement("button");
      const show = () => { button.textContent = `count ${model.get("value")}`; };
      button.addEventListener("click", () => { model.set("value", model.get("value") + 1); model.save_changes(); });
      model.on("change:value", show);
      show();
      el.append(button);
    } };
    '''
    _css = "button { letter-spacing: 1px; }"
    value = traitlets.Int(0).tag(sync=True)
counter = Counter()
counter"""


def slider(cell: Locator) -> Locator:
    return cell.get_by_role("slider").first


def test_widgets_go_to_the_kernel_and_back_in_every_tab(open_notebook: Open) -> None:
    tab = open_notebook(INTERACT, LINKED, COUNTER, "counter.value, a.value, b.value")
    tab.wait_kernel()
    tab.page.get_by_role("button", name="Run all").click()
    interact, linked, counter = (tab.cell(number).locator(".outputs") for number in range(3))
    expect(interact).to_contain_text("square 9")
    expect(interact.locator("pre.text")).to_have_text(["square 9", "3"])
    slider(interact).press("ArrowRight")
    expect(interact.locator("pre.text")).to_have_text(["square 16", "4"])
    expect(linked.get_by_role("spinbutton")).to_have_value("2")  # jslink: the page's own doing
    slider(linked).press("ArrowRight")
    expect(linked.get_by_role("spinbutton")).to_have_value("3")
    linked.get_by_role("button", name="Say").click()
    expect(linked).to_contain_text("said 3")
    expect(linked.locator("i")).to_have_text("text")
    expect(linked.locator("[onclick]")).to_have_count(0)
    for number in (1, 2):
        counter.get_by_role("button").click()
        expect(counter.get_by_role("button")).to_have_text(f"count {number}")
    tab.run(3)
    tab.expect_output(3, "(2, 3, 3)")

    late = open_notebook()  # it asks the kernel for what it missed
    expect(late.cell(0).locator("pre.text")).to_have_text(["square 16", "4"])
    expect(late.cell(1)).to_contain_text("said 3")
    expect(late.cell(2).get_by_role("button", name="count 2")).to_be_visible()
    late.front()
    slider(late.cell(0)).press("ArrowRight")
    slider(late.cell(0)).press("ArrowRight")
    expect(late.cell(0).locator(".failure")).to_contain_text("six")
    tab.front()
    expect(interact.get_by_text("square 36")).to_be_visible()
    expect(slider(interact)).to_have_attribute("aria-valuenow", re.compile(r"^6"))


def test_a_widget_says_when_its_kernel_is_gone(open_notebook: Open) -> None:
    tab = open_notebook("import ipywidgets as w\nw.Text(description='name')")
    tab.wait_kernel()
    tab.run(0)
    expect(tab.cell(0).get_by_role("textbox", name="name")).to_be_visible()
    tab.page.get_by_role("button", name="Restart kernel").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(tab.cell(0).locator(".outputs")).to_contain_text("its kernel is gone")
    tab.wait_kernel()
    tab.page.reload()  # the new kernel has not imported ipywidgets: it knows nobody to ask for the states
    expect(tab.cell(0).locator(".outputs")).to_contain_text("its kernel is gone")
    tab.run(0)
    expect(tab.cell(0).get_by_role("textbox", name="name")).to_be_visible()
