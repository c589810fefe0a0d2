"""Films whose frames are known: every moment shows the right one, whatever the container, and damage is told."""

import io
import random
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from ingest.sources.film.frames import is_film
from ingest.vision.encode import Encoder
from ingest.vision.film import (
    BadFilm,
    FrameReader,
    encode_gif,
    encode_mp4,
    frame_at,
    frame_name,
    named_frame,
    scan_film,
    timecode,
)
from ingest.vision.signatures import film_format
from tests.support import ROOT
from tests.support.films import cut, edited, grey, number_of, write_film, write_sound

KINDS = [
    ("film.mp4", "libx264"),
    ("film.mkv", "libx264"),
    ("film.mov", "mpeg4"),
    ("film.ts", "libx264"),
    ("film.webm", "libvpx-vp9"),
    ("film.avi", "mpeg4"),
    ("film.avi", "libx264"),  # its time stamps tell the order of decoding, not of showing
    ("film.h264", "libx264"),  # no time stamps, no length
]


@pytest.fixture
def film(tmp_path):
    """40 frames, ten a second, key frames a second apart and frames that refer to later ones between them."""
    return write_film(tmp_path / "film.mp4", map(grey, range(40)), g="10", bf="2")


@pytest.mark.parametrize("name, codec", KINDS, ids=lambda value: value)
def test_every_frame_of_every_container(tmp_path, name, codec):
    quality = {"qmin": "1", "qmax": "2"} if codec == "mpeg4" else {}
    found = scan_film(write_film(tmp_path / name, map(grey, range(40)), 25, codec, g="12", **quality))
    assert (found.width, found.height, found.fps, found.complaint) == (64, 48, 25, "")
    assert found.seconds == pytest.approx(1.6)
    assert found.moments(0) == [round(number / 25, 3) for number in range(40)]
    with FrameReader(found.path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in found.moments(0)] == list(range(40))
        # From the last frame back to the first, and to a moment between two frames
        assert [number_of(reader.at(moment)) for moment in (0.0, 0.22, 1.59)] == [0, 5, 39]


def test_mpeg_2_counts_from_its_own_start(tmp_path):
    found = scan_film(write_film(tmp_path / "film.mpg", map(grey, range(40)), 25, "mpeg2video"))
    with FrameReader(found.path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in found.moments(0.2)] == list(range(0, 40, 5))


def test_moments_come_at_an_even_step_and_end_with_the_film(film):
    found = scan_film(film)
    assert found.moments(1) == [0, 1, 2, 3]
    assert found.moments(0.7) == [0, 0.7, 1.4, 2.1, 2.8, 3.5]
    assert found.moments(60) == [0]
    assert found.moments(4) == [0]


def test_any_frame_in_any_order(film):
    moments = [number / 10 for number in range(40)]
    random.Random(3).shuffle(moments)
    found = scan_film(film)
    with FrameReader(film, found) as reader:
        assert [number_of(reader.at(moment)) for moment in moments] == [round(10 * moment) for moment in moments]
    assert [number_of(frame_at(film, moment)) for moment in moments[:8]] == [round(10 * m) for m in moments[:8]]


def test_a_name_with_milliseconds_leads_to_its_frame(tmp_path):
    """At 24 frames a second the third begins at 0.08333 s and is called 0.083, a little before it begins."""
    found = scan_film(write_film(tmp_path / "film.mp4", map(grey, range(24)), 24))
    assert found.moments(0)[1:4] == [0.042, 0.083, 0.125]
    with FrameReader(found.path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in found.moments(0)] == list(range(24))


def test_uneven_frames_stay_as_long_as_they_do(tmp_path):
    times = [0, 0.1, 0.5, 0.52, 2.0]
    found = scan_film(write_film(tmp_path / "film.mkv", map(grey, range(5)), times=times))
    assert found.moments(0) == times
    with FrameReader(found.path, found) as reader:
        shown = [number_of(reader.at(moment)) for moment in (0, 0.25, 0.5, 0.51, 0.75, 1, 1.99, 2)]
    assert shown == [0, 1, 2, 2, 3, 3, 3, 4]


def test_a_film_that_does_not_tell_its_length(tmp_path):
    path = write_film(tmp_path / "film.webm", map(grey, range(30)), codec="libvpx-vp9", mux={"live": "1"})
    with av.open(str(path)) as container:
        assert container.duration is None
    found = scan_film(path)
    assert found.seconds == pytest.approx(3) and found.complaint == ""
    assert [number_of(frame_at(path, moment)) for moment in (0, 2.9)] == [0, 29]


