"""Texts that attack the page: nothing runs, nothing is asked for, nothing breaks the layout, all of it can be read."""

import random
from urllib.parse import urlencode

import pytest
import reports
from browser_pages import make_report

SCRIPT = "<script>window.harmed = 1; alert(1)</script>"
ATTACKS = {
    "script": SCRIPT,
    "onerror": "<img src=x onerror=\"window.harmed = 1\"><svg onload='window.harmed = 1'>",
    "closing tags": f"</script></style></title></textarea></div></body></html>{SCRIPT}",
    "comment": f"<!-- <script> --> --!> ]]> {SCRIPT}",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7} {#",
    "link": '<a href="javascript:window.harmed = 1">x</a><base href="http://127.0.0.1:9/"><link href=//127.0.0.1:9/a>',
    "entities": "&lt;script&gt; &amp;amp; &#60;",
    "quotes": '" \' ` onfocus=window.harmed=1 autofocus x="',
    "bidi": "safe \u202egnikcatta\u202c \u2066isolated\u2069 \u200fmark",
    "controls": "nul \x00 bell \x07 escape \x1b[31m delete \x7f line \u2028 end",
    "surrogates": "lone \ud800 and \udfff and a pair \U0001f600",
    "long word": "W" * 30_000,
    "combining": "Z" + "\u0301" * 5_000,
    "prototype": "__proto__ constructor toString",
}
ALLOWED_WORDS = ("matches", "no match")


def hostile(name, attack, place):
    return reports.sample(
        place, "model", random.Random(place), id=f"{place:05}", pair_id=attack[:500], domain=attack[:500],
        context=({"role": attack[:500], "content": attack},), response1=attack, response2=attack, text=attack,
        references=(attack, "second"), reasons=(attack, "other"), scores=((0, 0, 0.5), (1, 1, 0.25)),
        matches=((0, 0, 0.5), (1, 1, 0.25)), classes=(attack[:100], "EG"), flaws=((attack[:100],), ("F1",)),
        status="ok", judge_status=attack[:100], error=attack, rc=0.375, right=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(folder):
    """Every attack in every field of samples and documents."""
    views = [hostile(name, attack, place) for place, (name, attack) in enumerate(ATTACKS.items())]
    paths = []
    for place, (name, attack) in enumerate(ATTACKS.items()):
        short = attack[:300]
        paths.append(
            reports.write_eval(
                folder / f"hostile-{place}", short, views if name == "script" else [], notes=(attack,),
                manifest={short: attack, "list": [attack]}, statuses={short: 1, "ok": 3},
                estimates=[
                    reports.estimate(metric, 0.5, slice=of, rule=short)
                    for metric in ("oa", "rc", short) for of in ("overall", short)
                ],
            )
        )  # fmt: skip
        points = [{short: attack, "x": 0.1, "y": 0.2}, {"x": 0.3, "y": 0.4, "name": attack}]
        figures = [reports.estimate("r2", 0.5)]
        path = folder / f"hostile-{place}.json"
        paths.append(reports.write_analysis(path, "agreement", (short, "other"), figures, points, (attack,)))
    paths.append(reports.taxonomy(folder / "hostile-taxonomy.json", [attack[:300] for attack in ATTACKS.values()]))
    return make_report(paths, folder / "hostile.html")


def unharmed(page):
    assert page.evaluate("window.harmed") is None
    assert (
        page.evaluate("document.querySelectorAll('main :is(script, style, img, iframe, link, base, meta)').length") == 0
    )
    outside = page.evaluate(
        "[...document.querySelectorAll('body *')].some((one) => [...one.attributes].some((a) => /^on/i.test(a.name)))"
    )
    assert not outside
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.is_visible(".top")


def shown(attack):
    """What a reader must see of it: hidden characters by code point, the rest as it is."""
    marks = {one: f"⟦U+{ord(one):04X}⟧" for one in "\u202e\u202c\u2066\u2069\u200f\x00\x07\x1b\x7f\u2028\ud800\udfff"}
    return "".join(marks.get(one, one) for one in attack)


@pytest.mark.parametrize("place", range(len(ATTACKS)), ids=list(ATTACKS))
def test_a_sample_is_only_text(open_report, report, place):
    attack = list(ATTACKS.values())[place]
    run = shown(SCRIPT).replace("%", "%25").replace("/", "%2F")  # the first "/" of an address ends the run's name
    page = open_report(report, urlencode({"view": "samples", "sample": f"{run}/{place:05}"}))
    page.wait_for_selector("#sample .facts")
    unharmed(page)
    for body in page.locator(".response .text").all():
        text = body.evaluate("(one) => one.textContent")
        assert text == shown(attack)[: len(text)]
        assert len(text) >= min(20_000, len(attack))
    assert page.locator(".lines path.chosen").count() == 2


def test_figures_and_tables_are_only_text(open_report, report):
    page = open_report(report)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    unharmed(page)
    text = page.evaluate("document.getElementById('figures').textContent")
    for name in ("script", "onerror", "closing tags", "comment", "template", "bidi", "controls", "surrogates"):
        assert shown(ATTACKS[name]) in text, name
    assert not any((ord(one) < 32 and one not in "\n\t") or one in "\u202e\u2066" for one in text)


def test_a_megabyte_is_cut_and_shown_when_asked_for(open_report, folder):
    huge = ("0123456789 <b>&" * 70_000)[:1_000_000]
    views = [hostile("huge", huge, 0)]
    page = open_report(
        make_report([reports.write_eval(folder / "huge", "m", views)], folder / "huge.html"),
        "view=samples&sample=m/00000",
    )
    page.wait_for_selector("#sample .facts")
    unharmed(page)
    length = "(one) => one.textContent.length"
    assert page.locator(".response .text").first.evaluate(length) == 20_000
    page.locator(".response button").first.click()
    assert page.locator(".response .text").first.evaluate("(one) => one.textContent") == huge
    unharmed(page)


def test_a_hostile_address_finds_nothing_and_harms_nothing(open_report, report):
    for route in (
        urlencode({"view": SCRIPT, "run": SCRIPT, "q": SCRIPT, "sample": SCRIPT, "rc": f"{SCRIPT}..NaN"}),
        "view=samples&flaw=F9&class=__proto__&verdict=constructor&sort=toString",
        "%00%ff=%zz&=&view=samples",
        "nowhere", "<img src=x onerror=alert(1)>",
    ):  # fmt: skip
        unharmed(open_report(report, route))
