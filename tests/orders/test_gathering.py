"""How long checkouts gather: long on a busy machine, hardly at all for a crowd that is back."""

from apps.orders.intake.gathering import A_FEW, LONGEST_FOR_A_FEW, SHORTEST, Gathering


def after_a_commit(*, took: float, answered: int, came_meanwhile: int = 0) -> Gathering:
    """Many commits like this one have been made; the last began at 0."""
    gathering = Gathering()
    for _ in range(50):
        gathering.committed(began=0.0, ended=took, answered=answered, waiting=came_meanwhile)
    return gathering


def test_all_who_were_answered_are_back_and_need_not_wait() -> None:
    gathering = after_a_commit(took=0.004, answered=5)

    assert not gathering.is_over(0.006, waiting=4)
    assert gathering.is_over(0.006, waiting=5)


def test_those_who_came_during_the_commit_were_not_answered_by_it() -> None:
    gathering = after_a_commit(took=0.004, answered=2, came_meanwhile=2)

    assert not gathering.is_over(0.006, waiting=2)
    assert gathering.is_over(0.006, waiting=4)


def test_who_comes_later_does_not_count_as_back() -> None:
    assert not after_a_commit(took=0.004, answered=2).is_over(0.015, waiting=2)


def test_few_wait_for_others_on_a_busy_machine() -> None:
    gathering = after_a_commit(took=0.02, answered=5)

    assert not gathering.is_over(LONGEST_FOR_A_FEW - 0.001, waiting=A_FEW - 1)
    assert gathering.is_over(LONGEST_FOR_A_FEW, waiting=A_FEW - 1)


def test_few_wait_less_while_commits_are_quick() -> None:
    gathering = after_a_commit(took=0.003, answered=5)

    assert not gathering.is_over(SHORTEST, waiting=1)
    assert gathering.is_over(0.031, waiting=1)


def test_many_are_committed_after_the_shortest_time() -> None:
    gathering = after_a_commit(took=0.02, answered=30)

    assert not gathering.is_over(SHORTEST - 0.001, waiting=30)
    assert gathering.is_over(SHORTEST, waiting=30)


def test_nobody_who_comes_after_a_pause_waits() -> None:
    assert after_a_commit(took=0.004, answered=1).is_over(SHORTEST, waiting=0)
