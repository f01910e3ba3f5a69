"""The environment an edge starts from: whole and safe, or refused by the variable's name."""

from __future__ import annotations

import pytest

from gateway.edge.settings import Address, BadSettings, EdgeSettings

GOOD = {
    "HOOPWEB_EDGE_LISTEN": "0.0.0.0:8443",
    "HOOPWEB_EDGE_TLS_CERT": "/tls/edge.pem",
    "HOOPWEB_EDGE_TLS_KEY": "/tls/edge.key",
    "HOOPWEB_CONTROL_URL": "http://127.0.0.1:8001/, https://control.example",
    "HOOPWEB_EDGE_STATE": "/var/lib/edge",
}


def test_a_whole_environment_is_read() -> None:
    settings = EdgeSettings.from_environment(GOOD)
    assert settings.listen == Address(host="0.0.0.0", port=8443)
    assert settings.control_urls == ("http://127.0.0.1:8001", "https://control.example")
    assert settings.journal_fsync is False


def test_an_ipv6_address_is_read() -> None:
    settings = EdgeSettings.from_environment({**GOOD, "HOOPWEB_EDGE_LISTEN_PLAIN": "[::1]:8080"})
    assert settings.listen_plain == Address(host="::1", port=8080)


def test_it_is_called_localhost_unless_told_otherwise() -> None:
    assert EdgeSettings.from_environment(GOOD).gateway_names == ("localhost",)
    named = EdgeSettings.from_environment({**GOOD, "HOOPWEB_GATEWAY_NAMES": "GW.example, aws.example"})
    assert named.gateway_names == ("gw.example", "aws.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOOPWEB_EDGE_LISTEN", "8443"),
        ("HOOPWEB_EDGE_LISTEN", "host:port"),
        ("HOOPWEB_EDGE_LISTEN", "host:65536"),
        ("HOOPWEB_EDGE_TLS_CERT", ""),
        ("HOOPWEB_EDGE_LISTEN_PLAIN", "0.0.0.0:8080"),
        ("HOOPWEB_EDGE_LISTEN_PLAIN", "edge.example:8080"),
        ("HOOPWEB_CONTROL_URL", ""),
        ("HOOPWEB_CONTROL_URL", "ftp://control"),
        ("HOOPWEB_CONTROL_URL", "http://"),
        ("HOOPWEB_EDGE_STATE", " "),
        ("HOOPWEB_EDGE_CONTROL_SECONDS", "soon"),
        ("HOOPWEB_EDGE_JOURNAL_MAX_BYTES", "-1"),
        ("HOOPWEB_EDGE_MAX_CONNECTIONS", "nan"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        EdgeSettings.from_environment({**GOOD, name: value})


def test_some_listener_is_needed() -> None:
    without = {name: value for name, value in GOOD.items() if name != "HOOPWEB_EDGE_LISTEN"}
    with pytest.raises(BadSettings, match="HOOPWEB_EDGE_LISTEN"):
        EdgeSettings.from_environment(without)


def test_settings_in_a_log_do_not_show_the_token() -> None:
    settings = EdgeSettings.from_environment({**GOOD, "HOOPWEB_EDGE_ENROL_TOKEN": "one-time-token"})
    assert "one-time-token" not in repr(settings)
