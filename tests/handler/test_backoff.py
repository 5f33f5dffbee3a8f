from handler.backoff import Backoff


def waits(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next() for _ in range(count)]


def test_waiting_doubles_up_to_a_cap() -> None:
    assert waits(Backoff(1, 10, lambda: 0), 7) == [0, 1, 2, 4, 8, 10, 10]


def test_chance_takes_up_to_a_half() -> None:
    assert waits(Backoff(1, 10, lambda: 1), 4) == [0, 0.5, 1, 2]


def test_success_begins_anew() -> None:
    backoff = Backoff(1, 10, lambda: 0)
    waits(backoff, 4)
    backoff.reset()
    assert waits(backoff, 2) == [0, 1]
