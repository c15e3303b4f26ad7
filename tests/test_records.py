"""`record` gives what a frozen dataclass with slots gives."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from typing import ClassVar

import pytest

from logship.records import record


@record
class Point:
    UNIT: ClassVar[str] = "m"
    x: int
    y: int = 0
    label: str = field(default="", compare=False, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@record(order=True)
class Version:
    major: int
    minor: int = 0


@record(frozen=False)
class Tally:
    names: list[str] = field(default_factory=list)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = len(self.names)


@record(eq=False, weakref_slot=True)
class Alone:
    name: str


@record(kw_only=True)
class Named:
    port: int
    host: str = "localhost"


@record
class Nothing:
    pass


def test_values_are_taken_by_place_by_name_and_by_default() -> None:
    assert (Point(1, 2).y, Point(y=5, x=1).y, Point(1).y, Point(1).sum, Point.UNIT) == (2, 5, 0, 1, "m")
    assert Named(port=1) == Named(port=1, host="localhost")
    with pytest.raises(TypeError, match="positional"):
        Named(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=2)  # type: ignore[call-arg]


def test_equal_is_what_has_the_class_and_the_compared_values() -> None:
    assert Point(1, 2, "a") == Point(1, 2, "b") != Point(1, 3)
    other: object = Version(1, 0)
    assert Point(1, 0) != other
    assert len({Point(1, 2, "a"), Point(1, 2, "b"), Version(1, 2)}) == 2
    assert Nothing() == Nothing()
    assert Alone("a") != Alone("a")
    assert Tally(["a"]) == Tally(["a"])
    with pytest.raises(TypeError, match="unhashable"):
        hash(Tally())


def test_order_is_that_of_the_values() -> None:
    assert sorted([Version(2), Version(1, 9), Version(1, 2)]) == [Version(1, 2), Version(1, 9), Version(2)]
    assert Version(1) <= Version(1) >= Version(1)
    with pytest.raises(TypeError):
        assert Version(1) < (1, 0)  # type: ignore[operator]


def test_a_frozen_record_stays_as_it_is_and_none_takes_another_name() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match=r"Point\.x"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match=r"Point\.x"):
        del point.x
    with pytest.raises(AttributeError):
        Tally().other = 1  # type: ignore[attr-defined]


def test_each_instance_has_its_own_list_and_what_post_init_gives() -> None:
    first, second = Tally(), Tally(["a"])
    first.names.append("b")
    assert (first.names, first.total, second.names, second.total, Tally().names) == (["b"], 0, ["a"], 1, [])


def test_a_default_that_all_instances_would_share_is_refused() -> None:
    with pytest.raises(ValueError, match="use default_factory"):

        @record
        class Shared:
            names: list[str] = []  # noqa: RUF012


def test_it_shows_its_values() -> None:
    assert repr(Point(1, 2, "hidden")) == "Point(x=1, y=2)"


def test_the_functions_of_dataclasses_know_it() -> None:
    assert is_dataclass(Point(1))
    assert [one.name for one in fields(Point)] == ["x", "y", "label"]
    assert replace(Point(1, 2, "a"), y=3) == Point(1, 3)
    assert asdict(Tally(["a"])) == {"names": ["a"], "total": 1}


def test_it_survives_pickle_and_copy() -> None:
    for made in (Point(1, 2, "a"), Version(1), Tally(["a"]), Nothing(), Named(port=1)):
        assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == copy.deepcopy(made) == made
    assert copy.copy(Alone("a")).name == "a"


def test_it_can_be_matched_by_place() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_its_signature_is_that_of_its_fields_once_one_was_made() -> None:
    Point(1)
    assert list(inspect.signature(Point).parameters) == ["x", "y", "label"]


def test_an_instance_of_a_derived_class_has_its_values_too() -> None:
    class Far(Point):
        __slots__ = ()

        def twice(self) -> int:
            return 2 * self.x

    far = Far(4, label="a")
    assert (far.twice(), far.y, far.label) == (8, 0, "a")
    with pytest.raises(FrozenInstanceError):
        far.x = 1  # type: ignore[misc]
