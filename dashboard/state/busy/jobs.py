"""A command as a button: it starts here, shows how far it is, and can be stopped; or it is typed in a terminal."""

from __future__ import annotations

import ipaddress
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from dashboard.compute.words import plain
from dashboard.data import cache, jobs
from dashboard.data.cache.memory import cache_token
from dashboard.data.jobs import Job, JobError, JobReport
from store.connection import default_path

EVERY = 1.5  # seconds between two looks at a job that is running
REDRAWN = 6.0  # seconds at least between two drawings of the page that it changes


def offer(
    title: str,
    arguments: Sequence[str],
    label: str,
    key: str,
    *,
    hint: str = "",
    then: Callable[[], object] | None = None,
) -> None:
    """A button that starts `python -m ingest` with these `arguments` on the database in view, or what has become of it.

    `title` says which work it is: there is one job of a title at a time, and it is found again after a reload. `hint`
    is said beside the button; when the job is done, `then` shows what comes next. A visitor from another computer sees
    what to type.
    """
    last = jobs.newest(cache.db(), title) if may_start() else None
    if last is not None and jobs.is_running(last):
        watch(last, key)
        return
    outcome(last, key, then)
    button(title, arguments, label, key, hint)


def button(title: str, arguments: Sequence[str], label: str, key: str, hint: str = "") -> None:
    """The button alone, and the command that it stands for."""
    arguments = tuple(map(str, arguments))
    command = jobs.command_of(arguments) + database_option()
    if not may_start():
        st.caption(
            plain(hint + " Type this in a terminal, in the folder of the project:") if hint else "In a terminal:"
        )
        st.code(command, language=None, wrap_lines=True)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            label, key=key, type="primary", icon=":material/play_arrow:", on_click=_start, args=(title, arguments, key)
        )
        with st.popover("As a command", icon=":material/terminal:"):
            st.caption("The same in a terminal, in the folder of the project:")
            st.code(command, language=None, wrap_lines=True)
        if hint:
            st.caption(plain(hint))
    if problem := st.session_state.pop(f"_{key}_problem", None):
        st.warning(plain(problem), icon=":material/info:")


def offer_for_collection(command: str, label: str, key: str, more: Sequence[str] = ()) -> None:
    """The same of a command that takes the source of a collection: that of the run in view, or the first."""
    run, collections = cache.current_run(), cache.collections()["name"].tolist()
    collection = run.collection if run else next(iter(collections), None)
    source = collection and cache.source_of(collection)
    if not collection or not source:
        st.code(jobs.command_of([command, "FOLDER", *more]) + database_option(), language=None, wrap_lines=True)
        return
    offer(f"{label}: {collection}", [command, source, "--collection", collection, *more], label, key)


