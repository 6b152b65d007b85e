"""Templates render, share what a group shares, say what they must, and are versioned."""

import ast
import re
import subprocess
import sys
import zipfile
from itertools import takewhile
from pathlib import Path

import pytest
import rationale_rm as core
from rationale_rm import Pair, prompts
from rationale_rm.prompts import build, marks, regexes, render

KEY = b"0123456789abcdef"
TEMPLATES = Path(prompts.__file__).parent
RULED = [name for name in render.VERSIONS if name != "genrm_brief"]
"""Prompts with rules and marked texts."""
ANNOTATORS = [
    prompts.Annotator(reasoning="@Response 1 closes the file.", feedback1="It is mostly right.", score=-2),
    prompts.Annotator(reasoning="@Response 2 leaks it.", feedback2="It leaks.", score=-1),
]


def pair(context="Sort a list.", response1="first text", response2="second text"):
    return Pair(id="p", domain="code", context=context, response1=response1, response2=response2, references=("r",))


def everything(call="call"):
    """Each prompt in its variants."""
    return {
        "genrm": prompts.genrm(pair(), key=KEY, call=call),
        "genrm free": prompts.genrm(pair(), key=KEY, call=call, n_reasons=None),
        "genrm one": prompts.genrm(pair(), key=KEY, call=call, n_reasons=1, swapped=True),
        "metajudge": prompts.metajudge(["a", "b"], ["c", "d", "e"], key=KEY, call=call),
        "metajudge bounded": prompts.metajudge(["a"], ["c"], key=KEY, call=call, swapped=True, reasoning_chars=800),
        "metajudge at once": prompts.metajudge(["a"], ["c"], key=KEY, call=call, reasoning_chars=0),
        "metajudge no reasons": prompts.metajudge(["a", "b"], [], key=KEY, call=call),
        "decomposition": prompts.decomposition("Q", "x", "y", ANNOTATORS, key=KEY, call=call),
        "decomposition strengths": prompts.decomposition(
            "Q", None, None, ANNOTATORS[:1], key=KEY, call=call, strengths=True
        ),
        "taxonomy": prompts.taxonomy("Q", "x", "y", ["c", "d"], key=KEY, call=call),
        "taxonomy one": prompts.taxonomy("Q", "x", "y", ["c"], key=KEY, call=call, swapped=True),
    }


def text_of(prompt):
    return "\n".join(message["content"] for message in prompt.messages)


def user(prompt):
    return prompt.messages[1]["content"]


# --- versions ----------------------------------------------------------------------------------------------


def test_ids_are_pinned():
    """A change of a prompt changes these on purpose: raise its version in render.py, and say so in CHANGELOG.md."""
    assert {name: prompts.template_id(name) for name in render.VERSIONS} == {
        "genrm": "genrm/1:4bf8cbb7",
        "genrm_brief": "genrm_brief/1:cd9059ae",
        "metajudge": "metajudge/1:6e2fece9",
        "decomposition": "decomposition/1:ffe437fc",
        "taxonomy": "taxonomy/2:ffbb9ac8",
    }


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *((name, f"{name}/call.j2") for name in render.VERSIONS),
        *((name, path.format(name)) for name in RULED for path in ("{}/rules.j2", "_marked.j2")),
    ],
)
def test_any_change_of_a_template_changes_the_id(name, path, monkeypatch):
    sources = dict(render._sources())
    assert path in sources
    before = render.template_id.__wrapped__(name)
    monkeypatch.setattr(render, "_sources", lambda: {**sources, path: sources[path] + " "})
    assert render.template_id.__wrapped__(name) != before
    monkeypatch.setattr(render, "_sources", lambda: sources)
    assert render.template_id.__wrapped__(name) == before


def test_a_change_of_the_neutralisation_changes_the_id(monkeypatch):
    before = render.template_id.__wrapped__("metajudge")
    monkeypatch.setattr(render, "REVISION", 2)
    assert render.template_id.__wrapped__("metajudge") != before


