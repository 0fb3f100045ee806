"""The deliberate breaks: what is broken, how, which promises that breaks, and which tests have to fail."""

from typing import Final

from tools.mutants.breaks.beside_others import BESIDE_OTHERS
from tools.mutants.breaks.durable import DURABLE
from tools.mutants.breaks.handed_back import HANDED_BACK
from tools.mutants.breaks.in_any_order import IN_ANY_ORDER
from tools.mutants.breaks.its_job_alone import ITS_JOB_ALONE
from tools.mutants.breaks.no_crash import NO_CRASH
from tools.mutants.breaks.no_defect import NO_DEFECT
from tools.mutants.breaks.no_secret import NO_SECRET
from tools.mutants.breaks.once import ONCE
from tools.mutants.breaks.one import Break
from tools.mutants.breaks.one_index_request import ONE_INDEX_REQUEST
from tools.mutants.breaks.pages import PAGES
from tools.mutants.breaks.replay import REPLAY
from tools.mutants.breaks.senders import SENDERS
from tools.mutants.breaks.turned_away import TURNED_AWAY

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
