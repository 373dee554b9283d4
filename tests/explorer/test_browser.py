"""The page in a real browser: what a person does with it."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import gymnasium as gym
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

import cliffgym
from cliffgym import TabularMDP, optimal, scenario, soft
from cliffgym.builder import End, build_scenario
from cliffgym.explorer import LearnedPolicy, explorer_page, save_explorer, save_policies, scenario_of_tables

TIE_BREAKER = "#id=Cliff-TieBreaker-v0"
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</script><script>globalThis.hacked = 1</script><img src=x onerror='globalThis.hacked = 1'>\"&{{script}}"
IDS = list(cliffgym.SCENARIOS)


def state(page: Page) -> Any:
    return page.evaluate("globalThis.cliffgym.state()")


def settle(page: Page) -> None:
    """Waits until all is drawn: what has just been chosen is in the next frame, and what is slow after it."""
    page.evaluate(FRAMES)
    for _ in range(2000):
        if not page.evaluate("globalThis.cliffgym.busy"):
            break
        page.wait_for_timeout(10)
    else:
        pytest.fail("the page has not settled")
    page.evaluate(FRAMES)


def test_picture_out_of_sight_follows(open_page: Any) -> None:
    """The tree, below what is seen, is drawn when the page is calm, and when it comes into sight."""
    page = open_page(TIE_BREAKER, height=600)
    edge = page.locator("#tree [role=treeitem]", has_text="json").first
    page.get_by_label("Weight of target_format", exact=True).fill("-0.05")
    settle(page)
    assert "probability 0," in (edge.get_attribute("aria-label") or "")
    page.get_by_label("Weight of target_format", exact=True).fill("0.05")
    edge.scroll_into_view_if_needed()
    settle(page)
    assert "probability 1," in (edge.get_attribute("aria-label") or "")


def test_first_view_is_that_of_the_scenario(open_page: Any) -> None:
    page = open_page()
    expect(page).to_have_title("CliffGym explorer")
    expect(page.get_by_role("combobox", name="Scenario")).to_have_value("Cliff-Slacker-v0")
    assert state(page)["weights"]["instructions"] == 0
    expect(page.locator("#line")).to_contain_text("You stand on a cliff")


def test_slider_snaps_the_policy(open_page: Any) -> None:
    """P(json) is 0 below the cliff at 0, a quarter on it, and 1 above."""
    page = open_page(TIE_BREAKER + "&y=target_format")
    weight = page.get_by_label("Weight of target_format, slider")
    value = "globalThis.cliffgym.state().weights.target_format"

    def share(at: float) -> float:
        weight.evaluate("(bar, at) => { bar.value = at; bar.dispatchEvent(new Event('input')); }", at)
        settle(page)
        assert page.evaluate(value) == pytest.approx(at, abs=1e-3)
        return current_share(page)

    assert [share(at) for at in (-0.1, 0.0, 0.1)] == pytest.approx([0, 0.25, 1], abs=1e-12)
    page.get_by_label("entropy", exact=True).check()
    page.get_by_label("Temperature", exact=True).fill("0.1")
    page.keyboard.press("Enter")
    made = scenario("Cliff-TieBreaker-v0")
    exact = soft(made.mdp, made.reward("true"), 0.1).policy
    expected = cliffgym.expected_components(made.mdp, made.components, exact)["target_format"]
    assert share(0.1) == pytest.approx(expected, abs=1e-9)


def current_share(page: Page) -> float:
    """How often the shown policy chooses json, by the page's own solver."""
    return page.evaluate(
        """() => {
          const { data, decodeModel, behaviour, state } = globalThis.cliffgym, now = state();
          const entry = data.scenarios.find(({ id }) => id === now.id), model = decodeModel(entry, entry.variants[0]);
          const weights = Float64Array.from(model.names, (name) => now.weights[name]);
          return behaviour(model, { ...now, weights }).measures[model.names.indexOf("target_format")];
        }"""
    )


