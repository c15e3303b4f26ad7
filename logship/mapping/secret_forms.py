"""Values with a form of their own: tokens, keys, numbers with a check sum, addresses."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import NamedTuple

from logship.patterns import deferred

_FILES = frozenset(
    {
        "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "css", "js", "mjs", "map", "json", "xml",
        "html", "htm", "php", "asp", "aspx", "jsp", "txt", "pdf", "zip", "gz", "tgz", "woff", "ttf", "eot", "mp4",
        "webm", "mp3", "vue", "ts",
    }
)  # fmt: skip


class Form(NamedTuple):
    """What values of a kind look like."""

    kind: str
    hint: str  # what a text must hold, in lower case, before the pattern is tried
    pattern: re.Pattern[str]
    is_it: Callable[[str], bool] = lambda text: True


_TEST_CARDS = frozenset(  # of the providers' documents, with so few digits that other numbers look like them
    {"4111111111111111", "4242424242424242", "5555555555554444", "4444333322221111", "4000000000000002"}
)


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if len(set(digits)) < 3:
        return "".join(map(str, digits)) in _TEST_CARDS
    doubled = [
        digit if at % 2 == 0 else (2 * digit - 9 if digit > 4 else 2 * digit)
        for at, digit in enumerate(reversed(digits))
    ]
    return sum(doubled) % 10 == 0


_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PT": 25, "QA": 29, "RO": 24,
    "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "XK": 20,
}  # fmt: skip


_DIGITS_ONLY = frozenset(  # countries whose accounts have no letters
    {
        "AT", "BA", "BE", "CZ", "DE", "DK", "EE", "ES", "FI", "FO", "GL", "HR", "HU", "IL", "IS", "LT", "ME", "NO",
        "PL", "PT", "RS", "SE", "SI", "SK", "XK",
    }
)  # fmt: skip


def _iban(text: str) -> bool:
    """Source: ISO 13616, check digits by ISO 7064 mod 97."""
    plain = text.replace(" ", "").upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain) or (plain[:2] in _DIGITS_ONLY and not plain[2:].isdigit()):
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _mail(text: str) -> bool:
    return text.lower().rpartition(".")[2] not in _FILES


def _basic(text: str) -> bool:
    try:
        return b":" in b64decode(text.split()[-1] + "==")
    except (Base64Error, ValueError):
        return False


def _mixed(text: str) -> bool:
    """Letters and digits: a word of a sentence is no token."""
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


_CARD = deferred(  # 16 digits of the large issuers, 15 of American Express, 14 of Diners
    r"(?<![\w.+-])(?:"
    r"(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|65\d{2}|35\d{2})([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|3[47]\d{2}([ -]?)\d{6}\2\d{5}|3(?:0[0-5]|[68]\d)\d([ -]?)\d{6}\3\d{4}"
    r")(?![\w.-])"
)
_IBAN = deferred(
    r"(?i)(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Z0-9])",
    re.ASCII,
)
_MAIL = deferred(r"(?<![\w.+%-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w-])")
FORMS = (
    Form("private key", "private key", re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")),
    Form("token (JWT)", "eyj", re.compile(r"(?<![\w-])eyJ[\w-]{8,}={0,2}\.eyJ[\w-]{8,}={0,2}\.[\w-]*")),
    Form("bearer token", "bearer", re.compile(r"(?i:\bbearer[ :=]+)([A-Za-z0-9._~+/-]{12,}=*)"), _mixed),
    Form("user and password", "basic", re.compile(r"(?i:\bbasic )[A-Za-z0-9+/]{6,}={0,2}"), _basic),
    Form("user and password", "://", re.compile(r"(?<=://)[^/\s:@?#]{1,64}:[^/\s@?#]{1,128}(?=@[\w.-])")),
    Form("cloud key (AWS)", "", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])")),
    Form("cloud key (Google)", "aiza", re.compile(r"(?<![\w-])AIza[\w-]{35}(?![\w-])")),
    Form("cloud key (Google)", "ya29.", re.compile(r"(?<![\w-])ya29\.[\w-]{20,}")),
    Form("cloud key (Azure)", "accountkey=", re.compile(r"AccountKey=[A-Za-z0-9+/]{40,}={0,2}")),
    Form("access token (GitHub)", "gh", re.compile(r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})")),
    Form("access token (GitLab)", "glpat-", re.compile(r"(?<![\w-])glpat-[\w-]{18,}")),
    Form("access token (Slack)", "xox", re.compile(r"(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10,}")),
    Form("access token (Slack)", "hooks.slack", re.compile(r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,}")),
    Form("secret key (Stripe)", "_live_", re.compile(r"(?<![\w-])(?:sk|rk|whsec)_live_[A-Za-z0-9]{10,}")),
    Form("secret key (Stripe)", "_test_", re.compile(r"(?<![\w-])(?:sk|rk)_test_[A-Za-z0-9]{10,}")),
    Form("access token", "sk-", re.compile(r"(?<![\w-])sk-[A-Za-z0-9_-]{24,}"), _mixed),
    Form("access token", "sg.", re.compile(r"(?<![\w-])SG\.[\w-]{16,}\.[\w-]{16,}")),
    Form("access token", "npm_", re.compile(r"(?<![\w-])npm_[A-Za-z0-9]{36}")),
    Form("access token", "hf_", re.compile(r"(?<![\w-])hf_[A-Za-z0-9]{30,}")),
    Form("access token", "do", re.compile(r"(?<![\w-])do[opr]_v1_[0-9a-f]{40,}")),
    Form("access token", "shp", re.compile(r"(?<![\w-])shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}")),
    Form("access token", "pypi-", re.compile(r"(?<![\w-])pypi-[\w-]{50,}")),
    Form("card number", "", _CARD, _luhn),
    Form("bank account (IBAN)", "", _IBAN, _iban),
    Form("e-mail address", "@", _MAIL, _mail),
)  # fmt: skip