def test_other_prompts_do_not_change_the_id(monkeypatch):
    sources = dict(render._sources())
    before = render.template_id.__wrapped__("metajudge")
    monkeypatch.setattr(render, "_sources", lambda: {**sources, "genrm/rules.j2": "other"})
    assert render.template_id.__wrapped__("metajudge") == before


def test_unknown_prompts_are_refused():
    with pytest.raises(core.RationaleError, match="no prompt 'judge': expected one of genrm, genrm_brief, metajudge"):
        prompts.template_id("judge")


def test_every_template_is_listed():
    """A file that is not listed would neither be rendered nor hashed."""
    there = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.j2")}
    assert there == set(render._sources())


def test_prompts_name_their_template():
    for name, prompt in everything().items():
        assert prompt.template == prompts.template_id(name.split()[0])


# --- rendering ---------------------------------------------------------------------------------------------


def test_every_prompt_is_a_system_and_a_user_message():
    for name, prompt in everything().items():
        assert [message["role"] for message in prompt.messages] == ["system", "user"], name
        text = text_of(prompt)
        assert not re.search(r"\{[{%#]|[%#}]\}", text), name  # no Jinja syntax left
        assert "\n\n\n" not in text, name
        assert "None" not in text.replace("- None", ""), name
        assert all(line == line.rstrip() for line in text.split("\n")), name


def test_a_missing_value_is_an_error_and_not_an_empty_text():
    import jinja2

    with pytest.raises(jinja2.UndefinedError):
        render.render("metajudge/shared.j2", texts=[], n=0)


def test_braces_in_texts_are_no_templates():
    prompt = prompts.metajudge(["{{ code }} {% endfor %} {# x #}"], ["{{ 7 * 7 }}"], key=KEY, call="c")
    assert "{{ code }} {% endfor %} {# x #}" in user(prompt)
    assert "{{ 7 * 7 }}" in user(prompt)


def test_markup_of_html_is_not_escaped():
    prompt = prompts.metajudge(["a <b> & 'c'"], ['"d" > e'], key=KEY, call="c")
    assert "a <b> & 'c'" in user(prompt)
    assert '"d" > e' in user(prompt)


def test_without_jinja_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from rationale_rm import RationaleError, prompts\n"
        "print(prompts.template_id('genrm'))\n"
        "try: prompts.metajudge(['a'], ['b'], key=bytes(16), call='c')\n"
        "except ImportError as error: print(isinstance(error, RationaleError), error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == prompts.template_id("genrm")  # a dry run needs no jinja2
    assert second == 'True this needs jinja2: pip install "rationale-rm[judge]"'


def test_importing_prompts_loads_no_jinja():
    code = "import rationale_rm.prompts, sys; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_wheel_holds_the_templates():
    """Checked on a wheel that was built; `make wheel` runs the smoke test on an installed one."""
    wheels = sorted((TEMPLATES.parents[2] / "dist").glob("rationale_rm-*.whl"))
    for wheel in wheels[-1:]:
        names = zipfile.ZipFile(wheel).namelist()
        assert {f"rationale_rm/prompts/{path}" for path in render._sources()} <= set(names)
    # Where none was built: what maturin packs is the package folder, so the templates must lie in it.
    assert all((TEMPLATES / path).is_file() for path in render._sources())


# --- what a group shares -----------------------------------------------------------------------------------


def shared_prefix(texts):
    return "".join(letters[0] for letters in takewhile(lambda at: len(set(at)) == 1, zip(*texts, strict=False)))


