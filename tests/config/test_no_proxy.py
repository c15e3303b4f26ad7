"""The environment's proxies as other programs read them; NO_PROXY: names, suffixes, addresses, networks, ports."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from logship.config import load_settings
from logship.config.values import environment_proxy
from logship.errors import ConfigError

PROXY = "http://proxy:3128"
LEFT_OUT = [
    ("api.example.com", "https://api.example.com"),
    ("API.Example.com", "https://api.example.com"),
    ("example.com", "https://api.example.com"),
    (".example.com", "https://api.example.com"),
    ("*.example.com", "https://api.example.com"),
    ("example.com", "https://api.example.com."),
    ("a.org, .example.com", "https://api.example.com"),
    ("a.org .example.com", "https://api.example.com"),
    ("example.com:8443", "https://api.example.com:8443"),
    ("example.com:443", "https://api.example.com"),
    ("*", "https://api.example.com"),
    ("a.org,*", "https://api.example.com"),
    ("10.1.2.3", "https://10.1.2.3"),
    ("10.1.2.3:8443", "https://10.1.2.3:8443"),
    ("10.0.0.0/8", "https://10.1.2.3"),
    ("10.1.2.3/8", "https://10.1.2.3"),
    ("192.168.0.0/16,10.0.0.0/8", "http://10.1.2.3:8080"),
    ("::1", "https://[::1]"),
    ("[::1]", "https://[::1]"),
    ("[::1]:8443", "https://[::1]:8443"),
    ("fd00::/8", "https://[fd12:3456::1]"),
    ("2001:0db8:0:0::1", "https://[2001:db8::1]"),
]
NOT_LEFT_OUT = [
    ("", "https://api.example.com"),
    (",", "https://api.example.com"),
    (".", "https://api.example.com"),
    ("ample.com", "https://api.example.com"),
    ("api.example.com", "https://example.com"),
    ("example.com:8443", "https://api.example.com"),
    ("10.0.0.0/8", "https://11.1.2.3"),
    ("10.0.0.0/99", "https://10.1.2.3"),
    ("10.1.2.3:8443", "https://10.1.2.3"),
    ("10.0.0.0/8", "https://api.example.com"),
    ("1.2.3", "https://10.1.2.3x"),
    ("[::1]:8443", "https://[::1]"),
    ("0.0.0.0/0", "https://[::1]"),
]


@pytest.mark.parametrize(("entries", "url"), LEFT_OUT)
def test_an_entry_leaves_a_host_out(entries: str, url: str) -> None:
    environ = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "NO_PROXY": entries}
    assert environment_proxy(urlsplit(url), environ) is None


@pytest.mark.parametrize(("entries", "url"), NOT_LEFT_OUT)
def test_an_entry_leaves_no_other_host_out(entries: str, url: str) -> None:
    environ = {"https_proxy": PROXY, "no_proxy": entries}
    assert environment_proxy(urlsplit(url), environ) == PROXY


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "logship.yml"
    path.write_text(
        f"endpoint: {{url: 'https://api.example.com', application_id: x}}\nstate_dir: {tmp_path}\n"
        "sources: [{paths: [a.log], format: combined, mapping: default}]\n"
    )
    return path


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("proxy:3128", "http://proxy:3128"),
        ("user:pass@proxy:3128", "http://user:pass@proxy:3128"),
        ("HTTP://Proxy:3128/", "http://proxy:3128"),
        ("https://proxy", "https://proxy"),
    ],
)
def test_a_proxy_of_the_environment_has_one_spelling(given: str, taken: str, config: Path) -> None:
    assert load_settings(config, {"https_proxy": given}).endpoint.proxy == taken


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("socks5://me:geheim@proxy:1080", "only http proxies work"),
        ("http://me:geheim@proxy:99999", "Port out of range"),
        ("foo bar:3128", "names no host"),
        ("http://:3128", "names no host"),
    ],
)
def test_a_proxy_of_the_environment_that_is_none_is_an_error_for_those_who_send(
    given: str, said: str, config: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(config, {"https_proxy": given})
    assert "the environment's proxy: " in str(error.value)
    assert said in str(error.value)
    assert "geheim" not in str(error.value)
    assert load_settings(config, {"https_proxy": given}, sending=False).endpoint.proxy is None
