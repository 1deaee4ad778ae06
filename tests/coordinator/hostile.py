"""Hostile messages out of the descriptors, for the tests that send them."""

from __future__ import annotations

from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

F = FieldDescriptor

DEEPEST = 4
"""Messages within messages."""

INTEGERS = {
    F.TYPE_INT32: (-(2**31), 2**31 - 1),
    F.TYPE_INT64: (-(2**63), 2**63 - 1),
    F.TYPE_UINT32: (0, 2**32 - 1),
    F.TYPE_UINT64: (0, 2**64 - 1),
}

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "\0",
            "a\0b",
            "-",
            "x" * 5000,
            "../../etc/passwd",
            "namespaces/-",
            "namespaces/default",
            "namespaces/default/jobs/-",
            "namespaces/default/jobs/x\0",
            "tokens/x",
            "' OR 1=1 --",
            "%s%n{0}{x.__class__}",
            "‮\u0000😀\uffff",
            "ab" * 32,
            "NaN",
            "1e999",
            "error@pgd:nan",
            "error@pgd:1e400",
            "@",
            "digits",
            "forest",
            "cnn/depth",
            "http://169.254.169.254/latest",
            "0123456789abcdef",
        ]
    ),
    st.text(max_size=20),
)
NUMBERS = st.one_of(
    st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 1e308, -1e308, 5e-324]),
    st.floats(),
)


def _whole(low: int, high: int) -> st.SearchStrategy[int]:
    edges = [low, high, 0, 1, -1, 2, 2**31 - 1, 10**6, 10**9]
    return st.one_of(
        st.sampled_from([n for n in edges if low <= n <= high]), st.integers(low, high)
    )


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type in INTEGERS:
        return _whole(*INTEGERS[field.type])
    if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
        return NUMBERS
    if field.type == F.TYPE_BOOL:
        return st.booleans()
    if field.type == F.TYPE_STRING:
        return TEXTS
    if field.type == F.TYPE_BYTES:
        return st.binary(max_size=64)
    assert field.type == F.TYPE_ENUM, field
    known = [value.number for value in field.enum_type.values]
    return st.one_of(st.sampled_from(known), _whole(-(2**31), 2**31 - 1))


def set_hostile(draw: Any, message: Message, field: FieldDescriptor, depth: int) -> None:
    """Gives a field of the message a value that its type allows, and nothing else does."""
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        keys, values = (entry.fields_by_name[n] for n in ("key", "value"))
        for key in draw(st.lists(_scalar(keys), max_size=3)):
            getattr(message, field.name)[key] = draw(_scalar(values))
    elif entry is not None:
        if depth >= DEEPEST:
            return
        for _ in range(draw(st.integers(0, 3)) if field.is_repeated else 1):
            made = draw(messages(entry, depth + 1))
            if field.is_repeated:
                getattr(message, field.name).append(made)
            else:
                getattr(message, field.name).CopyFrom(made)
    elif field.is_repeated:
        del getattr(message, field.name)[:]
        getattr(message, field.name).extend(draw(st.lists(_scalar(field), max_size=4)))
    else:
        setattr(message, field.name, draw(_scalar(field)))


@st.composite
def messages(draw: Any, descriptor: Descriptor, depth: int = 0) -> Message:
    """Any message of the kind: some of its fields, with any values."""
    message = message_factory.GetMessageClass(descriptor)()
    fields = list(descriptor.fields)
    chosen = draw(st.lists(st.sampled_from(fields), max_size=5)) if fields else []
    for field in chosen:
        set_hostile(draw, message, field, depth)
    return message


@st.composite
def spoilt(draw: Any, message: Message) -> Message:
    """The message, with one to three of its fields, however deep, made hostile."""
    changed = type(message)()
    changed.CopyFrom(message)
    for _ in range(draw(st.integers(1, 3))):
        at, depth = changed, 0
        while at.DESCRIPTOR.fields:
            field = draw(st.sampled_from(list(at.DESCRIPTOR.fields)))
            inner = _inner(at, field)
            if not inner or draw(st.integers(0, 4)) == 0:
                if draw(st.booleans()) or field.type == F.TYPE_MESSAGE:
                    set_hostile(draw, at, field, depth)
                else:
                    at.ClearField(field.name)
                break
            at, depth = draw(st.sampled_from(inner)), depth + 1
    return changed


def _inner(message: Message, field: FieldDescriptor) -> list[Message]:
    entry = field.message_type
    if entry is None or entry.GetOptions().map_entry:
        return []
    if field.is_repeated:
        return list(getattr(message, field.name))
    return [getattr(message, field.name)] if message.HasField(field.name) else []


@st.composite
def garbled(draw: Any, message: Message) -> bytes:
    """The message's bytes with some cut out, put in or changed; or bytes that were never one."""
    data = bytearray(message.SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(
            st.one_of(st.binary(max_size=8), st.just(b"\xff\xfe\x80"), st.just(b"\x0a\x02\xc3\x28"))
        )
    return bytes(data)
