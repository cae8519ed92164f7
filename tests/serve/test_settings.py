import pytest

from catalog.errors import InvalidRequest
from serve.settings import read_settings


def test_the_defaults_agree() -> None:
    found = read_settings()
    assert found.max_batch <= found.max_queue < found.max_ongoing_requests


def test_a_queue_shorter_than_a_batch_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidRequest, match="max_queue is 8 and max_batch 16"):
        read_settings(max_queue=8, max_photos=8, max_batch=16)


def test_a_request_larger_than_the_queue_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidRequest, match="max_photos is 300 and max_queue 256"):
        read_settings(max_photos=300)


def test_rays_limit_must_exceed_queue_and_batch() -> None:
    with pytest.raises(InvalidRequest, match=r"max_ongoing_requests is 272 .* 272"):
        read_settings(max_ongoing_requests=272)


def test_the_environment_is_read_and_named_when_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALENS_MAX_BATCH", "32")
    assert read_settings().max_batch == 32
    monkeypatch.setenv("CATALENS_MAX_BATCH", "many")
    with pytest.raises(InvalidRequest) as caught:
        read_settings()
    assert caught.value.where == "CATALENS_MAX_BATCH"