def test_a_group_shares_rules_and_human_list_byte_for_byte():
    references = ["the first human reason", "the second <RESULT_END> human reason"]
    asked = [
        prompts.metajudge(references, reasons, key=KEY, call=str(number), swapped=swapped, reasoning_chars=500)
        for number, (reasons, swapped) in enumerate([(["x"], False), (["x"], True), ([], False), (["y"] * 9, False)])
    ]
    assert len({prompt.messages[0]["content"] for prompt in asked}) == 1
    prefix = shared_prefix([user(prompt) for prompt in asked])
    assert "the first human reason" in prefix
    assert "the second ‹RESULT_END› human reason" in prefix
    assert prefix.count(" end]") == 1, "the human list is closed within the prefix"


def test_rules_are_the_same_for_all_groups_and_keys():
    one = prompts.metajudge(["a"], ["b"], key=KEY, call="1")
    other = prompts.metajudge(["c", "d"], [], key=b"another key of a run", call="2", swapped=True)
    assert one.messages[0] == other.messages[0]
    assert "[#CODE" in one.messages[0]["content"]
    assert not re.search(r"\[#[0-9a-f]{6}", one.messages[0]["content"])


def test_conversations_and_responses_are_shared_where_they_are_equal():
    first = prompts.taxonomy("the question", "x", "y", ["a"], key=KEY, call="1")
    second = prompts.taxonomy("the question", "x", "y", ["b", "c"], key=KEY, call="2")
    prefix = shared_prefix([user(first), user(second)])
    assert prefix.count(" end]") == 2
    first = prompts.genrm(pair("the question"), key=KEY, call="1")
    second = prompts.genrm(pair("the question", "other"), key=KEY, call="2", swapped=True)
    assert "the question" in shared_prefix([user(first), user(second)])


def test_equal_arguments_give_equal_prompts():
    """Caches of servers, and reruns, live on it."""
    assert everything() == everything()
    assert [user(prompt) for prompt in everything("1").values()] != [user(p) for p in everything("2").values()]


# --- marker codes ------------------------------------------------------------------------------------------


def codes(prompt):
    return list(dict.fromkeys(re.findall(r"^\[#([0-9a-f]+) ", user(prompt), re.MULTILINE)))


def test_shared_codes_follow_the_content_and_call_codes_the_call():
    first, second = (prompts.metajudge(["a"], ["b"], key=KEY, call=call) for call in ("1", "2"))
    assert codes(first)[0] == codes(second)[0]
    assert codes(first)[1] != codes(second)[1]
    other = prompts.metajudge(["A"], ["b"], key=KEY, call="1")
    assert not set(codes(first)) & set(codes(other))
    assert not set(codes(first)) & set(codes(prompts.metajudge(["a"], ["b"], key=b"k" * 16, call="1")))


def test_every_section_has_a_code_of_its_own():
    for name, prompt in everything().items():
        found = codes(prompt)
        assert len(found) == 2, name
        assert all(len(code) == 12 for code in found), name
        assert all(f"marker code {code}" in user(prompt) for code in found[1:]), name


def test_contents_do_not_run_together():
    assert marks.code(KEY, "p", "ab", "c") != marks.code(KEY, "p", "a", "bc")
    assert marks.code(KEY, "p", "a") != marks.code(KEY, "p", "a", "")
    assert marks.code(KEY, "p", "\ud800") != marks.code(KEY, "p", "?")


def test_short_keys_are_refused():
    with pytest.raises(core.RationaleError, match="at least 16 bytes, not 3"):
        prompts.metajudge(["a"], ["b"], key=b"key", call="c")
    assert len(prompts.new_key()) >= 16
    assert prompts.new_key() != prompts.new_key()


def test_each_text_stands_behind_its_own_marker():
    prompt = prompts.metajudge(["one", "two\nlines"], ["three"], key=KEY, call="c")
    shared, own = codes(prompt)
    assert f"[#{shared} R1]\none\n[#{shared} R2]\ntwo\nlines\n[#{shared} end]\n" in user(prompt)
    assert f"[#{own} S1]\nthree\n[#{own} end]\n" in user(prompt)


# --- what is said ------------------------------------------------------------------------------------------


