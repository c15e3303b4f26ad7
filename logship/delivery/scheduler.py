"""Which part of which batch is sent next, and what its answer changes. Pure: time and chance come in, nothing waits.

submit -> next -> (somebody posts) -> settle -> ... -> outcomes
"""

from __future__ import annotations

import random as random_module
from collections.abc import Iterable
from enum import Enum

from logship.delivery.answer import Answer, Decision, Failure, Verdict, is_timeout
from logship.delivery.batch_progress import BatchProgress, EventRange
from logship.delivery.pace import QUICK, Attempt, BodyLimit, Pace
from logship.delivery.poison import PoisonWatch, Suspect, Trial
from logship.endpoint import DeliveryLimits
from logship.event import Batch, Outcome, Parts, RefusedEvent
from logship.records import record

TIMEOUTS = 2  # of one batch in a row: the link is too slow for its size
READY_AHEAD = 1  # batches beyond the window, so that a free sender finds the next one at once


class Purpose(Enum):
    """Why something is sent."""

    DELIVER = 0
    PROBE = 1  # one event from behind the suspects
    RETRY = 2  # the first suspect again


@record
class Job:
    """One attempt to be made."""

    progress: BatchProgress
    part: EventRange
    attempt: Attempt
    purpose: Purpose
    started_s: float
    size: int  # bytes of the decoded body

    @property
    def is_single(self) -> bool:
        return self.part.count == 1

    def body(self) -> bytes:
        return self.progress.body(self.part)

    def parts(self) -> Parts:
        """The body as it is in memory."""
        return self.progress.parts(self.part)


@record
class Rest:
    """Nothing may start now; `until_s` is when that can change by itself, None where it can't."""

    until_s: float | None


