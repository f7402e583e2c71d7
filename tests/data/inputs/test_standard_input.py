import io

from charlm.data.inputs.standard_input import SinglePassInput


def test_a_stream_is_read_once_and_its_start_again() -> None:
    content = bytes(range(256)) * 1000
    reading = SinglePassInput(io.BytesIO(content))
    with reading.open() as stream:
        assert stream.read(16) == content[:16]
        stream.seek(0)
        parts = [stream.read(100_000) for _ in range(4)]
    assert [len(part) for part in parts] == [100_000, 100_000, 56_000, 0]
    assert b"".join(parts) == content
    with reading.open() as start:
        assert content.startswith(start.read(1 << 20))