def test_the_sides_of_the_model_list_are_stated():
    straight, swapped = (
        user(prompts.metajudge(["a"], ["A is B."], key=KEY, call="c", swapped=swapped)) for swapped in (False, True)
    )
    assert "A is response 1 and B is response 2" in straight
    assert "A is response 2 and B is response 1" in swapped
    assert "\nA is B.\n" in straight
    assert "\nA is B.\n" in swapped  # the text itself is never rewritten


def test_a_swapped_pair_is_shown_in_the_other_order():
    straight = user(prompts.genrm(pair(), key=KEY, call="c"))
    swapped = user(prompts.genrm(pair(), key=KEY, call="c", swapped=True))
    assert straight.index("Response A]\nfirst text") < straight.index("Response B]\nsecond text")
    assert swapped.index("Response A]\nsecond text") < swapped.index("Response B]\nfirst text")
    swapped = user(prompts.taxonomy("Q", "first text", "second text", ["r"], key=KEY, call="c", swapped=True))
    assert "Response A]\nsecond text" in swapped


def test_the_number_of_reasons():
    for n_reasons, words in ((5, "exactly 5 reasons"), (1, "exactly 1 reason,"), (None, "As many")):
        prompt = prompts.genrm(pair(), key=KEY, call="c", n_reasons=n_reasons)
        expected = words.rstrip(",")
        assert expected.lower() in text_of(prompt).lower().replace("give as many", "as many")
        assert ("exactly" in user(prompt)) == (n_reasons is not None)
    with pytest.raises(core.RationaleError, match="n_reasons must be at least 1 or None, not 0"):
        prompts.genrm(pair(), key=KEY, call="c", n_reasons=0)


def test_the_genrm_is_told_the_five_verdicts_and_the_headings():
    rules = prompts.genrm(pair(), key=KEY, call="c").messages[0]["content"]
    for verdict in ("A>>B", "A>B", "A=B", "B>A", "B>>A"):
        assert f"\n- {verdict} (" in rules
    block = rules[rules.rindex("<RESULT_START>") :]
    assert "\nList of reasons:\n" in block
    assert "\nFinal assessment result:\n\\boxed{" in block


def test_the_metajudge_is_told_scale_and_format():
    rules = prompts.metajudge(["a"], ["b"], key=KEY, call="c").messages[0]["content"]
    for step in ("0", "0.25", "0.5", "0.75", "1"):
        assert f"\n- {step}: " in rules
    assert "- R1@S2: 0.75" in rules
    assert "- R3@S0: 0" in rules
    assert 700 <= len(rules.split()) <= 1100
    last = [
        user(prompts.metajudge(["a"] * n, ["b"] * m, key=KEY, call="c", reasoning_chars=chars)).split("\n")[-1]
        for n, m, chars in ((1, 2, None), (3, 4, 800), (2, 0, 0))
    ]
    assert last[0] == "Think first; then give the answer block, with exactly one line, for R1, and S from 0 to 2."
    assert "in at most 10 lines of at most 80 characters" in last[1]
    assert last[1].endswith("with exactly 3 lines, R1 to R3, and S from 0 to 4.")
    assert last[2].startswith("Do not write your thoughts down")
    assert last[2].endswith("with exactly 2 lines, R1 to R2.")


def test_the_worked_examples_follow_the_rules():
    """Their lines read as the parser reads them, and keep to S0 with 0."""
    rules = prompts.metajudge(["a"], ["b"], key=KEY, call="c").messages[0]["content"]
    examples = rules[rules.index("# Two examples") : rules.index("# Answer")]
    cells = re.findall(r"R(\d)@S(\d): (\d(?:\.\d+)?)", examples)
    assert len(cells) == 4
    for _, reason, score in cells:
        assert (reason == "0") == (float(score) == 0)
        assert float(score) in (0, 0.25, 0.5, 0.75, 1)