def test_pictures_say_what_the_policy_does(open_page: Any) -> None:
    """Bars, tree and line, as they are read aloud: on the cliff, and beside it."""
    page = open_page(TIE_BREAKER)
    bars = page.get_by_role("img", name="What the policy is worth")
    leaf = page.get_by_role("treeitem", name="json").first
    on, beside = "target_format: 0.25 \u00b7 optima 0 to 1, of 0 to 1.", "target_format: 1, of 0 to 1."
    for weight, bar, edge in (
        ("0", on, "json, probability 0.25, tied optimal, right answer in json, paid 1, incomplete 1, true 1.1"),
        ("0.1", beside, "json, probability 1, optimal, right answer in json, paid 1.1, incomplete 1, true 1.1"),
        ("-0.1", "target_format: 0, of 0 to 1.", "json, probability 0, not optimal, right answer in json, paid 0.9"),
    ):
        page.get_by_label("Weight of target_format", exact=True).fill(weight)
        settle(page)
        assert bar in (bars.get_attribute("aria-label") or "")
        assert (leaf.get_attribute("aria-label") or "").startswith(edge)
    spoken = page.locator("#line [role=slider]").first.get_attribute("aria-valuetext")
    assert spoken == "\u22120.1: expected target_format 0; nearest cliff at 0, 0.1 away"


def test_point_is_dragged_over_the_plane(open_page: Any) -> None:
    page = open_page(TIE_BREAKER)
    settle(page)
    page.locator("#plane").scroll_into_view_if_needed()
    x, y = middle_of(page, ".plane-point")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 80, y - 50, steps=4)
    page.mouse.up()
    settle(page)
    assert middle_of(page, ".plane-point") == pytest.approx((x - 80, y - 50), abs=1.5)
    moved = state(page)["weights"]
    assert moved["correct"] < 0.9
    assert moved["target_format"] > 0.15
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    settle(page)
    stepped = state(page)["weights"]
    assert stepped["correct"] == pytest.approx(moved["correct"] - 0.02)
    assert stepped["target_format"] == pytest.approx(moved["target_format"] - 0.02)


