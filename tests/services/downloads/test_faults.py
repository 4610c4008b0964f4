"""What networks, servers and disks do to a download, and that it ends with the right bytes or with none."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from qtui.core.downloads.trouble import ChangedError, DamagedError, NetworkError
from qtui.core.errors import AccessError, BadFileError, HubError, NotOnHubError
from tests.hub.content import Bytes
from tests.hub.faults import Fault, Kind, rate_limited
from tests.services.downloads.place import MIB, NAME, Place, noise, sha256_of

FILE = f"*{NAME}"


def gets(place: Place) -> list[tuple[int, int | None] | None]:
    """Return the ranges that were asked of the CDN."""
    return [record.range for record in place.hub.requests("cdn", "GET")]


def test_a_whole_file_comes_with_one_request(place: Place) -> None:
    ran = place.run()
    assert ran.error is None
    assert ran.paths == [place.landing().name]
    assert place.is_right()
    assert gets(place) == [None]
    assert ran.received == 3 * MIB
    assert place.leftovers() == []


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.RESET, Kind.STALL])
def test_a_broken_connection_goes_on_where_it_broke(place: Place, kind: Kind) -> None:
    place.hub.fault(Fault(kind, FILE, at=2 * MIB + 17))
    ran = place.run()
    assert ran.error is None and place.is_right()
    first, second = gets(place)
    assert first is None and second is not None
    assert 0 < second[0] <= 2 * MIB + 17
    if kind is Kind.CUT:
        assert second[0] == 2 * MIB + 17, "not a byte that came may be fetched again"


def test_a_download_survives_a_reset_a_cut_and_a_stall(place: Place) -> None:
    place.hub.fault(
        Fault(Kind.RESET, FILE, at=MIB), Fault(Kind.CUT, FILE, at=MIB + MIB // 2), Fault(Kind.STALL, FILE, at=2 * MIB)
    )
    assert place.run().error is None
    assert place.is_right()
    assert len(gets(place)) == 4


def test_more_breaks_than_tries_are_survived_while_bytes_come(place: Place) -> None:
    cuts = [Fault(Kind.CUT, FILE, at=at * MIB // 8) for at in range(1, 24)]
    place.hub.fault(*cuts)
    assert place.run().error is None
    assert place.is_right()
    assert len(gets(place)) == 24


def test_a_server_that_ignores_ranges_does_not_cost_what_is_here(place: Place) -> None:
    place.hub.fault(
        Fault(Kind.CUT, FILE, at=2 * MIB),
        Fault(Kind.IGNORE_RANGE, FILE, times=-1, port="cdn"),
        Fault(Kind.CUT, FILE, at=MIB),
    )
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert "the server only sends whole files: passing over what is here" in ran.notes
    assert ran.received == 3 * MIB, "no byte was taken twice"


@pytest.mark.parametrize("shift", [1, MIB // 2])
def test_another_range_than_was_asked_for_is_not_taken(place: Place, shift: int) -> None:
    place.hub.fault(Fault(Kind.CUT, FILE, at=MIB), Fault(Kind.WRONG_RANGE, FILE, times=-1, port="cdn", shift=shift))
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert any("another part than was asked for" in note for note in ran.notes)
    assert gets(place)[-1] is None, "the whole file is asked for then"


def test_a_flipped_bit_is_found_and_thrown_away(place: Place) -> None:
    place.hub.fault(Fault(Kind.CORRUPT, FILE, at=MIB + 3))
    ran = place.run()
    assert isinstance(ran.error, DamagedError)
    assert "SHA-256" in ran.error.message
    assert not place.is_right()
    assert place.landing().partial.stat().st_size == 0
    assert place.run().error is None
    assert place.is_right()


def test_a_flipped_bit_before_a_cut_is_found_after_the_rest_came(place: Place) -> None:
    place.hub.fault(Fault(Kind.CORRUPT, FILE, at=5), Fault(Kind.CUT, FILE, at=MIB))
    assert isinstance(place.run().error, DamagedError)
    assert not place.is_right()
    assert place.run().error is None
    assert place.is_right()


def test_other_bytes_from_the_cdn_are_refused(place: Place) -> None:
    listed = place.job()
    place.repository.commits[-1] = replace(place.repository.head, files={NAME: noise(seed=2)})
    ran = place.run(listed)
    assert isinstance(ran.error, ChangedError), "the Hub itself says so before a byte is fetched"
    assert gets(place) == []


def test_an_address_that_ran_out_is_asked_for_anew(place: Place) -> None:
    place.hub.fault(Fault(Kind.CUT, FILE, at=MIB), Fault(Kind.EXPIRED, FILE))
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert any("the address of the bytes does not work (status 403)" in note for note in ran.notes)
    assert len(place.hub.requests("hub", "HEAD")) == len(gets(place)) == 3


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_fails_for_a_while_is_asked_again(place: Place, status: int) -> None:
    place.hub.fault(Fault(Kind.STATUS, FILE, status=status, times=3, port="cdn"))
    assert place.run().error is None
    assert place.is_right()


def test_a_server_that_keeps_failing_ends_it_with_what_came_kept(place: Place) -> None:
    place.hub.fault(Fault(Kind.CUT, FILE, at=MIB), Fault(Kind.STATUS, FILE, status=500, times=-1, port="cdn"))
    place.hub.faults[1].times = 0
    place.hub.faults[0].then = lambda: setattr(place.hub.faults[1], "times", -1)
    ran = place.run()
    assert isinstance(ran.error, NetworkError)
    assert "the server fails (status 500) (4 tries in a row)" in ran.error.message
    assert place.landing().partial.stat().st_size == MIB
    place.hub.faults.clear()
    place.hub.clear()
    assert place.run().error is None and place.is_right()
    assert gets(place) == [(MIB, None)]


def test_the_wait_that_the_hub_asks_for_is_shown_and_kept(place: Place) -> None:
    place.hub.fault(rate_limited("/acme/*", wait_s=1))
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert "the Hub asks to wait; again in 1 s" in ran.notes


def test_more_bytes_than_promised_are_refused(place: Place) -> None:
    place.hub.fault(Fault(Kind.EXTRA, FILE, port="cdn", times=-1), Fault(Kind.NO_LENGTH, FILE, port="cdn", times=-1))
    ran = place.run()
    assert isinstance(ran.error, DamagedError)
    assert "more bytes than the Hub promised" in ran.error.message
    assert not place.is_right()
    place.hub.faults.clear()
    assert place.run().error is None and place.is_right()


def test_bytes_beyond_a_promised_length_are_not_read(place: Place) -> None:
    place.hub.fault(Fault(Kind.EXTRA, FILE, port="cdn"))
    assert place.run().error is None
    assert place.is_right()
    assert place.landing().final.stat().st_size == 3 * MIB


def test_a_body_without_a_length_is_taken(place: Place) -> None:
    place.hub.fault(Fault(Kind.NO_LENGTH, FILE, port="cdn"))
    assert place.run().error is None
    assert place.is_right()


def test_a_shorter_file_than_was_listed_is_refused(place: Place) -> None:
    place.hub.fault(Fault(Kind.SHORT, FILE, at=MIB, times=-1, port="cdn"))
    ran = place.run()
    assert isinstance(ran.error, NetworkError)
    assert f"promises {MIB} bytes where {3 * MIB} are expected" in ran.error.message
    assert not place.is_right()


@pytest.mark.parametrize("port", ["hub", "cdn"])
def test_a_login_page_is_told_from_a_file(place: Place, port: str) -> None:
    place.hub.fault(Fault(Kind.PORTAL, times=-1, port=port))
    ran = place.run()
    assert isinstance(ran.error, HubError)
    assert "log in" in ran.error.message + ran.error.hint
    place.hub.faults.clear()
    assert place.run().error is None and place.is_right()


def test_a_server_that_is_no_hub_is_told(place: Place) -> None:
    place.hub.fault(Fault(Kind.NO_COMMIT, FILE, port="hub"))
    error = place.run().error
    assert isinstance(error, HubError) and "is no Hub" in error.message


def test_a_server_that_is_not_there_is_told(place: Place) -> None:
    job = replace(place.job(), endpoint="http://127.0.0.1:1")
    error = place.run(job).error
    assert isinstance(error, NetworkError) and "takes no connections" in error.message


@pytest.mark.parametrize(
    ("fields", "kind", "word"),
    [
        ({"gated": "auto"}, AccessError, "is gated"),
        ({"private": True}, NotOnHubError, "no such repository"),
        ({"disabled": True}, AccessError, "disabled by the Hub"),
    ],
)
def test_what_the_hub_does_not_give_is_told_apart(
    place: Place, fields: dict[str, object], kind: type[HubError], word: str
) -> None:
    for name, value in fields.items():
        setattr(place.repository, name, value)
    error = place.run().error
    assert isinstance(error, kind) and word in error.message
    if "gated" in fields:
        assert f"{place.hub.endpoint}/acme/Tiny-GGUF" in error.hint
    assert gets(place) == []


def test_a_file_that_is_gone_is_told(place: Place) -> None:
    job = place.job()
    place.repository.commits.pop()
    place.repository.commit({"Other-Q8_0.gguf": b"other"})
    error = place.run(job).error
    assert isinstance(error, NotOnHubError) and "list the repository again" in error.hint


def test_a_renamed_repository_is_followed(place: Place) -> None:
    job = place.job()
    place.hub.move("acme/Tiny-GGUF", "acme/Renamed-GGUF")
    assert place.run(job).error is None


def test_a_stop_keeps_what_came(place: Place) -> None:
    assert place.run(stop_at=1).stopped
    kept = place.landing().partial.stat().st_size
    assert 0 < kept <= MIB
    place.restart()
    place.hub.clear()
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert gets(place) == [(kept, None)]
    assert ran.received == 3 * MIB - kept


def test_a_changed_file_starts_anew_and_says_so(place: Place) -> None:
    assert place.run(stop_at=1).stopped
    old = place.landing()
    place.restart()
    place.change(noise(seed=2))
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert f"{NAME} has changed on the Hub: starting anew" in ran.notes
    assert not old.partial.exists() and not old.state.exists()
    assert gets(place)[-1] is None


def test_a_new_commit_of_the_same_bytes_goes_on(place: Place) -> None:
    assert place.run(stop_at=1).stopped
    place.restart()
    place.hub.clear()
    place.repository.commit({"README.md": b"# more"})
    ran = place.run()
    assert ran.error is None and place.is_right()
    asked = gets(place)[0]
    assert asked is not None and asked[0] > 0


@pytest.mark.parametrize("spoil", ["no state", "another state", "torn state", "longer", "other bytes"])
def test_a_partial_that_cannot_be_trusted_is_not_used(place: Place, spoil: str) -> None:
    assert place.run(stop_at=1).stopped
    place.restart()
    landing = place.landing()
    if spoil == "no state":
        landing.state.unlink()
    elif spoil == "another state":
        landing.state.write_text(landing.state.read_text().replace(place.remote().sha256, "0" * 64))
    elif spoil == "torn state":
        landing.state.write_text(landing.state.read_text()[:40])
    elif spoil == "longer":
        os.truncate(landing.partial, 4 * MIB)
    else:
        landing.partial.write_bytes(b"x" * landing.partial.stat().st_size)
    ran = place.run()
    if spoil == "other bytes":
        assert isinstance(ran.error, DamagedError)
        ran = place.run()
    else:
        assert any("starting anew" in note for note in ran.notes)
    assert ran.error is None and place.is_right()


@pytest.mark.parametrize("plant", ["link", "dangling link", "hard link", "folder", "fifo"])
def test_what_is_planted_where_the_partial_goes_is_left_alone(place: Place, plant: str) -> None:
    victim = place.cache.parent / "victim"
    partial = place.landing().partial
    partial.parent.mkdir(parents=True)
    victim.write_bytes(b"precious")
    match plant:
        case "link":
            partial.symlink_to(victim)
        case "dangling link":
            partial.symlink_to(victim.with_name("new"))
        case "hard link":
            partial.hardlink_to(victim)
        case "folder":
            partial.mkdir()
        case _:
            os.mkfifo(partial)
    ran = place.run()
    assert ran.error is not None
    assert victim.read_bytes() == b"precious"
    assert not victim.with_name("new").exists()
    assert not place.is_right()
    if plant == "link":
        assert isinstance(ran.error, BadFileError) and "a link lies where" in ran.error.message
    partial.rmdir() if plant == "folder" else partial.unlink()
    assert place.run().error is None and place.is_right()


def test_a_damaged_file_in_its_place_is_fetched_anew(place: Place) -> None:
    assert place.run().error is None
    blob = place.landing().final
    blob.write_bytes(b"\0" * blob.stat().st_size)
    place.hub.clear()
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert f"{NAME} is here and damaged: fetching it anew" in ran.notes


def test_a_file_in_its_place_is_compared_and_not_fetched(place: Place) -> None:
    assert place.run().error is None
    place.hub.clear()
    ran = place.run()
    assert ran.error is None and ran.paths == [place.landing().name]
    assert place.hub.requests() == []


def test_bytes_that_another_program_put_there_get_their_name(place: Place) -> None:
    blob = place.landing().final
    blob.parent.mkdir(parents=True)
    blob.write_bytes(place.files[NAME].read(0, 3 * MIB))
    assert place.run().error is None
    assert place.is_right()
    assert place.hub.requests() == []


def test_several_files_come_one_after_the_other(place: Place) -> None:
    shards = [f"Big-Q8_0-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    place.repository.commit({name: noise(MIB + seed, seed) for seed, name in enumerate(shards)})
    place.hub.fault(Fault(Kind.CUT, f"*{shards[1]}", at=1000))
    ran = place.run(place.job(*shards))
    assert ran.error is None
    assert [path.name for path in ran.paths] == shards
    assert all(place.is_right(name) for name in shards)


def test_a_folder_takes_files_as_they_are(place: Place) -> None:
    folder = place.cache.parent / "models"
    job = replace(place.job(), folder=str(folder))
    ran = place.run(job)
    assert ran.error is None
    target = folder / "acme" / "Tiny-GGUF" / NAME
    assert ran.paths == [target]
    assert sha256_of(target) == place.remote().sha256
    assert target.stat().st_mode & 0o777 == 0o644
    assert not place.cache.exists()


def test_an_older_file_in_a_folder_stays_until_the_new_one_is_whole(place: Place) -> None:
    folder = place.cache.parent / "models"
    assert place.run(replace(place.job(), folder=str(folder))).error is None
    target = folder / "acme" / "Tiny-GGUF" / NAME
    old = sha256_of(target)
    place.change(noise(seed=7))
    assert place.run(replace(place.job(), folder=str(folder)), stop_at=1).stopped
    assert sha256_of(target) == old
    place.restart()
    assert place.run(replace(place.job(), folder=str(folder))).error is None
    assert sha256_of(target) == place.remote().sha256


def test_a_mirror_that_sends_the_bytes_itself(place: Place) -> None:
    """Without a CDN the Hub answers HEAD and GET alike (README and small files, simple mirrors)."""
    place.repository.commit({"tiny.imatrix": Bytes(b"imatrix" * 99)})
    ran = place.run(place.job("tiny.imatrix"))
    assert ran.error is None
    assert place.is_right("tiny.imatrix")