def test_missing_responses_and_scores_are_said_to_be_missing():
    text = user(prompts.decomposition("Q", None, "", [prompts.Annotator(reasoning="r")], key=KEY, call="c"))
    assert text.count("(not given)") == 2
    assert "annotator 1, reasoning]" in text
    assert "score" not in text
    assert "feedback" not in text
    text = user(prompts.decomposition("Q", "x", "y", ANNOTATORS, key=KEY, call="c"))
    assert "annotator 1, score -2, reasoning]\n@Response 1 closes the file.\n" in text
    assert "annotator 2, feedback on Response 2]\nIt leaks.\n" in text
    assert "annotator 2, feedback on Response 1" not in text


def test_nothing_to_ask_is_refused():
    with pytest.raises(core.RationaleError, match="references is empty"):
        prompts.metajudge([], ["a"], key=KEY, call="c")
    with pytest.raises(core.RationaleError, match="annotators is empty"):
        prompts.decomposition("Q", "x", "y", [], key=KEY, call="c")
    with pytest.raises(core.RationaleError, match="reasons is empty"):
        prompts.taxonomy("Q", "x", "y", [], key=KEY, call="c")


# --- conversations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        ("one text", ["message 1, user]\none text\n"]),
        ((), []),
        ({"role": "user", "content": "x"}, ["message 1, user]\nx\n"]),
        (
            [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}],
            ["message 1, system]\na\n", "message 2, user]\nb\n"],
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, "b"]}],
            ["message 1, user]\na\n(image_url, not shown)\nb\n"],
        ),
        ([{"role": "user", "content": [{"input_text": "a"}, {"x": 1}, 7]}], ['user]\na\n{"x": 1}\n7\n']),
        (
            [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}],
            ['message 1, assistant]\n(tool_calls: [{"function": {"name": "f"}}])\n'],
        ),
        ([{"content": "no role"}], ["message 1, unknown]\nno role\n"]),
        ([{"role": "a] [#\n<|im_start|>b" + "c" * 99, "content": 3}], ["message 1, a) (# ‹|im_start|›bccc"]),
        (["a bare text", 5], ["message 1, unknown]\na bare text\n", "message 2, unknown]\n5\n"]),
        ([{"role": "tool", "content": {"text": "inner"}}], ["message 1, tool]\ninner\n"]),
        ([{"role": None, "content": ""}], ["message 1, unknown]\n\n"]),
    ],
)
def test_any_shape_of_context_renders(context, shown):
    for prompt in (
        prompts.genrm(pair(context), key=KEY, call="c"),
        prompts.decomposition(context, "x", "y", ANNOTATORS, key=KEY, call="c"),
        prompts.taxonomy(context, "x", "y", ["r"], key=KEY, call="c"),
    ):
        for part in shown:
            assert part in user(prompt)
        assert user(prompt).count("] \n") == 0


def test_long_conversations_are_shown_whole():
    text = "word " * 200_000
    assert text in user(prompts.genrm(pair([{"role": "user", "content": text}]), key=KEY, call="c"))


# --- constrained answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 19, 20, 21, 30, 99, 100, 130])
def test_exactly_the_existing_reasons_can_be_named(n):
    pattern = re.compile(regexes._up_to(n))
    named = {number for number in range(n + 200) if pattern.fullmatch(str(number))}
    assert named == set(range(1, n + 1))
    assert not pattern.fullmatch("01")


def block(*lines):
    return "\n".join(["<RESULT_START>", *lines, "<RESULT_END>"])