def middle_of(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_no_cliff_is_called_nearest_beside_what_is_not_traced(open_page: Any, tmp_path: Path) -> None:
    """Cliffs at -1.5 and 1.9. From 0, on a line that is traced from -1 to 2, only the one further away is known."""
    mdp = TabularMDP.from_dense([[[0, 1]] * 3, [[0, 1]] * 3], [1, 0], [False, True], gamma=1.0)
    pay, slope = np.array([[0, -1.9, -1.5], [0, 0, 0]]), np.array([[0, 1, -1], [0, 0, 0]])
    path = tmp_path / "far.html"
    save_explorer(path, scenario_of_tables("Far", mdp, pay, components={"slope": slope}))
    page = open_page("#x=slope&from=0&to=1&w.reward=1&w.slope=0", file=path)
    settle(page)
    sentence = page.locator("#line .sentence")
    expect(sentence).to_contain_text("there is no cliff from 0 to 1")
    page.get_by_label("Weight of slope", exact=True).fill("0.9")
    expect(sentence).to_contain_text("the nearest cliff is at 1.9, 1 away, outside of what is drawn")


def test_cursor_is_dragged_over_the_line(open_page: Any) -> None:
    page = open_page(TIE_BREAKER)
    cursor = page.locator("#line svg [role=slider]").first
    box = cursor.bounding_box()
    picture = page.locator("#line svg").first.bounding_box()
    assert box
    assert picture
    x, y = box["x"] + box["width"] / 2, picture["y"] + picture["height"] / 2
    before = state(page)["weights"]["target_format"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y, steps=6)
    page.mouse.up()
    settle(page)
    moved = state(page)["weights"]["target_format"]
    assert moved < before - 0.02
    assert float(cursor.get_attribute("aria-valuenow") or "nan") == pytest.approx(moved)
    cursor.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert state(page)["weights"]["target_format"] > moved
    page.keyboard.press("Home")
    settle(page)
    assert state(page)["weights"]["target_format"] == -0.2


def test_typed_numbers_are_exact_and_steps_land_on_cliffs(open_page: Any) -> None:
    page = open_page("#id=Cliff-LengthPenalty-v0")
    page.get_by_label("Weight of length", exact=True).fill("-0.3")
    settle(page)
    assert state(page)["weights"]["length"] == -0.3
    page.get_by_role("button", name="To the previous cliff").click()
    settle(page)
    assert state(page)["weights"]["length"] == pytest.approx(-1 / 3, abs=1e-12)
    expect(page.locator("#line .sentence")).to_contain_text("You stand on a cliff")
    page.get_by_role("button", name="Just after the nearest cliff").click()
    settle(page)
    assert state(page)["weights"]["length"] == pytest.approx(-1 / 3 + 1.4e-4, abs=1e-9)


def test_a_number_is_not_touched_while_it_is_typed(open_page: Any) -> None:
    page = open_page(TIE_BREAKER)
    settle(page)
    field = page.locator("#line").get_by_label("x from")
    field.fill("-0.")
    page.evaluate("globalThis.cliffgym.setState({ tieRule: 'first' })")
    settle(page)
    expect(field).to_have_value("-0.")
    page.keyboard.type("15")
    page.keyboard.press("Enter")
    settle(page)
    assert state(page)["range"] == [-0.15, 0.2]
    for key in ("ArrowUp", "ArrowUp", "ArrowDown"):  # faster than frames come
        page.keyboard.press(key)
    settle(page)
    assert state(page)["range"][0] == pytest.approx(-0.15 + 0.0035, abs=1e-4)  # of a range that moves too


def test_state_is_restored_from_the_address(open_page: Any, until: Any) -> None:
    first = open_page(TIE_BREAKER)
    first.get_by_label("formats").select_option(label="plain, json")
    first.get_by_label("KL to reference").check()
    first.get_by_label("Weight of correct", exact=True).fill("0.123456789")
    first.get_by_label("Ties are broken").select_option("worst")
    first.get_by_label("Prompt", exact=True).select_option("2")
    until(first, "location.hash.includes('0.123456789') && location.hash.includes('prompt=2')")
    address = first.evaluate("location.hash")
    second = open_page(address)
    assert state(second) == state(first)
    assert state(second)["regulariser"] == "kl"
    assert state(second)["parameters"]["formats"] == ["plain", "json"]
    second.evaluate("location.hash = '#id=Cliff-Sophistry-v0'")
    until(second, "globalThis.cliffgym.state().id === 'Cliff-Sophistry-v0'")


def test_bad_addresses_are_said_and_the_rest_is_taken(open_page: Any) -> None:
    bad = (
        "#id=Cliff-TieBreaker-v0&w.target_format=lots&mode=soft&nonsense=1&x=<img src=x onerror=alert(1)>&w.correct=0.5"
    )
    page = open_page(bad)
    message = page.locator("#messages")
    for part in ("target_format", 'got "soft"', "nonsense", "<img src=x"):
        expect(message).to_contain_text(part)
    assert state(page)["weights"] == {"correct": 0.5, "target_format": 0.1, "malformed": 0}
    expect(open_page("#id=Cliff-Nothing-v0").locator("#messages")).to_contain_text("Cliff-Nothing-v0")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Two policies of TieBreaker, one of another size that the page has, and one that it cannot have."""
    made, two = scenario("Cliff-TieBreaker-v0"), scenario("Cliff-TieBreaker-v0", answers=2)
    other = scenario("Cliff-TieBreaker-v0", problems=7)
    path = tmp_path / "policies.json"
    policies = [
        LearnedPolicy(
            made, optimal(made.mdp, made.reward("true")).policy, "greedy", {"correct": 1, "target_format": 0.05}
        ),
        LearnedPolicy(made, made.reference, HOSTILE * 5, {"correct": 1, "target_format": -0.05}, {"hostile": HOSTILE}),
        LearnedPolicy(two, two.reference, "of two answers", "true"),
        LearnedPolicy(other, other.reference, "of seven problems", "true"),
    ]
    save_policies(path, policies)
    return path


def test_learned_policies_appear(open_page: Any, policies: Path) -> None:
    page = open_page(TIE_BREAKER)
    page.get_by_label("Files of learned policies").set_input_files(policies)
    listed = page.get_by_role("list", name="Policies of what is shown").get_by_role("listitem")
    expect(listed).to_have_count(2)
    settle(page)
    titles = page.locator("#line .learned title").all_text_contents()
    assert titles[0] == "greedy: expected target_format 1 at weight of target_format 0.05"
    listed.nth(1).get_by_role("button").first.click()
    settle(page)
    expect(page.locator("#learned")).to_contain_text("answers = 2")
    expect(page.locator("#learned")).to_contain_text("problems = 7")
    assert page.evaluate("globalThis.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#learned").get_by_role("button", name="Show 1 policy").click()
    settle(page)
    assert state(page)["parameters"]["answers"] == 2


def test_learned_policies_are_dropped(open_page: Any, policies: Path) -> None:
    page = open_page(TIE_BREAKER)
    transfer = page.evaluate_handle(
        """(text) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], "dropped.json", { type: "application/json" }));
          return transfer;
        }""",
        policies.read_text(encoding="utf-8"),
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.get_by_role("list", name="Policies of what is shown").get_by_role("listitem")).to_have_count(2)


def broken(policies: Path, **changes: Any) -> str:
    content = json.loads(policies.read_text(encoding="utf-8"))
    content["policies"][0] |= changes
    return json.dumps(content)


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


WRONG = [
    (lambda _: "not JSON", "JSON"),
    (lambda _: "[]", "an object"),
    (lambda _: '{"format": "other/1", "policies": []}', "other/1"),
    (lambda _: '{"format": "cliffgym.policies/1", "policies": 3}', "policies"),
    (lambda path: broken(path, policy=[[1.0]]), "65 rows"),
    (lambda path: broken(path, policy=[[0.5] * 7] * 65), "sum"),
    (lambda path: broken(path, policy=[[2, -1, 0, 0, 0, 0, 0]] * 65), "-1"),
    (lambda path: broken(path, policy=[["1", 0, 0, 0, 0, 0, 0]] * 65), '"1"'),
    (lambda path: broken(path, weights={"nice": 1}), "nice"),
    (lambda path: broken(path, weights={"correct": None}), "correct"),
    (lambda path: broken(path, label=[HOSTILE]), "label"),
    (lambda path: broken(path, settings="x"), "settings"),
    (lambda path: broken(path, settings=nested(9)), "nested at most 8 deep"),
    (lambda path: broken(path, fingerprint="other", policy=[[1.0] + [0.0] * 9999, *[[1.0]] * 9999]), "10000 prob"),
]
"""How a file is made wrong, and what its message must say."""


def test_wrong_files_give_a_message(open_page: Any, policies: Path, tmp_path: Path) -> None:
    page = open_page(TIE_BREAKER)
    alert = page.get_by_role("alert")
    for number, (make, message) in enumerate(WRONG):
        wrong = tmp_path / f"wrong-{number}.json"
        wrong.write_text(make(policies), encoding="utf-8")
        page.get_by_label("Files of learned policies").set_input_files(wrong)
        expect(alert).to_contain_text(wrong.name)
        expect(alert).to_contain_text(message)
        expect(page.get_by_role("list", name="Policies of what is shown")).to_have_count(0)
        alert.get_by_role("button", name="Dismiss this message").click()
        expect(alert).to_have_text("")
    assert page.evaluate("globalThis.hacked") is None


@pytest.mark.parametrize("figure", ["line", "bars", "plane", "tree"])
def test_every_picture_is_saved_as_svg(open_page: Any, policies: Path, tmp_path: Path, figure: str) -> None:
    page = open_page("#id=Cliff-TieBreaker-v0&mode=entropy&temperature=0.1")
    page.get_by_label("Files of learned policies").set_input_files(policies)
    page.get_by_role("list", name="Policies of what is shown").get_by_role("button").first.click()
    settle(page)
    with page.expect_download() as download:
        page.locator(f"#{figure}").get_by_role("button", name="Save").click()
    path = tmp_path / "saved.svg"
    download.value.save_as(path)
    assert download.value.suggested_filename.endswith(".svg")
    tree = ET.parse(path)  # noqa: S314  # our own file
    root = tree.getroot()
    assert root.tag == f"{SVG}svg"
    assert float(root.get("width") or 0) > 200
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not names & {"script", "foreignObject", "image", "use", "style", "a"}
    assert all("href" not in name and not name.startswith("on") for e in root.iter() for name in e.attrib)
    assert any("font" in name or "font" in (e.get("style") or "") for e in root.iter() for name in e.attrib)
    assert not any("var(" in value for e in root.iter() for value in e.attrib.values())


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_overflows(open_page: Any, width: int) -> None:
    page = open_page(width=width)
    for id in IDS:
        page.evaluate("(id) => globalThis.cliffgym.setState({ id })", id)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, id


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400), ("dark", 400)])
def test_accessibility_rules_hold(open_page: Any, policies: Path, scheme: str, width: int) -> None:
    page = open_page("#id=Cliff-TieBreaker-v0&mode=entropy", width=width, color_scheme=scheme)
    page.get_by_label("Files of learned policies").set_input_files(policies)
    page.get_by_role("list", name="Policies of what is shown").get_by_role("button").first.click()
    for id in ("Cliff-TieBreaker-v0", "Cliff-Obedience-v0", "Cliff-MultiReward-v0"):
        page.evaluate("(id) => globalThis.cliffgym.setState({ id })", id)
        settle(page)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_all_is_reached_by_keyboard(open_page: Any) -> None:
    page = open_page(TIE_BREAKER)
    settle(page)
    reached = []
    for _ in range(120):
        page.keyboard.press("Tab")
        label = page.evaluate(
            """() => {
              const at = document.activeElement;
              if (at === document.body) return null;
              const role = at.getAttribute("role") ?? at.localName;
              return `${at.closest("figure, section, header")?.id}: ${role}`;
            }"""
        )
        if label is None:
            break
        reached.append(label)
    for wanted in (
        "scenario: select",
        "weights: input",
        "training: input",
        "learned: input",
        "line: slider",
        "plane: input",
    ):
        assert wanted in reached, (wanted, reached)
    assert any(label.startswith("tree: ") and "treeitem" in label for label in reached), reached
    page.locator("#tree [role=treeitem][tabindex='0']").first.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    settle(page)
    assert state(page)["selected"] is not None


def test_hostile_names_do_not_run(open_page: Any, until: Any, tmp_path: Path) -> None:
    long = HOSTILE * 10
    made = build_scenario(
        id=HOSTILE,
        prompts=[long, "second"],
        tokens=[long, "other"],
        gamma=1.0,
        components=[HOSTILE, "second", "constructor", "__proto__"],
        rule=lambda prompt, tokens: End(long, {HOSTILE: float(tokens[0] == "other"), "second": float(prompt)}),
        rewards={"incomplete": {HOSTILE: 1}, "true": {"second": 1}, HOSTILE: {HOSTILE: -1}},
        token_texts={"other": long},
    )
    path = tmp_path / "hostile.html"
    save_explorer(path, made)
    for width in (400, 1280):
        page = open_page(file=path, width=width)
        settle(page)
        assert page.evaluate("globalThis.hacked") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelectorAll('img').length") == 0
        assert state(page)["id"] == HOSTILE
        weights = "Object.entries(globalThis.cliffgym.state().weights)"
        assert page.evaluate(weights)[:4] == [[HOSTILE, 1], ["second", 0], ["constructor", 0], ["__proto__", 0]]
        page.get_by_label("Weight of __proto__", exact=True).fill("0.5")
        until(page, "location.hash.includes('0.5')")
        assert ["__proto__", 0.5] in open_page(page.evaluate("location.hash"), file=path).evaluate(weights)


def test_page_works_in_a_sandboxed_frame(open_page: Any, tmp_path: Path) -> None:
    """As in a notebook: the page is the frame's own text, without an address or storage of its own."""
    from html import escape

    path = tmp_path / "frame.html"
    inner = explorer_page("Cliff-TieBreaker-v0")
    path.write_text(
        "<!doctype html><title>frame</title><link rel=icon href='data:,'><script>globalThis.cliffgym = { ready: true }"
        f"</script><iframe sandbox='allow-scripts' width=900 height=900 srcdoc='{escape(inner, quote=True)}'></iframe>",
        encoding="utf-8",
    )
    page = open_page(file=path)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("combobox", name="Scenario")).to_have_value("Cliff-TieBreaker-v0")
    frame.get_by_label("Weight of target_format", exact=True).fill("0")
    expect(frame.locator("#line .sentence")).to_contain_text("You stand on a cliff")


