"""The listener: one connection for all who wait, each channel for those who subscribed to it."""

import contextlib

from tests.core.ears import Ear


def test_a_new_subscriber_is_told_to_look_once_it_is_heard_for(listener, ear):
    with listener.subscribed("a", ear):
        assert (ear.next(), listener.healthy) == (None, True)


def test_a_notification_comes_with_its_payload(listener, ear, notify):
    with listener.subscribed("a", ear):
        ear.next()
        notify("a", "payload")
        assert ear.next() == "payload"


def test_each_channel_has_its_own_subscribers(listener, notify):
    one, other = Ear(), Ear()
    with listener.subscribed("a", one), listener.subscribed("b", other):
        one.next(), other.next()
        notify("a", "for one")
        notify("b", "for the other")
        assert (one.next(), other.next()) == ("for one", "for the other")
        assert one.heard_nothing


def test_all_subscribers_of_a_channel_are_told(listener, notify):
    ears = [Ear() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for each in ears:
            stack.enter_context(listener.subscribed("a", each))
        ears[-1].next()
        notify("a", "all")
        assert [each.hears("all") for each in ears] == [True] * 3


def test_a_channel_may_have_an_odd_name(listener, ear, notify):
    with listener.subscribed('Odd "name"; %s', ear):
        ear.next()
        notify('Odd "name"; %s', "x")
        assert ear.next() == "x"


def test_all_share_one_connection(listener, backends):
    ears = [Ear() for _ in range(5)]
    with contextlib.ExitStack() as stack:
        for number, each in enumerate(ears):
            stack.enter_context(listener.subscribed(f"channel {number}", each))
        for each in ears:
            each.next()
        assert len(backends()) == 1


def test_who_left_is_not_told_any_more(listener, ear, notify):
    stays = Ear()
    with listener.subscribed("a", stays):
        with listener.subscribed("a", ear):
            ear.next()
        notify("a", "later")
        assert stays.hears("later")
    assert "later" not in list(ear.told.queue)


def test_a_channel_without_subscribers_is_not_listened_to_any_more(listener, ear, conn, backends, eventually):
    with listener.subscribed("kept", Ear()):
        with listener.subscribed("left", ear):
            ear.next()

        def unlistened():
            query = "SELECT query FROM pg_stat_activity WHERE pid = ANY(%s)"
            assert conn.execute(query, [backends()]).fetchone() == ('UNLISTEN "left"',)

        eventually(unlistened)


def test_unsubscribing_twice_does_no_harm(listener, ear):
    listener.subscribe("a", ear)
    listener.unsubscribe("a", ear)
    listener.unsubscribe("a", ear)