@pytest.mark.parametrize("reordered", ["0", "2"])
@pytest.mark.parametrize(
    "edits, numbers",
    [
        ([(2, 20)], range(20, 40)),
        ([(1.7, 23)], range(23, 40)),
        ([(1.5, 0)], range(15)),
        ([(1.2, 12)], range(12, 24)),
        ([(1, 0), (1, 30)], [*range(10), *range(30, 40)]),
        ([(1, 5), (1, 5)], [*range(5, 15), *range(5, 15)]),
        ([(1, None), (4, 0)], range(40)),
    ],
    ids=["end", "not at a key frame", "beginning", "middle", "two parts", "one part twice", "empty"],
)
def test_what_an_edit_list_shows_is_the_film(tmp_path, edits, numbers, reordered):
    """Frames that it leaves out are in the file, but nobody sees them; nothing is cut short."""
    path = edited(write_film(tmp_path / "film.mp4", map(grey, range(40)), g="10", bf=reordered), *edits)
    found, numbers = scan_film(path), list(numbers)
    assert found.complaint == "" and found.seconds == pytest.approx(len(numbers) / 10, abs=0.001)
    assert found.times == pytest.approx(np.arange(len(numbers)) / 10, abs=0.001)
    with FrameReader(path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in found.moments(0)] == numbers
        assert [number_of(reader.at(moment)) for moment in found.moments(0.3)[::-1]] == numbers[::3][::-1]


def test_an_edited_film_that_is_cut_short_still_says_so(tmp_path):
    whole = write_film(tmp_path / "film.mp4", map(grey, range(40)), mux={"movflags": "faststart"}, g="10")
    path = edited(whole, (3.5, 5))
    assert scan_film(path).complaint == ""
    assert "cut short" in scan_film(cut(path, 0.9)).complaint


def test_frames_come_for_a_time_and_stay_for_another(tmp_path):
    """With frames that refer to later ones MP4 tells how long each takes to come: the last stays as long as the one
    that comes last, not for the pause before it."""
    times = [0, 0.1, 2.0, 2.1, 5.0]
    found = scan_film(write_film(tmp_path / "film.mp4", map(grey, range(5)), times=times, bf="2"))
    assert found.moments(0) == times and found.complaint == ""
    assert found.seconds == pytest.approx(5.1, abs=0.06)
    with FrameReader(found.path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in found.moments(1)] == [0, 1, 2, 3, 3, 4]