def test_own_mdp_with_chance_and_cycles(open_page: Any, tmp_path: Path) -> None:
    mdp, reward = TabularMDP.from_gym(gym.make("FrozenLake-v1"))
    steps = np.where(mdp.terminal[:, None], 0.0, 1.0) * np.ones(reward.shape)
    path = tmp_path / "lake.html"
    save_explorer(path, scenario_of_tables("FrozenLake", mdp, reward, components={"steps": steps}))
    page = open_page(file=path)
    settle(page)
    page.get_by_label("Weight of steps", exact=True).fill("-0.01")
    settle(page)
    found = page.evaluate(
        """() => {
          const { data, decodeModel, combine, optimal } = globalThis.cliffgym;
          const model = decodeModel(data.scenarios[0], data.scenarios[0].variants[0]);
          return optimal(model, combine(model, Float64Array.of(1, -0.01))).expectedReturn;
        }"""
    )
    assert found == pytest.approx(optimal(mdp, reward - 0.01 * steps).expected_return, abs=1e-12)


def test_plane_says_what_adjoins_a_border(open_page: Any) -> None:
    """On a cliff the hard optimum is no single number; beside it, it is named as what it is under entropy too."""
    page = open_page(TIE_BREAKER + "&y=target_format&w.target_format=0")
    settle(page)
    plane, slider = page.locator("#plane"), page.locator("#plane .hidden-slider").first
    expect(plane.locator(".reading")).to_have_text("on a border: 0 to 1")
    assert plane.locator(".cell-here").count() == 2
    spoken = slider.get_attribute("aria-valuetext") or ""
    assert spoken.endswith("; expected target_format: on a border: 0 to 1")
    page.evaluate("globalThis.cliffgym.setState({ weights: { target_format: 0.1 }, regulariser: 'entropy' })")
    settle(page)
    expect(plane.locator(".reading")).to_have_text("hard optimum here 1")
    assert plane.locator(".cell-here").count() == 1


