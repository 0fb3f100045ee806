"""The deliberate breaks: what is broken, how, which promises that breaks, and which tests have to fail."""

from typing import Final

from sabotage.breaks.beside_others import BESIDE_OTHERS
from sabotage.breaks.durable import DURABLE
from sabotage.breaks.handed_back import HANDED_BACK
from sabotage.breaks.in_any_order import IN_ANY_ORDER
from sabotage.breaks.its_job_alone import ITS_JOB_ALONE
from sabotage.breaks.no_crash import NO_CRASH
from sabotage.breaks.no_defect import NO_DEFECT
from sabotage.breaks.no_secret import NO_SECRET
from sabotage.breaks.once import ONCE
from sabotage.breaks.one import Break
from sabotage.breaks.one_index_request import ONE_INDEX_REQUEST
from sabotage.breaks.pages import PAGES
from sabotage.breaks.replay import REPLAY
from sabotage.breaks.senders import SENDERS
from sabotage.breaks.turned_away import TURNED_AWAY

__all__ = ["BREAKS", "Break"]

BREAKS: Final = (
    *DURABLE,
    *ONCE,
    *IN_ANY_ORDER,
    *ONE_INDEX_REQUEST,
    *REPLAY,
    *NO_SECRET,
    *NO_DEFECT,
    *NO_CRASH,
    *ITS_JOB_ALONE,
    *TURNED_AWAY,
    *HANDED_BACK,
    *PAGES,
    *SENDERS,
    *BESIDE_OTHERS,
)
"""All of them."""
