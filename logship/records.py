"""`record` makes a class of named values: what `dataclass(frozen=True, slots=True)` gives, made when it is first used.

The standard library writes and compiles up to seven functions for each class where it is defined. For the classes that
a start imports that took 95 ms, 40 % of all imports. Here a class compiles one function, at its first instance.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

C = TypeVar("C", bound=type)
FEW = 3  # values of a frozen instance that are set one by one


@overload
def record(cls: C, /) -> C: ...
@overload
def record(
    *, frozen: bool = ..., eq: bool = ..., order: bool = ..., kw_only: bool = ..., weakref_slot: bool = ...
) -> Callable[[C], C]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    cls: type | None = None,
    /,
    *,
    frozen: bool = True,
    eq: bool = True,
    order: bool = False,
    kw_only: bool = False,
    weakref_slot: bool = False,
) -> Any:
    """A class whose annotated names are its fields: with slots, `__init__`, `__repr__`, and by value `==` and `hash`.

    The options mean what they mean for `dataclass`, whose `field`, `replace`, `fields` and `asdict` work on it.
    Fields are not inherited, and `super()` without arguments does not work in its methods, as a new class is made.
    A class that is derived from a frozen one needs `__slots__ = ()`.
    """
    if cls is None:
        return lambda named: _made(named, frozen, eq, order, kw_only, weakref_slot)
    return _made(cls, frozen, eq, order, kw_only, weakref_slot)


def _made(cls: type, frozen: bool, by_value: bool, order: bool, kw_only: bool, weakref_slot: bool) -> type:
    annotations = {
        name: kind for name, kind in vars(cls).get("__annotations__", {}).items() if not kind.startswith("ClassVar")
    }
    namespace = {name: value for name, value in vars(cls).items() if name not in {"__dict__", "__weakref__"}}
    defaults = {name: namespace.pop(name) for name in annotations if name in namespace}
    for name, default in defaults.items():
        if type(default).__hash__ is None:
            raise ValueError(f"{cls.__name__}.{name}: all instances would share this default; use default_factory")
    shown = _names(annotations, defaults, lambda one: one.repr)
    compared = _names(annotations, defaults, lambda one: one.compare)
    shared: dict[str, Any] = {
        "__slots__": (*annotations, "__weakref__") if weakref_slot else tuple(annotations),
        "__match_args__": () if kw_only else _names(annotations, defaults, lambda one: one.init),
        "__dataclass_fields__": _StandardFields(annotations, defaults),
        "__repr__": lambda self: f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in shown)})",
        "__getstate__": lambda self: [getattr(self, name) for name in annotations],
        "__setstate__": _restored,
    }
    if by_value:
        shared |= _comparisons(_values(compared), order)
        shared["__hash__"] = _hash_of(_values(compared)) if frozen else None
    if frozen:
        shared |= {"__setattr__": _refuse, "__delattr__": _refuse}
    made: type = type(cls)(cls.__name__, cls.__bases__, {**shared, **namespace})
    made.__qualname__ = cls.__qualname__
    if "__init__" not in namespace:
        _begin(made, annotations, defaults, frozen, kw_only)
    return made


def _names(
    annotations: Mapping[str, str], defaults: Mapping[str, Any], wanted: Callable[[Field[Any]], bool]
) -> tuple[str, ...]:
    return tuple(name for name in annotations if not isinstance(one := defaults.get(name), Field) or wanted(one))


def _values(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """What equality, order and hash look at."""
    return attrgetter(*names) if names else lambda one: ()


def _comparisons(values: Callable[[Any], Any], order: bool) -> dict[str, Any]:
    def by(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda one, other: compare(values(one), values(other)) if type(one) is type(other) else NotImplemented

    return {
        f"__{name}__": by(getattr(operator, name)) for name in (("eq", "lt", "le", "gt", "ge") if order else ("eq",))
    }


def _hash_of(values: Callable[[Any], Any]) -> Callable[[Any], int]:
    return lambda one: hash(values(one))


def _refuse(one: Any, name: str, *value: Any) -> None:
    raise FrozenInstanceError(f"{type(one).__name__}.{name} can't be {'assigned' if value else 'deleted'}")


def _restored(one: Any, state: list[Any]) -> None:
    """An instance from pickle or copy."""
    for name, value in zip(type(one).__slots__, state, strict=False):  # behind the fields may be __weakref__
        object.__setattr__(one, name, value)


def _begin(cls: Any, annotations: Mapping[str, str], defaults: Mapping[str, Any], frozen: bool, kw_only: bool) -> None:
    """Gives a class an `__init__` that replaces itself at the first instance by the one that is compiled for it."""

    def first(self: Any, *values: Any, **named: Any) -> None:
        cls.__init__ = _compiled(cls, annotations, defaults, frozen, kw_only)
        cls.__init__(self, *values, **named)

    cls.__init__ = first


def _compiled(
    cls: type, annotations: Mapping[str, str], defaults: Mapping[str, Any], frozen: bool, kw_only: bool
) -> Callable[..., None]:
    """`__init__` of a class."""
    parameters, body = ["self", *(["*"] if kw_only else [])], list[tuple[str, str]]()
    names: dict[str, Any] = {"_missing": MISSING}
    for name in annotations:
        default = defaults.get(name, MISSING)
        given: Field[Any] = default if isinstance(default, Field) else field(default=default)
        value = name
        if given.default is not MISSING:
            names[f"_default_{name}"] = given.default
            value = name if given.init else f"_default_{name}"
        elif given.default_factory is not MISSING:
            names[f"_default_{name}"], names[f"_new_{name}"] = MISSING, given.default_factory
            value = f"_new_{name}() if {name} is _missing else {name}" if given.init else f"_new_{name}()"
        elif not given.init:
            continue  # __post_init__ gives it
        if given.init:
            parameters.append(f"{name}=_default_{name}" if f"_default_{name}" in names else name)
        body.append((name, value))
    lines = "\n ".join(_storing(cls, body, names) if frozen else [f"self.{name} = {value}" for name, value in body])
    if hasattr(cls, "__post_init__"):
        lines += "\n self.__post_init__()"
    lines = lines or "pass"
    exec(f"def __init__({', '.join(parameters)}):\n {lines}", names)  # noqa: S102  # of a class's own names
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _storing(cls: type, values: list[tuple[str, str]], names: dict[str, Any]) -> list[str]:
    """The lines that give a frozen instance its values.

    While it is made it is of a class with the same slots that is not frozen: half the time of object.__setattr__().
    """
    slots = vars(cls)["__slots__"]
    names["_set"] = object.__setattr__
    if len(values) < FEW or "__weakref__" in slots:
        return [f"_set(self, {name!r}, {value})" for name, value in values]
    names["_opened"] = type(cls)(cls.__name__, cls.__bases__, {"__slots__": slots})
    stores = [f"self.{name} = {value}" for name, value in values]
    return ["_made = type(self)", "_set(self, '__class__', _opened)", *stores, "self.__class__ = _made"]


class _StandardFields:
    """`__dataclass_fields__`, by which the functions of dataclasses know a class; made when one of them asks."""

    def __init__(self, annotations: Mapping[str, str], defaults: Mapping[str, Any]) -> None:
        self._namespace = {"__annotations__": dict(annotations), **defaults}
        self._fields: dict[str, Field[Any]] | None = None

    def __get__(self, instance: object, owner: type) -> dict[str, Field[Any]]:
        if self._fields is None:
            same = type(owner.__name__, (), self._namespace)
            plain: Any = dataclass(init=False, repr=False, eq=False, match_args=False)(same)
            self._fields = {one.name: one for one in fields(plain)}
        return self._fields
