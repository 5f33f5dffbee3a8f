"""What the picture is asked for, in words. Pure; a child's name never gets into a prompt."""

from books.appearances import Appearance

_CHILDREN = {"female": "girl", "male": "boy"}


def child_prompt(appearance: Appearance | None, age: int | None, gender: str | None) -> str:
    """Return who is to be seen, such as "Vietnamese Asian girl, 6 years old".

    What the parent didn't tell is left out: without anything it is "child". ``age`` is in years.
    """
    child = _CHILDREN.get(gender or "", "child")
    described = f"{appearance.prompt} {child}" if appearance else child
    return described if age is None else f"{described}, {_age(age)}"


def _age(years: int) -> str:
    if years == 0:
        return "under one year old"
    return f"{years} year{'' if years == 1 else 's'} old"