def test_avi_counts_places_where_the_frame_before_stays(tmp_path):
    """As recordings of a screen do: nothing is missing."""
    path = write_film(
        tmp_path / "film.avi", map(grey, range(5)), codec="mpeg4", times=[0, 0.1, 2.0, 2.1, 5.0], qmax="2"
    )
    found = scan_film(path)
    assert found.complaint == "" and found.seconds == pytest.approx(5.1, abs=0.1)
    with FrameReader(path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in (0.05, 1.9, 2.05, 4.9, 5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name, codec", [("a.mkv", "libx264"), ("a.mov", "libx264"), ("a.ts", "libx264")])
def test_pictures_that_come_later_than_the_sound(tmp_path, name, codec):
    """A player's clock begins with the sound: so does ours, and before the first picture there is none."""
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        sound, pictures = container.add_stream("aac", rate=8000), container.add_stream(codec, rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for number in range(40):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 8000, 1024 * number
            packets += sound.encode(silence)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(grey(number), "rgb24")
            frame.pts, frame.time_base = 20 + number, Fraction(1, 10)
            packets += pictures.encode(frame)
        packets += [*sound.encode(None), *pictures.encode(None)]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    found = scan_film(path)
    assert found.complaint == "" and found.times[0] == pytest.approx(2, abs=0.15)
    assert found.moments(1)[0] in (2, 3) and found.moments(0)[-1] == pytest.approx(3.9, abs=0.15)
    with FrameReader(path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in (3, 2.5, 3.5)] == pytest.approx(
            [10, 5, 15], abs=2
        )  # silence that AAC puts first


@pytest.mark.parametrize(
    "name, codec", [*KINDS[:6], ("film.mpg", "mpeg2video"), ("film.flv", "flv"), ("film.m2ts", "libx264")]
)
def test_films_are_known_by_their_bytes(tmp_path, name, codec):
    path = write_film(tmp_path / name, map(grey, range(30)), 25, codec)
    plain = path.rename(tmp_path / "film")
    assert is_film(plain) and film_format(plain.read_bytes()[:1024])
    assert len(scan_film(plain).times) == 30


@pytest.mark.parametrize(
    "content", [b"", b"Use wide margins, " * 99, b"GGGG" * 400, b"const x: number = 1;\n" * 99, b"\0" * 1024]
)
def test_what_is_no_film_by_its_bytes(tmp_path, content):
    (tmp_path / "notes").write_bytes(content)
    (tmp_path / "code.ts").write_bytes(content)
    # A run of G looks like packets of a film of any length; to be sure, it is opened.
    assert not is_film(tmp_path / "notes") and not is_film(tmp_path / "code.ts")


@pytest.mark.parametrize("rotation, corner", [(0, (0, 0)), (90, (0, 1)), (180, (1, 1)), (-90, (1, 0))])
def test_films_are_shown_upright(tmp_path, rotation, corner):
    """`rotation` turns what was filmed counterclockwise; the white corner is filmed at the top left."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:16, :16] = 255
    path = write_film(tmp_path / "film.mp4", [pixels] * 3, rotation=rotation)
    picture = frame_at(path, 0)
    assert (
        picture.size
        == ((64, 48) if rotation in (0, 180) else (48, 64))
        == (scan_film(path).width, scan_film(path).height)
    )
    x, y = (at * (side - 1) for at, side in zip(corner, picture.size, strict=True))
    assert picture.getpixel((x, y))[0] > 200
    assert np.asarray(picture).mean() < 60


def test_pixels_that_are_not_square(tmp_path):
    path = write_film(tmp_path / "film.mp4", [grey(3, (72, 56))] * 3, aspect=Fraction(16, 11))
    assert frame_at(path, 0).size == (105, 56)


@pytest.mark.parametrize("tagged", [True, False])
def test_colours_of_hd_films_need_no_tag(tmp_path, tagged):
    """Without a tag players take large films for HD television's colours; other colours would be off by 20."""
    colour = (230, 60, 40)
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        if tagged:
            stream.codec_context.colorspace = 1
        frame = av.VideoFrame.from_image(Image.new("RGB", (1280, 720), colour))
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode(None))
    np.testing.assert_allclose(frame_at(path, 0).getpixel((600, 300)), colour, atol=5)


def decoded_by(monkeypatch):
    """Counts the frames that reels decode from here on."""
    counted, real = [], FrameReader._decoded

    def counting(reader):
        for item in real(reader):
            counted.append(item[0])
            yield item

    monkeypatch.setattr(FrameReader, "_decoded", counting)
    return counted


def test_wide_steps_jump_from_key_frame_to_key_frame(tmp_path, monkeypatch):
    found = scan_film(write_film(tmp_path / "film.mp4", (grey(number // 10) for number in range(400)), 2, g="4"))
    counted = decoded_by(monkeypatch)
    with FrameReader(found.path, found) as reader:
        assert [number_of(reader.at(moment)) for moment in found.moments(40)] == [0, 8, 16, 24, 32]
    assert len(counted) < 50


def test_rare_key_frames_are_not_gone_back_to_for_every_picture(tmp_path, monkeypatch):
    path = write_film(
        tmp_path / "film.mp4", (grey(number // 10) for number in range(400)), 2, g="999", sc_threshold="0"
    )
    found = scan_film(path)
    counted = decoded_by(monkeypatch)
    with FrameReader(path, found) as reader:
        for moment in found.moments(11):
            assert number_of(reader.at(moment)) == int(moment * 2) // 10
    assert len(counted) < 3 * 400


def test_a_film_cut_short_gives_what_it_has_and_says_so(tmp_path):
    whole = write_film(tmp_path / "film.mp4", map(grey, range(40)), mux={"movflags": "faststart"}, g="10")
    found = scan_film(cut(whole, 0.8))
    assert 10 < len(found.times) < 40
    assert "cut short" in found.complaint and "00:00:04.000" in found.complaint
    shown, damaged = [], []
    with FrameReader(whole, found) as reader:
        for moment in found.moments(0):
            try:
                shown.append(number_of(reader.at(moment)) == round(10 * moment))
            except BadFilm as error:
                damaged.append(error.reason)
        with pytest.raises(BadFilm, match="ends at"):
            reader.at(3.9)
    assert all(shown) and len(shown) >= len(found.times) - 3
    assert len(shown) + len(damaged) == len(found.times) and all("damaged" in reason for reason in damaged)


def test_damage_in_the_middle_is_never_covered_by_another_frame(tmp_path):
    """Between two key frames all is noise: its frames fail, and those after the next key frame are right."""
    path = write_film(tmp_path / "film.mp4", map(grey, range(40)), g="10", bf="0", sc_threshold="0")
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for start, length in packets[10:20]:
        data[start : start + length] = np.random.default_rng(start).integers(0, 256, length, np.uint8).tobytes()
    path.write_bytes(data)
    found = scan_film(path)
    right, damaged = [], []
    with FrameReader(path, found) as reader:
        for number, moment in enumerate(found.moments(0)):
            try:
                assert number_of(reader.at(moment)) == number
                right.append(number)
            except BadFilm:
                damaged.append(number)
    assert damaged == list(range(10, 20)) and right == [*range(10), *range(20, 40)]


def bad_files(folder):
    Image.new("RGB", (9, 9)).save(folder / "picture.mp4", "PNG")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("I am no film " * 900)
    (folder / "folder.mp4").mkdir()
    write_sound(folder / "sound.mp4")
    cut(write_film(folder / "index.mp4", map(grey, range(20))), 0.5)


@pytest.mark.parametrize(
    "name, says",
    [
        ("picture", "a picture or a text"),
        ("empty", "empty"),
        ("text", "not a film"),
        ("folder", "a folder"),
        ("sound", "only sound"),
        ("index", "index of its frames is missing"),
        ("nowhere", "no such file"),
    ],
)
def test_what_is_no_film_is_refused_in_a_sentence(tmp_path, name, says):
    bad_files(tmp_path)
    for function in (scan_film, lambda path: frame_at(path, 0)):
        with pytest.raises(BadFilm, match=says) as caught:
            function(tmp_path / f"{name}.mp4")
        assert caught.value.reason.endswith(".") and "\n" not in caught.value.reason


def test_names_and_time_codes():
    assert timecode(0) == "00:00:00.000" and timecode(12.5) == "00:00:12.500"
    assert timecode(3 * 3600 + 25 * 60 + 45.6789) == "03:25:45.679" and timecode(59.9999) == "00:01:00.000"
    assert frame_name("film.mp4", 12.5) == "film.mp4#t=12.500"
    assert named_frame("a/b#t=1.000/film.mp4#t=12.500") == ("a/b#t=1.000/film.mp4", 12.5)
    assert named_frame("film.mp4") is None and named_frame("film.mp4#t=12") is None


PICTURES = [Image.new("RGB", (65, 49), (200, 20 * number, 60)) for number in range(9)]


def colours_of(frames):
    return [frame.convert("RGB").getpixel((64, 48)) for frame in frames]


@pytest.mark.parametrize("fps", [25, 24000 / 1001, 0.5, 60])
def test_mp4_keeps_pictures_and_pace(fps):
    with av.open(io.BytesIO(encode_mp4(PICTURES, fps))) as container:
        stream = container.streams.video[0]
        frames = [frame.to_image() for frame in container.decode(stream)]
        assert float(stream.average_rate) == pytest.approx(fps, rel=1e-4)
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
    assert [frame.size for frame in frames] == [(66, 50)] * 9  # H.264 needs even sides
    np.testing.assert_allclose(colours_of(frames), [picture.getpixel((0, 0)) for picture in PICTURES], atol=6)


@pytest.mark.parametrize("fps, hundredths", [(25, 4), (2, 50), (10, 10), (90, 2)])
def test_gif_keeps_pictures_and_loops(fps, hundredths):
    gif = Image.open(io.BytesIO(encode_gif(PICTURES, fps)))
    frames = [(frame.info["duration"], frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    assert gif.size == (65, 49) and gif.info["loop"] == 0 and len(frames) == 9
    assert [duration for duration, _ in frames] == [10 * hundredths] * 9
    np.testing.assert_allclose(
        colours_of(frame for _, frame in frames), [picture.getpixel((0, 0)) for picture in PICTURES], atol=3
    )


def test_a_gif_of_a_painting_is_close_to_it():
    picture = (
        Image.open(next(iter(sorted((ROOT / "examples/paintings").glob("*.jpg"))))).convert("RGB").resize((160, 120))
    )
    gif = Image.open(io.BytesIO(encode_gif([picture, picture.rotate(180)], 5)))
    difference = np.abs(np.asarray(gif.convert("RGB"), int) - np.asarray(picture, int))
    assert difference.mean() < 5


def test_uneven_moments_are_kept(tmp_path):
    for kind in ("mp4", "gif"):
        file = tmp_path / f"film.{kind}"
        with Encoder(file, kind, 10, note="how it was made") as encoder:
            for picture, at in zip(PICTURES, (0, 0.1, 0.5, 0.6, 1, 1.1, 1.2, 1.3, 2), strict=True):
                encoder.write(picture, at)
        assert scan_film(file).moments(0) == [0, 0.1, 0.5, 0.6, 1, 1.1, 1.2, 1.3, 2]
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.metadata["comment"] == "how it was made"


def test_wrong_pictures_are_refused(tmp_path):
    for encode in (encode_mp4, encode_gif):
        with pytest.raises(ValueError, match="at least one picture"):
            encode([], 5)
        with pytest.raises(ValueError, match="pixels"):
            encode([PICTURES[0], Image.new("RGB", (9, 9))], 5)
        with pytest.raises(ValueError, match="more than 0"):
            encode(PICTURES, 0)
    with pytest.raises(ValueError, match="mp4 or gif"):
        Encoder(io.BytesIO(), "avi", 5)
