"""What the gateway may count on in the draft page."""

from tests.workflows.pages import released

SLOTS = {
    "photo", "background", "character", "person_mask", "face_x", "face_y", "face_width",
    "face_height", "face_angle", "watercolour", "grow_px", "feather_px", "skin_preset",
    "skin_strength", "filename_prefix",
}  # fmt: skip


def test_the_slots_are_the_promised_ones() -> None:
    assert set(released("storybook_page_draft").spec.slots) == SLOTS