def test_a_finger_scrolls_over_the_line_and_taps_or_drags_its_cursor(open_page: Any, until: Any) -> None:
    page = open_page(TIE_BREAKER, width=400, height=700, has_touch=True, is_mobile=True)
    settle(page)
    client = page.context.new_cdp_session(page)

    def weight() -> float:
        settle(page)
        return state(page)["weights"]["target_format"]

    def swipe(x: float, y: float, dx: float, dy: float) -> None:
        for step in range(9):
            point = {"x": x + dx * step / 8, "y": y + dy * step / 8}
            kind = "touchMove" if step else "touchStart"
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        page.wait_for_timeout(200)  # a finger that rests before it lifts throws nothing
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        rest()

    def rest() -> None:
        """Waits until the page no longer scrolls: what a finger aims at would move on under it."""
        places = [page.evaluate("scrollY")]
        while len(places) < 4 or len(set(places[-4:])) > 1:
            page.wait_for_timeout(50)
            page.evaluate(FRAMES)
            places.append(page.evaluate("scrollY"))

    page.locator("#line svg").scroll_into_view_if_needed()
    rest()
    before, scrolled = weight(), page.evaluate("scrollY")
    x, y = middle_of(page, "#line .picture")
    swipe(x, y, 6, -150)
    assert weight() == before
    assert page.evaluate("scrollY") > scrolled + 50
    x, y = middle_of(page, "#line .handle")
    swipe(x, y + 14, -60, 5)
    box = "document.querySelector('#line .handle').getBoundingClientRect()"
    until(page, f"Math.abs({box}.x + {box}.width / 2 - {x - 60}) < 5")
    dragged = weight()
    assert dragged < before
    x, y = middle_of(page, "#line .picture")
    for _ in range(10):  # a tap that a busy machine stretches is a long press, which does nothing
        page.touchscreen.tap(x + 60, y)
        page.wait_for_timeout(300)
        if weight() > dragged:
            return
    pytest.fail(f"a tap did not move the cursor from {dragged}")


