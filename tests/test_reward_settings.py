"""`RewardSettings`: plain values that make the same reward in any process, and say what is wrong with them."""

import json
import multiprocessing
import pickle

import pytest
import rationale_rm as rm
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm.rewards import RationaleReward, RewardSettings
from rationale_rm.train.recipe.schema import Reward
from rationale_rm.world import OracleJudge

TEXT = "<RESULT_START>\n1. Response A dates the treaty to 1658.\n\\boxed{B>A}\n<RESULT_END>"
COLUMNS = {"references": [["Response 1 dates the treaty to 1658."]], "labels": [-1]}


def test_the_names_are_those_of_recipes():
    assert set(Reward.model_fields) - {"retry_for"} == set(RewardSettings.__dataclass_fields__) - {
        "seed",
        "time_budget",
    }


def test_the_defaults_are_those_of_the_reward_and_of_recipes():
    opened, made = RewardSettings().open(), RationaleReward(OracleJudge())
    assert {**vars(opened), "judge": None} == {**vars(made), "judge": None}
    recipe = Reward().model_dump(exclude={"retry_for"})
    assert RewardSettings(**recipe) == RewardSettings()


def test_every_setting_reaches_the_reward():
    changed = {
        "mode": "sum", "rationale": "f1", "weight": 0.25, "threshold": 0.1, "top_k": 3, "exact": True,
        "format": "block", "policy": "unanimous", "format_penalty": 0.5, "max_length": 50, "length_buffer": 10,
        "advantage": "center", "gate": False, "audit": 0.5, "seed": 9, "max_failure_rate": 0.5,
    }  # fmt: skip
    opened = RewardSettings(**changed).open()
    assert {name: getattr(opened, name) for name in changed} == changed


def test_every_setting_reaches_the_judge(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "sk-planted-0123456789")
    settings = RewardSettings(
        judge="openai:m@http://127.0.0.1:9/v1", judge_samples=3, judge_temperature=0.5, judge_max_tokens=99,
        constrain=False, concurrency=7, requests_per_minute=60.0, tokens_per_minute=600.0, timeout=2.5, attempts=2,
        time_budget=11.0, cache=str(tmp_path / "answers.sqlite"), key_env="OTHER_KEY", seed=4,
    )  # fmt: skip
    judge = settings.open().judge
    assert (judge.samples, judge.temperature, judge.max_tokens, judge.constrain, judge.seed) == (3, 0.5, 99, False, 4)
    limits = judge.caller.limits
    assert (limits.concurrency, limits.requests_per_minute, limits.tokens_per_minute) == (7, 60.0, 600.0)
    assert (limits.timeout, limits.attempts, limits.batch_budget) == (2.5, 2, 11.0)
    assert judge.caller.cache.path == settings.cache
    assert "sk-planted" not in repr(settings) + json.dumps(settings.to_mapping())


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"jugde": "lexical"}, "did you mean judge"),
        ({"zzzzzzz": 1}, "there are judge, mode"),
        ({"judge": "nobody"}, "names no judge"),
        ({"timeout": "5"}, "timeout must be float, not str '5'"),
        ({"exact": 1}, "exact must be bool"),
        ({"top_k": 2.5}, "top_k must be int or None"),
        ({"weight": 1.5}, "weight is 1.5: expected 0 to 1"),
        ({"audit": float("nan")}, "audit is nan"),
        ({"mode": "multiply"}, "choose from product, sum"),
        ({"format": "xml"}, "xml"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"judge": "openai:m@localhost:80"}, "names no server"),
    ],
)
def test_what_is_wrong_is_said(given_settings, message):
    with pytest.raises(rm.RationaleError) as caught:
        RewardSettings.from_mapping(given_settings)
    assert message in str(caught.value)


def test_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("RATIONALE_RM_REWARD", raising=False)
    with pytest.raises(rm.RationaleError, match="RATIONALE_RM_REWARD is not set in this process"):
        RewardSettings.from_environment()
    monkeypatch.setenv("RATIONALE_RM_REWARD", '{"judge": "oracle", "weight": 1}')
    assert RewardSettings.from_environment() == RewardSettings(judge="oracle", weight=1)
    for name, text in (("reward.json", '{"top_k": 4}'), ("reward.yaml", "top_k: 4\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setenv("RATIONALE_RM_REWARD", str(tmp_path / name))
        assert RewardSettings.from_environment() == RewardSettings(top_k=4)


@pytest.mark.parametrize("text", ["{", "[1]", "nowhere.json", '{"top_k": "4"}', "bad.yaml"])
def test_a_bad_environment_names_its_variable(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("a: [")
    monkeypatch.setenv("RATIONALE_RM_REWARD", text)
    with pytest.raises(rm.RationaleError, match=r"^\$RATIONALE_RM_REWARD: "):
        RewardSettings.from_environment()


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "weight": st.floats(0, 1),
            "top_k": st.integers(1, 9) | st.none(),
            "exact": st.booleans(),
            "rationale": st.sampled_from(["ap", "rc", "f1"]),
            "seed": st.integers(0, 9),
            "timeout": st.floats(0.1, 9),
        },
    )
)
def test_there_and_back(changed):
    settings = RewardSettings.from_mapping(changed)
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert RewardSettings.from_mapping(json.loads(json.dumps(settings.to_mapping()))) == settings


def test_a_password_in_an_address_is_not_shown():
    settings = RewardSettings(judge="openai:m@http://user:pa%2Fss@127.0.0.1:9/v1", weight=0.25)
    assert repr(settings) == "RewardSettings(judge='openai:m@http://…@127.0.0.1:9/v1', weight=0.25)"


def test_equal_settings_share_one_reward_in_a_process():
    first = RewardSettings(seed=11).shared()
    assert RewardSettings(seed=11).shared() is first
    assert RewardSettings(seed=12).shared() is not first


def _scores(settings, sender):
    sender.send(settings.shared()([TEXT], **COLUMNS).reward.tolist())


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_another_process_gives_the_same_rewards(method):
    settings = RewardSettings(seed=21)
    here = settings.shared()([TEXT], **COLUMNS).reward.tolist()
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_scores, args=(settings, sender))
    child.start()
    assert receiver.poll(60)
    assert receiver.recv() == here
    child.join(60)
    assert child.exitcode == 0
