from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ErrorCode
from handler.comfy.rejection import rejection_of

NODE_ERRORS = {
    "4": {
        "class_type": "LoadImage",
        "dependent_outputs": ["9"],
        "errors": [
            {
                "type": "custom_validation_failed",
                "message": "Custom validation failed for node",
                "details": "image - Invalid image file: x.png",
                "extra_info": {"input_name": "image"},
            }
        ],
    }
}


def test_an_accepted_graph_is_no_rejection() -> None:
    assert rejection_of({"prompt_id": "p", "number": 1, "node_errors": {}}, {}) is None


@pytest.mark.parametrize("error", [{"type": "prompt_outputs_failed_validation"}, None])
def test_node_errors_are_a_rejection_with_and_without_an_error(error: Any) -> None:
    rejection = rejection_of({"error": error, "node_errors": NODE_ERRORS}, {"4": "Photo"})
    assert rejection is not None
    assert (rejection.node, rejection.input) == ("4", "image")
    assert rejection.code is ErrorCode.WORKFLOW_REJECTED
    assert "node 4 (Photo, LoadImage), input 'image'" in str(rejection)
    assert "Invalid image file" in str(rejection)


def test_an_error_without_a_node_keeps_its_words() -> None:
    body = {"error": {"type": "invalid_prompt", "message": "no", "details": "Node ID '#7'"}}
    assert "invalid_prompt; no; Node ID '#7'" in str(rejection_of(body, {}))


def test_an_error_that_names_its_node_in_extra_info_is_that_nodes() -> None:
    extra = {"node_id": "7", "class_type": "FromAnotherPack", "node_title": "Sparkle"}
    body = {"error": {"type": "missing_node_type", "message": "not found", "extra_info": extra}}
    rejection = rejection_of(body, {"7": "Sparkle"})
    assert rejection is not None
    assert rejection.node == "7"
    assert str(rejection) == "node 7 (Sparkle, FromAnotherPack): missing_node_type; not found"
    del extra["class_type"]
    assert "node 7 (Sparkle, unknown class)" in str(rejection_of(body, {"7": "Sparkle"}))


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "node_errors", "errors", "extra_info", "input_name", "node_id", "4"]
            ),
            inner,
        )
    ),
)


@given(JSON)
def test_no_answer_breaks_the_reader(body: object) -> None:
    rejection = rejection_of(body, {})
    assert rejection is None or str(rejection)