def test_the_metajudge_constraint():
    pattern = re.compile(prompts.metajudge_regex(2, 12, reasoning_chars=40))
    good = block("- R1@S12: 0.75", "- R2@S0: 0")
    assert pattern.fullmatch(good)
    assert pattern.fullmatch("x" * 39 + "\n" + good)
    assert pattern.fullmatch("\tÜnïcode, “quotes” 🙂\n" + good)
    for bad in (
        "x" * 40 + "\n" + good,
        "x" + good,
        "a\nb\n" + good,
        "a < b\n" + good,
        "<think>" + good,
        good + "\n",
        block("- R1@S13: 1", "- R2@S0: 0"),
        block("- R1@S0: 0.5", "- R2@S0: 0"),
        block("- R1@S1: 0", "- R2@S0: 0"),
        block("- R1@S1: 0.3", "- R2@S0: 0"),
        block("- R2@S0: 0", "- R1@S1: 1"),
        block("- R1@S1: 1"),
        block("- R1@S1: 1", "- R2@S0: 0", "- R3@S0: 0"),
        block("- R1@S1: 1", "- R2@S0: 0", ""),
    ):
        assert not pattern.fullmatch(bad), bad
    alone = re.compile(prompts.metajudge_regex(1, 0, reasoning_chars=0))
    assert alone.fullmatch(block("- R1@S0: 0"))
    assert not alone.fullmatch(block("- R1@S1: 1"))
    assert not alone.fullmatch(" " + block("- R1@S0: 0"))


@pytest.mark.parametrize("chars", [1, 2, 79, 80, 81, 160, 200, 799, 800, 801, 2000, 8000])
def test_reasoning_is_bounded(chars):
    lines, width = regexes.reasoning_lines(chars)
    assert chars - lines < lines * width <= chars
    assert width <= regexes.LINE_WIDTH
    pattern = re.compile(prompts.metajudge_regex(1, 0, reasoning_chars=chars))
    line = "x" * (width - 1) + "\n"
    assert pattern.fullmatch(line * lines + block("- R1@S0: 0"))
    assert not pattern.fullmatch(line * (lines + 1) + block("- R1@S0: 0"))
    assert not pattern.fullmatch("x" + line + block("- R1@S0: 0"))
    # Repeats of a class above this make xgrammar 0.2.8 allow what it then refuses.
    assert all(int(most) <= 100 for most in re.findall(r"\{0,(\d+)\}", pattern.pattern))


def test_reasoning_without_a_bound_in_characters_is_bounded_in_lines():
    pattern = re.compile(prompts.metajudge_regex(1, 0, reasoning_chars=None))
    assert pattern.fullmatch(block("- R1@S0: 0"))
    assert pattern.fullmatch(("x" * 500 + "\n") * 24 + block("- R1@S0: 0"))
    assert not pattern.fullmatch("x\n" * 25 + block("- R1@S0: 0"))
    assert not pattern.fullmatch("a < b\n" + block("- R1@S0: 0"))
    assert not pattern.fullmatch(("x" * 500 + "\n") * 24)


def test_constraints_check_their_arguments():
    with pytest.raises(core.RationaleError, match="reasoning_chars must be at most 8000, not 8001"):
        prompts.metajudge_regex(1, 1, reasoning_chars=8001)
    with pytest.raises(core.RationaleError, match="reason_chars must be at most 100 or None, not 101"):
        prompts.genrm_regex(1, reason_chars=101)
    for wrong in ({"n_references": 0}, {"n_reasons": -1}, {"reasoning_chars": -1}):
        (name,) = wrong
        with pytest.raises(core.RationaleError, match=f"{name} must be at least"):
            prompts.metajudge_regex(**{"n_references": 1, "n_reasons": 1, "reasoning_chars": 0, **wrong})
    with pytest.raises(core.RationaleError, match="n_reasons must be at least 1"):
        prompts.genrm_regex(0, reasoning_chars=0)


# --- the package -------------------------------------------------------------------------------------------


def test_public_names():
    assert sorted(prompts.__all__) == prompts.__all__
    tree = ast.parse(Path(prompts.__file__).read_text("utf-8"))
    imported = {name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert imported == set(prompts.__all__)
    assert build.Prompt is prompts.Prompt
