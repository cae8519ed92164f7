from train.finished import view_count


def test_large_shops_have_fewer_views_of_a_photo() -> None:
    counts = [view_count(photos) for photos in (10, 2_640, 5_445, 100_000)]
    assert counts == [2, 2, 1, 0]
