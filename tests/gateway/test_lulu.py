"""Lulu as a printer, against its API on a real socket."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from gateway.adapters.lulu import Lulu
from gateway.adapters.lulu_session import LuluSession
from gateway.ports import PrintError, PrintJob, PrintRejected, PrintStatus
from tests.gateway.fake_lulu import KEY, PRODUCT, SECRET, FakeLulu
from tests.gateway.fakes import MovableClock
from tests.gateway.live_server import served
from tests.gateway.printing import HOME, print_order


@pytest.fixture
def fake() -> FakeLulu:
    return FakeLulu()


@pytest.fixture
def url(fake: FakeLulu) -> Iterator[str]:
    with served(fake.app()) as url:
        yield url


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as client:
        yield client


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def lulu(url: str, client: httpx.Client, clock: MovableClock, pauses: list[float]) -> Lulu:
    return lulu_of(url, client, clock, pauses)


def lulu_of(
    url: str, client: httpx.Client, clock: MovableClock, pauses: list[float], secret: str = SECRET
) -> Lulu:
    session = LuluSession(client, clock, api_url=url, client_key=KEY, client_secret=secret)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.move(seconds=seconds)

    return Lulu(session, clock, pause=pause)


def posts(fake: FakeLulu) -> int:
    return fake.calls.count("POST /print-jobs/")


def test_a_book_is_ordered_as_lulu_documents_it(lulu: Lulu, fake: FakeLulu) -> None:
    order = print_order()
    job = lulu.submit(order)
    assert job == PrintJob(
        "1", "order-1", PrintStatus.ACCEPTED, message="Print-job is currently being validated"
    )
    (body,) = fake.bodies
    assert body == {
        "external_id": "order-1",
        "contact_email": "books@foxetales.example",
        "production_delay": 120,
        "shipping_level": "MAIL",
        "shipping_address": {
            "name": "Ánh Nguyễn",
            "street1": "Holstenstraße 48",
            "street2": "",
            "city": "Lübeck",
            "state_code": "",
            "postcode": "23552",
            "country_code": "DE",
            "phone_number": "+49 451 000000",
        },
        "line_items": [
            {
                "external_id": "order-1",
                "title": "Ánh and the Moonlit Fox",
                "quantity": 1,
                "printable_normalization": {
                    "pod_package_id": PRODUCT,
                    "cover": {
                        "source_url": order.cover.url,
                        "source_md5_sum": order.cover.md5,
                    },
                    "interior": {
                        "source_url": order.interior.url,
                        "source_md5_sum": order.interior.md5,
                    },
                },
            }
        ],
    }


def test_without_a_phone_number_none_is_sent(lulu: Lulu, fake: FakeLulu) -> None:
    lulu.submit(print_order(ship_to=replace(HOME, phone=" ")))
    assert "phone_number" not in fake.bodies[0]["shipping_address"]


def test_both_files_are_checked_before_the_book_is_ordered(
    lulu: Lulu, fake: FakeLulu, pauses: list[float]
) -> None:
    lulu.submit(print_order())
    assert fake.calls == [
        "token",
        "GET /print-jobs/",
        "POST /validate-interior/",
        *["GET /validate-interior/1/"] * 3,
        "POST /validate-cover/",
        *["GET /validate-cover/1/"] * 3,
        "GET /print-jobs/",
        "POST /print-jobs/",
    ]
    assert len(pauses) == 6


@pytest.mark.parametrize("part", ["interior", "cover"])
def test_a_file_that_lulu_faults_is_never_ordered(lulu: Lulu, fake: FakeLulu, part: str) -> None:
    fake.bad_files[part] = ["Fonts not embedded", "See https://files.example/x?signature=secret"]
    with pytest.raises(PrintRejected) as caught:
        lulu.submit(print_order())
    assert caught.value.faults == {part: "Fonts not embedded; See …"}
    assert posts(fake) == 0


@pytest.mark.parametrize("told", [38, "38", None])
def test_lulus_count_of_pages_may_be_a_number_a_text_or_missing(
    lulu: Lulu, fake: FakeLulu, told: object
) -> None:
    fake.page_count = told
    assert lulu.submit(print_order()).status is PrintStatus.ACCEPTED


def test_another_count_of_pages_is_a_fault_of_the_interior(lulu: Lulu, fake: FakeLulu) -> None:
    fake.page_count = 36
    with pytest.raises(PrintRejected, match="interior: Lulu counts 36 pages instead of 38"):
        lulu.submit(print_order())
    assert posts(fake) == 0


def test_a_check_that_never_ends_is_given_up_and_may_be_tried_again(
    lulu: Lulu, fake: FakeLulu, pauses: list[float]
) -> None:
    fake.stuck_files = True
    with pytest.raises(PrintError, match="still checking the interior") as caught:
        lulu.submit(print_order())
    assert not isinstance(caught.value, PrintRejected)
    assert sum(pauses) == 480
    assert posts(fake) == 0


def test_an_order_that_got_through_before_is_found_instead_of_posted(
    lulu: Lulu, fake: FakeLulu
) -> None:
    first = lulu.submit(print_order())
    assert lulu.submit(print_order()) == first
    assert lulu.find("order-1") == first
    assert posts(fake) == 1


def test_an_order_that_got_through_during_the_check_isnt_posted_again(
    url: str, fake: FakeLulu, client: httpx.Client, clock: MovableClock
) -> None:
    class Elsewhere(list[float]):
        """Another process, which is faster: at the first pause the job is there."""

        def append(self, seconds: float) -> None:
            if not fake.jobs:
                fake.job("order-1")

    assert lulu_of(url, client, clock, Elsewhere()).submit(print_order()).vendor_id == "1"
    assert posts(fake) == 0


def test_both_checks_together_have_eight_minutes(
    lulu: Lulu, fake: FakeLulu, pauses: list[float]
) -> None:
    fake.asks_per_step = 20  # the three steps of a file are 60 questions, or five minutes
    with pytest.raises(PrintError, match="still checking the cover"):
        lulu.submit(print_order())
    assert sum(pauses) == 480


def test_a_timeout_after_lulu_accepted_makes_one_book(
    url: str, fake: FakeLulu, clock: MovableClock, pauses: list[float]
) -> None:
    fake.hang_after_accepting = threading.Event()
    try:
        with httpx.Client(timeout=httpx.Timeout(5, read=0.3)) as impatient:
            lulu = lulu_of(url, impatient, clock, pauses)
            with pytest.raises(PrintError, match="ReadTimeout") as caught:
                lulu.submit(print_order())
            assert not isinstance(caught.value, PrintRejected)
            assert lulu.submit(print_order()).vendor_id == "1"
    finally:
        fake.hang_after_accepting.set()
    assert (posts(fake), len(fake.jobs)) == (1, 1)


def test_only_the_very_same_name_is_found(lulu: Lulu, fake: FakeLulu) -> None:
    fake.job("order-12")
    fake.job("another", line_items=[{"title": "order-1"}])
    assert lulu.find("order-1") is None


def test_a_job_is_found_on_a_later_page_without_following_foreign_links(
    lulu: Lulu, fake: FakeLulu
) -> None:
    fake.page_size = 2
    for number in range(5):
        fake.job(f"order-1{number}")
    fake.job("order-1")
    found = lulu.find("order-1")
    assert found
    assert found.vendor_id == "6"
    assert fake.calls.count("GET /print-jobs/") == 3


def test_of_several_jobs_the_one_to_be_printed_is_found(lulu: Lulu, fake: FakeLulu) -> None:
    fake.job("order-1", status={"name": "CANCELED"})
    fake.job("order-1", status={"name": "IN_PRODUCTION"})
    found = lulu.find("order-1")
    assert found
    assert (found.vendor_id, found.status) == ("2", PrintStatus.IN_PRODUCTION)
    fake.jobs.pop()
    found = lulu.find("order-1")
    assert found
    assert (found.vendor_id, found.status) == ("1", PrintStatus.CANCELLED)


def test_an_address_that_lulu_refuses_is_told_by_field_without_repeating_it(
    lulu: Lulu, fake: FakeLulu
) -> None:
    nowhere = replace(HOME, country="Atlantis", postcode="")
    with pytest.raises(PrintRejected) as caught:
        lulu.submit(print_order(ship_to=nowhere, shipping_level="OWL"))
    assert caught.value.faults["shipping_level"] == "This is not a valid choice."
    assert caught.value.faults["shipping_address.postcode"] == "This field is required."
    assert set(caught.value.faults) == {
        "shipping_level",
        "shipping_address.postcode",
        "shipping_address.country_code",
    }
    assert fake.jobs == []


@pytest.mark.parametrize(
    "said",
    [
        "No house 48 in Holstenstraße 48, 23552 LÜBECK",
        "Ánh Nguyễn has moved from Lübeck",
        "Nguyễn: call +49 451 000000 or write to anh@parents.example",
    ],
)
def test_what_lulu_repeats_of_an_address_isnt_passed_on(
    lulu: Lulu, fake: FakeLulu, said: str
) -> None:
    lulu.find("warm-up")
    valid = JSONResponse({"id": 1, "status": "NORMALIZED"}, 201)
    refusal = JSONResponse({"shipping_address": {"detail": [{"message": said}]}}, 400)
    nothing = JSONResponse({"results": [], "next": None})
    fake.fail_next = [nothing, valid, valid, nothing, refusal]
    with pytest.raises(PrintRejected) as caught:
        lulu.submit(print_order())
    (path, reason), *_ = caught.value.faults.items()
    assert path == "shipping_address.detail.message"
    for private in ("Ánh", "Nguyễn", "Holsten", "Lübeck", "LÜBECK", "23552", "451", "anh@"):
        assert private not in reason
    assert "…" in reason


def test_lulu_says_how_large_the_cover_is_to_be(lulu: Lulu) -> None:
    assert lulu.cover_size_in(PRODUCT, 38) == (19.0, 10.25)
    with pytest.raises(PrintRejected, match="pod_package_id"):
        lulu.cover_size_in("0000X0000.FC", 38)


@pytest.mark.parametrize(("unit", "width"), [("pt", "1368.000"), ("mm", "482.6"), ("inch", "19")])
def test_a_cover_size_in_another_unit_is_understood(
    lulu: Lulu, fake: FakeLulu, unit: str, width: str
) -> None:
    lulu.find("warm-up")
    fake.fail_next = [JSONResponse({"width": width, "height": width, "unit": unit}, 201)]
    assert lulu.cover_size_in(PRODUCT, 38) == pytest.approx((19.0, 19.0))


@pytest.mark.parametrize(
    "size",
    [{}, {"width": "x", "height": "1", "unit": "pt"}, {"width": "1", "height": "1", "unit": "em"}]
    + [{"width": w, "height": "1", "unit": "inch"} for w in ("nan", "inf", "0", "-1", "900")],
)
def test_a_cover_size_that_makes_no_sense_is_an_error(
    lulu: Lulu, fake: FakeLulu, size: dict[str, str]
) -> None:
    lulu.find("warm-up")
    fake.fail_next = [JSONResponse(size, 201)]
    with pytest.raises(PrintError) as caught:
        lulu.cover_size_in(PRODUCT, 38)
    assert not isinstance(caught.value, PrintRejected)


def test_one_token_serves_until_a_minute_before_its_end(
    lulu: Lulu, fake: FakeLulu, clock: MovableClock
) -> None:
    lulu.find("order-1")
    clock.move(seconds=3600 - 61)
    lulu.find("order-1")
    assert fake.tokens_given == 1
    clock.move(seconds=1)
    lulu.find("order-1")
    assert fake.tokens_given == 2


def test_a_token_that_lulu_forgot_is_replaced_within_the_call(lulu: Lulu, fake: FakeLulu) -> None:
    lulu.find("order-1")
    fake.tokens_valid.clear()
    assert lulu.find("order-1") is None
    assert fake.tokens_given == 2


def test_threads_share_one_token(lulu: Lulu, fake: FakeLulu) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lulu.find, ["order-1"] * 8)) == [None] * 8
    assert fake.tokens_given == 1


def test_a_wrong_client_secret_is_told_without_it(
    url: str, client: httpx.Client, clock: MovableClock, pauses: list[float]
) -> None:
    lulu = lulu_of(url, client, clock, pauses, secret="hunter2")
    with pytest.raises(PrintError, match="client key") as caught:
        lulu.find("order-1")
    assert "hunter2" not in str(caught.value)
    assert not isinstance(caught.value, PrintRejected)


@pytest.mark.parametrize("status", [403, 408, 409, 429, 500, 502, 503, 302])
def test_what_may_go_better_later_is_no_rejection(lulu: Lulu, fake: FakeLulu, status: int) -> None:
    lulu.find("warm-up")
    fake.fail_next = [Response(status_code=status)]
    with pytest.raises(PrintError, match=str(status)) as caught:
        lulu.submit(print_order())
    assert not isinstance(caught.value, PrintRejected)


def test_lulus_wish_to_be_left_alone_is_passed_on(lulu: Lulu, fake: FakeLulu) -> None:
    lulu.find("warm-up")
    fake.fail_next = [Response(status_code=429, headers={"Retry-After": "17"})]
    with pytest.raises(PrintError) as caught:
        lulu.find("order-1")
    assert caught.value.retry_after_s == 17.0


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff\xfe", b'{"results": 1}'])
def test_an_answer_that_makes_no_sense_is_an_error(lulu: Lulu, fake: FakeLulu, body: bytes) -> None:
    lulu.find("warm-up")
    fake.fail_next = [Response(body)]
    with pytest.raises(PrintError):
        lulu.find("order-1")
    fake.fail_next = [Response(body)]
    with pytest.raises(PrintError):
        lulu.state("1")


def test_a_lulu_that_is_down_is_an_error(
    client: httpx.Client, clock: MovableClock, pauses: list[float]
) -> None:
    with pytest.raises(PrintError, match="ConnectError"):
        lulu_of("http://127.0.0.1:9", client, clock, pauses).find("order-1")


def test_a_job_that_lulu_doesnt_know_is_none(lulu: Lulu) -> None:
    assert lulu.state("7") is None
    assert not lulu.cancel("7")


def test_an_id_cant_lead_elsewhere(lulu: Lulu, fake: FakeLulu) -> None:
    fake.job("order-1")
    assert lulu.state("?page=1&x=") is None
    assert lulu.state("1/status/?x=") is None
    assert "GET /print-jobs/" not in fake.calls


@pytest.mark.parametrize(
    ("before", "called_back"),
    [
        ("CREATED", True),
        ("UNPAID", True),
        ("PRODUCTION_DELAYED", True),
        ("CANCELED", True),
        ("REJECTED", True),
        ("PRODUCTION_READY", False),
        ("IN_PRODUCTION", False),
        ("SHIPPED", False),
    ],
)
def test_a_job_can_be_called_back_until_production_begins(
    lulu: Lulu, fake: FakeLulu, before: str, called_back: bool
) -> None:
    fake.job("order-1", status={"name": before})
    assert lulu.cancel("1") is called_back
    state = lulu.state("1")
    assert state
    assert (state.status in (PrintStatus.CANCELLED, PrintStatus.REJECTED)) is called_back
