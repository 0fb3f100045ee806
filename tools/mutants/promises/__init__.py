"""The mutants, by the promise that each breaks; docs/explanation/promises.rst has the promises."""

from typing import Final

from tools.mutants.mutant import Mutant
from tools.mutants.promises.beside_others import BESIDE_OTHERS
from tools.mutants.promises.durable import DURABLE
from tools.mutants.promises.in_any_order import IN_ANY_ORDER
from tools.mutants.promises.its_job_alone import ITS_JOB_ALONE
from tools.mutants.promises.job_systems import JOB_SYSTEMS
from tools.mutants.promises.no_crash import NO_CRASH
from tools.mutants.promises.no_defect import NO_DEFECT
from tools.mutants.promises.no_secret import NO_SECRET
from tools.mutants.promises.once import ONCE
from tools.mutants.promises.one_index_request import ONE_INDEX_REQUEST
from tools.mutants.promises.overload import OVERLOAD
from tools.mutants.promises.pages import PAGES
from tools.mutants.promises.requeued import REQUEUED
from tools.mutants.promises.senders import SENDERS
from tools.mutants.promises.state_of_history import STATE_OF_HISTORY

MUTANTS: Final[tuple[Mutant, ...]] = (
    *DURABLE,
    *ONCE,
    *IN_ANY_ORDER,
    *ONE_INDEX_REQUEST,
    *STATE_OF_HISTORY,
    *NO_SECRET,
    *NO_DEFECT,
    *NO_CRASH,
    *ITS_JOB_ALONE,
    *OVERLOAD,
    *REQUEUED,
    *PAGES,
    *SENDERS,
    *BESIDE_OTHERS,
    *JOB_SYSTEMS,
)
