"""What became of a print job, in words: its state, and the note that says why."""

from __future__ import annotations

from loyalty.i18n import Language, text
from offline_queue.print_jobs import JobState


def job_in_words(state: JobState, note: str, language: Language) -> str:
    """As in: waits for the printer (paper out)."""
    why = _why(note, language)
    return text(f"cli.job_state_{state}", language) + (f" ({why})" if why else "")


def _why(note: str, language: Language) -> str:
    if not note:
        return ""
    try:
        return text(f"cli.job_note_{note}", language)
    except KeyError:  # of another version of the agent
        return note
