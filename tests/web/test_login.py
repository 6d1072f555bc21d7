"""Getting in: the printed link, a second tab, a used code."""

from playwright.sync_api import BrowserContext, expect

from tests.gateway_process import GatewayProcess


def test_a_link_lets_in_once_and_a_second_tab_needs_none(context: BrowserContext, gateway: GatewayProcess) -> None:
    link = gateway.login_url()
    first = context.new_page()
    first.goto(gateway.url)
    expect(first.get_by_test_id("login")).to_be_visible()  # the control: without a code nobody is in
    first.goto(link)
    expect(first.get_by_test_id("notebook-list")).to_be_visible()
    assert "code" not in first.url
    second = context.new_page()
    second.goto(gateway.url)
    expect(second.get_by_test_id("notebook-list")).to_be_visible()


def test_who_closed_the_only_tab_is_still_in(context: BrowserContext, gateway: GatewayProcess) -> None:
    first = context.new_page()
    first.goto(gateway.login_url())
    expect(first.get_by_test_id("notebook-list")).to_be_visible()
    first.close()
    later = context.new_page()
    later.goto(gateway.url)
    expect(later.get_by_test_id("notebook-list")).to_be_visible()


def test_a_used_link_says_so(context: BrowserContext, gateway: GatewayProcess) -> None:
    link = gateway.login_url()
    inside = context.new_page()
    inside.goto(link)
    expect(inside.get_by_test_id("notebook-list")).to_be_visible()
    assert context.browser is not None
    with context.browser.new_context() as another:
        late = another.new_page()
        late.goto(link)
        expect(late.get_by_role("heading", name="This address does not let you in")).to_be_visible()
        late.goto(gateway.url)
        expect(late.get_by_test_id("login")).to_be_visible()
