from handler.comfy.line import Line


def line(*prompts: str) -> Line:
    made = Line()
    for prompt in prompts:
        made.join(prompt)
    return made


def test_the_first_prompt_is_executed_until_it_leaves() -> None:
    prompts = line("a", "b", "c")
    assert prompts.executing() == "a"
    prompts.leave("a")
    assert prompts.executing() == "b"


def test_nobody_is_executed_in_an_empty_line() -> None:
    assert line().executing() is None
    assert line().culprit() is None


def test_a_prompt_that_starts_shows_that_those_before_it_are_done() -> None:
    prompts = line("a", "b", "c")
    prompts.start("b")
    prompts.start("a")  # the news of it came late
    assert prompts.executing() == "b"
    prompts.leave("b")
    assert prompts.executing() == "a"


def test_one_prompt_is_to_blame_however_the_others_leave() -> None:
    prompts = line("a", "b")
    prompts.start("a")
    assert prompts.culprit() == "a"
    prompts.leave("a")
    assert prompts.culprit() == "a"


def test_who_has_comfyui_ended_is_to_blame() -> None:
    prompts = line("a", "b")
    prompts.blame("b")
    prompts.blame("a")
    assert prompts.culprit() == "b"


def test_leaving_twice_does_no_harm() -> None:
    prompts = line("a")
    prompts.leave("a")
    prompts.leave("a")
    prompts.start("a")
    assert prompts.executing() is None
