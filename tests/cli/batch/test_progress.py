"""What the progress of a batch says beside its numbers."""

from paypro_async.cli.batch.progress import Watcher

REFUSED = "the proxy refused the connection. Start the proxy."


def test_a_trouble_is_said_once_for_each_time_that_it_begins():
    """Not with every line, and again when it comes back."""
    troubles = iter([None, REFUSED, REFUSED, None, REFUSED])
    watcher = Watcher(5, "INR")
    assert watcher.news() is None
    watcher.trouble = lambda: next(troubles)
    said = [watcher.news() for _ in range(5)]
    assert said[1] == said[4] == f"Nothing is sent just now: {REFUSED} It is tried again; Ctrl-C ends it in order."
    assert said[0] is said[2] is said[3] is None