class Scheduler:
    """All batches for one receiver. Not thread-safe: its owner has the lock."""

    def __init__(self, settings: DeliveryLimits, timeout_s: float, random: random_module.Random) -> None:
        self._random = random
        self._timeout_s = timeout_s
        self.pace = Pace(settings.concurrency, settings.retry_initial_s, settings.retry_max_s, random)
        self.limit = BodyLimit(settings.max_body_bytes, timeout_s)
        self._probe: Attempt | None = None  # in flight with a body that probes a larger limit
        self.last_error: Answer | Failure | None = None  # of the newest attempt that failed since the last success
        self.hint = ""
        self._open: list[BatchProgress] = []
        self._poison = PoisonWatch()
        self._is_finishing = False
        self._outcomes: list[Outcome] = []

    @property
    def waiting(self) -> int:
        """Batches that are not settled and not in flight."""
        return len(self._open) - self.pace.in_flight

    @property
    def has_outcomes(self) -> bool:
        return bool(self._outcomes)

    @property
    def is_drained(self) -> bool:
        """Whether nothing is left to send or in flight; suspects may still be undecided."""
        return not any(progress.is_undecided for progress in self._open)

    def has_work(self, now_s: float) -> bool:
        """Whether one more attempt may start now."""
        return self.pace.may_start(now_s) and any(progress.is_waiting for progress in self._open)

    def room(self) -> int:
        """How many more batches may be submitted: none while held, but one if a trial needs an event to test."""
        undecided = sum(progress.is_undecided for progress in self._open)
        if not self.pace.hold:
            return max(0, self.pace.window + READY_AHEAD - undecided)
        trial = self._poison.trial
        return max(0, 1 - undecided) if trial and trial.is_lost and not self._behind(trial) else 0

    def submit(self, batch: Batch) -> None:
        self._open.append(BatchProgress(batch))
        self._is_finishing = False

    def finish(self) -> None:
        """Nothing more comes for now: refused events need not wait for later ones."""
        self._is_finishing = True

    def outcomes(self) -> list[Outcome]:
        """What was settled since the last call."""
        settled, self._outcomes = self._outcomes, []
        return settled

    def unsettled(self) -> list[Batch]:
        """Every batch that has no outcome, in the order they came."""
        return [progress.batch for progress in self._open]

    def next(self, now_s: float) -> Job | Rest:
        """What to send now, counted as started; or how long to rest."""
        rejection_s = None
        if self._poison.are_any:
            self._close(self._poison.reject_alone(now_s, self._open, self._is_finishing))
            rejection_s = self._poison.next_rejection_s(self._open)
        trial = self._poison.trial
        if not trial and not any(progress.is_waiting for progress in self._open):
            return Rest(rejection_s)
        if not self.pace.may_start(now_s):
            return Rest(_earlier(rejection_s, self.pace.next_start_s(now_s)))
        return (self._test_mapping(trial, now_s) if trial else self._delivery(now_s)) or Rest(rejection_s)

    def settle(
        self, job: Job, answer: Answer | Failure, decision: Decision, now_s: float, retry_after_s: float | None = None
    ) -> None:
        """What the answer changes."""
        is_probe = self._probe is job.attempt
        self._probe = None if is_probe else self._probe
        match decision.verdict:
            case Verdict.CONFIRMED:
                self._accept(job, now_s)
            case Verdict.RETRY:
                self._retry(job, answer, now_s, retry_after_s, is_probe=is_probe)
            case Verdict.HOLD:
                self._return(job)
                self.pace.held(now_s, job.attempt)
                self._note(answer, decision.hint)
            case Verdict.SMALLER | Verdict.REFUSED:
                self._refuse(job, answer, decision.verdict, now_s)
        self._close([job.progress])

    def _delivery(self, now_s: float) -> Job | None:
        """The earliest waiting events: later positions wait for theirs."""
        progress = next((progress for progress in self._open if progress.is_waiting), None)
        if progress is None:
            return None
        part = progress.take(self.limit.safe_bytes if self._probe else self.limit.bytes)
        job = self._start(progress, part, Purpose.DELIVER, now_s)
        if self.limit.safe_bytes < job.size <= self.limit.bytes:
            self._probe = job.attempt
        return job

    def _test_mapping(self, trial: Trial, now_s: float) -> Job | None:
        """The next attempt of a trial; where it has no event to test, the other sources continue."""
        if self.pace.in_flight:
            return None  # what is in flight may still decide it
        behind = self._behind(trial)
        if trial.is_retrying or (trial.is_lost and not behind):
            suspect = trial.of_source.suspects[0]
            index = suspect.refusal.index
            return self._start(suspect.progress, EventRange(index, index + 1), Purpose.RETRY, now_s)
        if not behind:
            if self._is_finishing and not any(progress.is_waiting for progress in self._open):
                self._lose(trial, now_s, None)
            return self._delivery(now_s)
        progress, events = self._random.choice(behind) if trial.is_lost else behind[0]
        index = self._random.choice(events) if trial.is_lost else events[-1]
        return self._start(progress, EventRange(index, index + 1), Purpose.PROBE, now_s)

    def _behind(self, trial: Trial) -> list[tuple[BatchProgress, range]]:
        """Events of the source on trial that are still to be sent, farthest first."""
        source = trial.of_source.source
        return [(progress, events) for progress in reversed(self._open) for events in progress.pending_of(source)]

    def _start(self, progress: BatchProgress, part: EventRange, purpose: Purpose, now_s: float) -> Job:
        progress.is_out = True
        return Job(progress, part, self.pace.start(), purpose, now_s, progress.size_bytes(part))

    def _return(self, job: Job) -> None:
        """The attempt decided nothing."""
        job.progress.is_out = False
        if job.purpose is Purpose.DELIVER:
            job.progress.put_back(job.part)

    def _retry(
        self, job: Job, answer: Answer | Failure, now_s: float, retry_after_s: float | None, *, is_probe: bool
    ) -> None:
        """The events' fate is unknown; if they time out repeatedly, fewer are sent at once."""
        self._return(job)
        if not is_timeout(answer):
            self.pace.failed(now_s, job.attempt, retry_after_s)
            self._note(answer)
            return
        self.pace.failed(now_s, job.attempt, retry_after_s, is_too_slow=True)
        job.progress.timeouts += 1
        if job.progress.timeouts < TIMEOUTS and not is_probe:
            self._note(answer)
            return
        self.limit.timed_out(job.size, now_s)
        self._note(
            answer,
            f"{job.size} bytes at once are too many for endpoint.timeout ({self._timeout_s:g}s): fewer are sent,"
            " by fewer senders; a longer timeout or a smaller batch.max_bytes saves the repeats",
        )

    def _accept(self, job: Job, now_s: float) -> None:
        took_s = now_s - job.started_s
        self.limit.accepted(job.size, took_s, now_s)
        self.pace.accepted(job.attempt, is_quick=took_s < QUICK * self._timeout_s)
        job.progress.timeouts = 0
        self.last_error, self.hint = None, ""
        trial = self._poison.trial
        if job.purpose is Purpose.RETRY and trial:
            job.progress.is_out = False
            self._close(self._poison.suspect_accepted(trial))
            return
        if job.purpose is Purpose.PROBE:
            job.progress.is_out = False
            job.progress.remove(job.part.first)
        else:
            job.progress.accept(job.part)
        if self._poison.are_any:
            self._close(self._poison.accept(job.progress.sources(job.part), job.attempt))

    def _refuse(self, job: Job, answer: Answer | Failure, verdict: Verdict, now_s: float) -> None:
        trial = self._poison.trial
        if trial and job.purpose is not Purpose.DELIVER:
            job.progress.is_out = False
            self._test_failed(job, trial, now_s)
            return
        self.pace.refused(job.attempt)
        if job.is_single:
            self._note(answer)
            assert isinstance(answer, Answer)  # a failure is never decided to be a refusal
            refusal = RefusedEvent(job.part.first, answer.status, answer.excerpt)
            (source,) = job.progress.sources(job.part)
            self._poison.refuse(source, Suspect(job.progress, refusal, job.attempt), now_s)
            return
        if verdict is Verdict.SMALLER:
            self.limit.refused(job.size, now_s)
        job.progress.divide(job.part, is_refused=verdict is Verdict.REFUSED)

    def _test_failed(self, job: Job, trial: Trial, now_s: float) -> None:
        """An attempt of a trial was refused."""
        if job.purpose is Purpose.RETRY and self._behind(trial):
            trial.is_retrying = False
            self.pace.doubted()  # the hold continues; the event from behind is tried at once
            return
        self._lose(trial, now_s, job.attempt)

    def _lose(self, trial: Trial, now_s: float, attempt: Attempt | None) -> None:
        """The mapping is wrong: hold, and report the first answer."""
        trial.is_lost = trial.is_retrying = True
        self.pace.held(now_s, attempt)
        suspects = trial.of_source.suspects
        self._note(
            Answer(suspects[0].refusal.status, excerpt=suspects[0].refusal.reason),
            f"the last {len(suspects)} events of source {trial.of_source.source} were all refused: its mapping makes"
            " events this receiver doesn't take; fix it and reload",
        )

    def _note(self, answer: Answer | Failure, hint: str = "") -> None:
        self.last_error = answer
        if hint or not self.pace.hold:
            self.hint = hint

    def _close(self, batches: Iterable[BatchProgress]) -> None:
        """Batches that are settled become outcomes."""
        for progress in batches:
            if progress.is_settled and progress in self._open:
                self._open.remove(progress)
                refused = tuple(sorted(progress.refused, key=lambda refusal: refusal.index))
                self._outcomes.append(Outcome(progress.batch, refused))


def _earlier(one_s: float | None, other_s: float | None) -> float | None:
    moments = [moment for moment in (one_s, other_s) if moment is not None]
    return min(moments, default=None)
