"""What the receiver asks for at GET /v1/config: rates by rule, user and company, read strictly and never half.

Source: Moesif's API documentation (`_config-api.md`) and its log-based client: the first regex rule whose conditions
all hold decides, else the user's rate, else the company's, else `sample_rate`. A user or company rate of 0 comes before
all of them: it is an opt-out.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import orjson

from logship import digits
from logship.digits import Digits
from logship.errors import FormatError
from logship.formats.re2_door import compile_pattern
from logship.records import record

MAX_CONFIG_BYTES = 8_000_000  # some 300,000 users with a rate of their own
BOM = b"\xef\xbb\xbf"  # what some editors put before a file
MAX_RULES = 250
MAX_CONDITIONS = 20  # of one rule
MAX_COMPANY_RATES = 250  # different ones; each costs some instructions
MAX_WEIGHT = (1 << 53) - 1  # what every JSON reader takes for an integer
ALL = Fraction(100)
BUCKETS = 1 << 64
MIX = b"logship rate"  # the draw of a user is its own, whatever else hashes user ids


class RemoteRulesError(ValueError):
    """What the receiver answered is no configuration; the text says where."""


@record
class RemoteCondition:
    """A search in the text at a dotted path of the event."""

    path: str
    pattern: str


@record
class RemoteRule:
    """A rate for the events in which all conditions hold; `number` is its place in the receiver's list, from 1."""

    number: int
    rate: Fraction
    conditions: tuple[RemoteCondition, ...]


@record
class RemoteRules:
    """The receiver's rules.

    Shapes: rates are percent, 0 to 100. `text` is the JSON they can be read from again, `{}` where the answer says
    nothing of rates. `warnings` say what of the answer is not obeyed.
    """

    text: bytes
    rate: Fraction
    users: Mapping[str, Fraction]
    companies: Mapping[str, Fraction]
    regexes: tuple[RemoteRule, ...]
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: bytes) -> RemoteRules:
        """The rules of an answer's body.

        Raises: RemoteRulesError for anything that is not wholly what it should be: half an answer is none.
        """
        if len(answer) > MAX_CONFIG_BYTES:
            raise RemoteRulesError(f"it has more than {MAX_CONFIG_BYTES:,} bytes")
        try:
            tree = digits.loads(answer.removeprefix(BOM))
        except orjson.JSONDecodeError as exc:
            raise RemoteRulesError(f"it is no JSON: {exc}") from exc
        if not isinstance(tree, dict):
            raise RemoteRulesError("it is no JSON object")
        warnings: list[str] = []
        if tree.get(BOTS):
            warnings.append(f"{BOTS} is not obeyed: which clients are bots is not published")
        rate = _rate(tree, "sample_rate", "sample_rate")
        users, companies = _rates(tree, "user_sample_rate"), _rates(tree, "company_sample_rate")
        if len(set(companies.values())) > MAX_COMPANY_RATES:
            raise RemoteRulesError(f"company_sample_rate has more than {MAX_COMPANY_RATES} different rates")
        kept = {key: tree[key] for key in (*RATES, BOTS) if tree.get(key) is not None}
        if tree and not any(key in tree for key in (*RATES, BOTS, *NAMES)):
            raise RemoteRulesError("it has no key of a configuration")  # an {"error": …} with status 200
        rules = _rules(tree.get("regex_config"), warnings)
        text = digits.dumps(kept if any(key in kept for key in RATES) else {})
        return cls(text, rate, users, companies, rules, tuple(warnings))

    @property
    def is_silent(self) -> bool:
        """Whether the answer says nothing of rates: it gives no rules, and takes none back."""
        return self.text == b"{}"

    @property
    def count(self) -> int:
        """How many there are: regex rules, users and companies with a rate of their own, and the rate of all others."""
        return len(self.regexes) + len(self.users) + len(self.companies) + (self.rate < ALL)

    def described(self) -> list[str]:
        """The rules in words, the first that fits decides."""
        lines = [
            f"rule {rule.number}: {percent(rule.rate)} where "
            + " and ".join(f"{one.path} matches {one.pattern}" for one in rule.conditions)
            for rule in self.regexes
        ]
        for kind, rates in (("user", self.users), ("company", self.companies)):
            excluded = sum(not rate for rate in rates.values())
            if rates:
                out = f", {excluded:,} excluded" if excluded else ""
                lines.append(f"{kind} rates: {len(rates):,}{out}")
        return [*lines, f"all others: {percent(self.rate)}"]