def offer_folder(key: str) -> None:
    """A field for a folder, or an address on the web, and the button that reads its pictures."""
    if not may_start():
        st.code(f"python -m ingest run FOLDER{database_option()}", language=None, wrap_lines=True)
        return
    with st.form(key, border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Folder of pictures", key=f"{key}_folder", placeholder="/home/me/scans", width=420)
        st.form_submit_button(
            "Read these pictures", type="primary", icon=":material/play_arrow:", on_click=_read_folder, args=(key,)
        )
    if problem := st.session_state.pop(f"_{key}_problem", None):
        st.warning(plain(problem), icon=":material/info:")
    title = st.session_state.get(f"_{key}_title")
    last = jobs.newest(cache.db(), title) if title else None
    if last is not None and jobs.is_running(last):
        watch(last, key)
    else:
        outcome(last, key)


def _read_folder(key: str) -> None:
    source = str(st.session_state[f"{key}_folder"]).strip()
    if "://" not in source and not Path(source).expanduser().exists():
        named = f"There is no {source} on this computer" if source else "Name a folder"
        st.session_state[f"_{key}_problem"] = f"{named}: copy its path from the file manager, as /home/me/scans."
        return
    st.session_state[f"_{key}_title"] = f"Reading {source}"
    _start(f"Reading {source}", ("run", source), key)


def running() -> None:
    """How far each job is that is under way on the database in view, for the sidebar."""
    if any(map(jobs.is_running, jobs.jobs(cache.db()))):
        st.fragment(_all_running, run_every=EVERY)()


def _all_running() -> None:
    under_way = [(job, found) for job in jobs.jobs(cache.db()) if (found := jobs.report(job)).state == "running"]
    if not under_way:
        st.rerun(scope="app")
    for job, found in under_way:
        st.progress(found.progress.share if found.progress else 0.0, plain(_step(job, found)))
        _stop(job, f"sidebar_stop_{job.folder.name}")


def of_command(command: str) -> list[Job]:
    """The jobs of a command (run, evaluate, …) that are under way on the database in view."""
    return [job for job in jobs.jobs(cache.db()) if job.arguments[0] == command and jobs.is_running(job)]


def watch(job: Job, key: str) -> None:
    """How far a job is, looked at again and again, with a button that stops it. What it stores appears on the page."""
    _watched().add(job.folder.name)
    st.fragment(_watch, run_every=EVERY)(job, key, cache_token(cache.db()), time.monotonic())


def _watch(job: Job, key: str, token: str, drawn: float) -> None:
    found = jobs.report(job)
    stored = time.monotonic() - drawn > REDRAWN and cache_token(cache.db()) != token
    if found.state != "running" or stored:
        st.rerun(scope="app")
    with st.container(border=True):
        st.progress(found.progress.share if found.progress else 0.0, plain(_step(job, found)))
        if found.lines:
            st.caption("  \n".join(map(plain, found.lines[-3:])))
        _stop(job, f"{key}_stop")


def _step(job: Job, found: JobReport) -> str:
    """What a job does, how far it is, and how long that still takes."""
    step = found.progress
    if step is None:
        return f"{job.title}: it begins"
    left = f" · {step.left} to go" if step.left not in ("?", "") and step.share < 1 else ""
    return f"{job.title}: {step.title} {step.share:.0%}{left}"


def _stop(job: Job, key: str) -> None:
    stopping = (job.folder / "stop").exists()
    words = "Stopping …" if stopping else "Stop"
    st.button(words, key=key, icon=":material/stop:", on_click=jobs.stop, args=(job,), disabled=stopping)


def outcome(job: Job | None, key: str, then: Callable[[], object] | None = None) -> None:
    """How the last job ended: what went wrong until it is tried again, the rest to those who saw it running; `then`
    shows what comes next."""
    if job is None:
        return
    found = jobs.report(job)
    watched = job.folder.name in _watched()
    if found.state == "finished" and watched:
        st.success(plain(found.result.partition(" → ")[0] or "Done."), icon=":material/check:")
        if then is not None:
            then()
    elif found.state == "stopped" and watched:
        st.info("Stopped. What is done is stored; started again, it goes on from there.", icon=":material/stop:")
    elif found.state == "failed":
        last = found.lines[-1].removeprefix("Error: ") if found.lines else "It ended without a word."
        st.error(plain(f"{job.title} failed: {last}"), icon=":material/error:")
        if len(found.lines) > 1:
            with st.expander("What it said"):
                st.code("\n".join(found.lines), language=None, wrap_lines=True)


def database_option() -> str:
    """The --db option that names the database in view; empty where it is the one that a command takes anyway."""
    chosen = cache.db()
    return "" if chosen == default_path() else f" --db {shlex.quote(str(chosen))}"


def may_start() -> bool:
    """Whether this visitor may start commands: who sits at the computer that the dashboard runs on."""
    return jobs.possible() and _is_loopback(_visitor()) and _is_loopback(_host())


def _visitor() -> str | None:
    """Where the visitor comes from; None from this computer."""
    return st.context.ip_address


def _host() -> str | None:
    """The name of the machine in the address that the visitor opened; None outside a browser."""
    return urlsplit(st.context.url or "").hostname


def _is_loopback(address: str | None) -> bool:
    if address in (None, "localhost"):
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _start(title: str, arguments: Sequence[str], key: str) -> None:
    try:
        job = jobs.start(cache.db(), title, arguments)
    except JobError as error:
        st.session_state[f"_{key}_problem"] = str(error)
    else:
        _watched().add(job.folder.name)


def _watched() -> set[str]:
    """The folders of the jobs that this visitor has seen running."""
    return st.session_state.setdefault("_jobs_watched", set())
