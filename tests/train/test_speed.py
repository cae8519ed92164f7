from train.speed import measure_speed


def test_the_speed_of_this_machine_is_measured() -> None:
    assert 0.02 < measure_speed("cpu") < 20