RATES = ("sample_rate", "user_sample_rate", "company_sample_rate", "regex_config")
BOTS = "block_bot_traffic"
NAMES = ("app_id", "org_id")  # whose configuration it is
ROUTE = "request.route"  # of the URI, as the receiver's own clients have it
UNDECIDED = {
    "transaction_id": "it names the event, and is made when the event is decided",
    "weight": "it says how the event was decided",
}


def percent(rate: Fraction) -> str:
    """`12.5 %`."""
    return f"{float(rate):g} %"


def threshold_of(rate: Fraction) -> int:
    """Of BUCKETS places so many are kept."""
    return int(rate / ALL * BUCKETS)


def weight_of(rate: Fraction) -> int:
    """How many events a kept one stands for, as the service counts: whole, and 1 where nothing is kept."""
    return min(MAX_WEIGHT, int(ALL / rate)) if rate else 1


def draws(user: str) -> int:
    """A user's own place below BUCKETS, the same on every host and in every run.

    All its events are kept at a rate whose threshold is above it: who is kept at 10 % is kept at 20 %, too.
    """
    from hashlib import blake2b  # here: it loads OpenSSL, which takes 4 ms of every start

    digest = blake2b(user.encode("utf-8", "surrogatepass"), digest_size=8, person=MIX).digest()
    return int.from_bytes(digest, "little")


def _rate(tree: Mapping[str, object], key: str, where: str) -> Fraction:
    """A percentage, 100 where there is none; what lies outside of 0 to 100 means the nearer of them."""
    value = tree.get(key)
    if value is None:
        return ALL
    if isinstance(value, bool) or not isinstance(value, int | float | Digits):
        raise RemoteRulesError(f"{where} is no number")
    value = float(str(value)) if isinstance(value, Digits) else value
    return min(ALL, max(Fraction(0), Fraction(str(value))))


def _rates(tree: Mapping[str, object], key: str) -> dict[str, Fraction]:
    rates = tree.get(key)
    if rates is None:
        return {}
    if not isinstance(rates, dict):
        raise RemoteRulesError(f"{key} is no object")
    known: dict[object, Fraction] = {}  # a hundred thousand users share a few rates
    made = {}
    for name in (name for name, value in rates.items() if name and value is not None):  # who has no id is not ""
        rate = _rate(rates, name, f"a rate of {key}")
        made[name] = known.setdefault(rate, rate)
    return made


def _rules(tree: object, warnings: list[str]) -> tuple[RemoteRule, ...]:
    if tree is None:
        return ()
    if not isinstance(tree, list):
        raise RemoteRulesError("regex_config is no list")
    if len(tree) > MAX_RULES:
        raise RemoteRulesError(f"regex_config has more than {MAX_RULES} rules")
    made = []
    for number, rule in enumerate(tree, 1):
        if not isinstance(rule, dict):
            raise RemoteRulesError(f"rule {number} is no object")
        rate = _rate(rule, "sample_rate", f"the sample_rate of rule {number}")
        conditions = _conditions(rule.get("conditions"), number)
        refused = next(filter(None, map(_refusal, conditions)), "")
        if refused or not conditions:
            reason = refused or "it has no conditions"
            warnings.append(f"rule {number} is left out: {reason}")
        else:
            made.append(RemoteRule(number, rate, conditions))
    return tuple(made)


def _conditions(tree: object, number: int) -> tuple[RemoteCondition, ...]:
    if tree is None:
        return ()
    if not isinstance(tree, list) or len(tree) > MAX_CONDITIONS:
        raise RemoteRulesError(f"the conditions of rule {number} are no list of at most {MAX_CONDITIONS}")
    found = []
    for one in tree:
        path, value = (one.get("path"), one.get("value")) if isinstance(one, dict) else (None, None)
        if isinstance(value, int | float | Digits) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(path, str) or not path or not isinstance(value, str):
            raise RemoteRulesError(f"a condition of rule {number} has no path and value")
        found.append(RemoteCondition(ROUTE if path.lower() == ROUTE else path, value))
    return tuple(found)


def _refusal(condition: RemoteCondition) -> str:
    """Why a condition can't be asked; '' where it can."""
    step = condition.path.partition(".")[0].lower()
    if step in UNDECIDED:
        return f"{step} is no text to search: {UNDECIDED[step]}"
    try:
        compile_pattern(condition.pattern, captures=False)
    except FormatError as exc:
        return exc.message
    return ""