def test_what_is_learned_of_illegal_tokens_is_shown(open_page: Any, tmp_path: Path) -> None:
    """The learned numbers of a node sum to 1."""
    made, path = scenario("Cliff-TieBreaker-v0"), tmp_path / "even.json"
    even = np.full_like(made.reference, 1 / made.reference.shape[1])
    save_policies(path, [LearnedPolicy(made, even, "even", "true")])
    page = open_page(TIE_BREAKER)
    page.get_by_label("Files of learned policies").set_input_files(path)
    settle(page)
    prompt = page.get_by_role("treeitem", name="illegal tokens").last
    share = 1 - made.mdp.action_mask[made.mdp.initial.argmax()].mean()
    assert prompt.get_attribute("aria-label") == f"illegal tokens, learned {share:.4g}"
    expect(prompt).to_contain_text(f"{share:.3f}")
    assert Axe().run(page).violations_count == 0


def test_policies_without_a_place_on_the_axes_are_counted(open_page: Any, tmp_path: Path) -> None:
    made, path = scenario("Cliff-TieBreaker-v0"), tmp_path / "places.json"
    near, far = ({"correct": 1.0, "target_format": weight} for weight in (0.05, 40.0))
    rewards = ("near", near), ("far", far), ("by state", {"correct": np.linspace(0, 1, len(made.reference))})
    save_policies(path, [LearnedPolicy(made, made.reference, label, reward) for label, reward in rewards])
    page = open_page(TIE_BREAKER)
    page.get_by_label("Files of learned policies").set_input_files(path)
    settle(page)
    expect(page.locator("#messages")).to_contain_text("2 have a place on the axes of weights")
    expect(page.locator("#messages")).to_contain_text("1 has none")
    for figure in ("line", "plane"):
        expect(page.locator(f"#{figure}")).to_contain_text("Of 3 learned policies 2 are not drawn here")
        assert page.locator(f"#{figure} .learned").count() == 1


def test_a_scenario_as_it_is_shows_its_arguments(open_page: Any, tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    save_explorer(path, scenario("Cliff-TieBreaker-v0", answers=2))
    expect(open_page(file=path).locator("#scenario .arguments")).to_contain_text("answers = 2")


@pytest.mark.parametrize("width", [400, 1000, 1280])
def test_nothing_overflows_with_large_text(open_page: Any, width: int) -> None:
    page = open_page(width=width)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_timeout(100)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_is_light_and_without_controls(open_page: Any) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 248)"
    expect(page.locator("#line .picture")).to_be_visible()
    expect(page.locator("#tools")).to_be_hidden()
    expect(page.get_by_role("button").first).to_be_hidden()
