import subprocess
import sys

import httpx
import pytest

from speedpix_pipe.sdk import AsyncSpeedPix, Client, ConfigurationError, SpeedPix, _config
from speedpix_pipe.sdk._config import DEFAULT_ENDPOINT, Proxies, configure, parse_endpoint, parse_timeout


def make(key=None, secret=None, endpoint=None, timeout=30.0, agent=None, encoding="url", **env):
    return configure(key, secret, endpoint, timeout, agent, encoding, env)


def test_arguments_win_over_the_environment():
    env = {"SPEEDPIX_APP_KEY": "ek", "SPEEDPIX_APP_SECRET": "es", "SPEEDPIX_ENDPOINT": "http://localhost:1"}
    config = make(**env)
    assert (config.app_key, config.app_secret.reveal(), str(config.endpoint)) == ("ek", "es", "http://localhost:1")
    config = make("ak", "as", "https://example.org/", **env)
    assert (config.app_key, config.app_secret.reveal(), str(config.endpoint)) == ("ak", "as", "https://example.org")


def test_empty_means_absent_and_one_of_the_pair_may_come_from_each_side():
    assert str(make("", "s", "", SPEEDPIX_APP_KEY="ek", SPEEDPIX_ENDPOINT="").endpoint) == DEFAULT_ENDPOINT
    with pytest.raises(ConfigurationError, match="app_secret is missing: pass it or set SPEEDPIX_APP_SECRET"):
        make("k")
    with pytest.raises(ValueError, match="app_key is missing"):
        make(None, "s", SPEEDPIX_APP_KEY="  ")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("your-endpoint.com", "https://your-endpoint.com"),
        ("https://x.com///", "https://x.com"),
        ("https://x.com/pre/fix/", "https://x.com/pre/fix"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("localhost:8080", "https://localhost:8080"),
    ],
)
def test_endpoints_are_understood(text, url):
    assert str(parse_endpoint(text)) == url


@pytest.mark.parametrize(
    "text", ["http://example.org", "ftp://x", "https://", "https://u:p@x", "https://x?y=1", "https://x:bad"]
)
def test_other_endpoints_are_refused(text):
    with pytest.raises(ConfigurationError):
        parse_endpoint(text)


def test_timeouts_are_seconds():
    assert parse_timeout(5).read == 5.0
    assert parse_timeout(httpx.Timeout(7)).read == 7
    for wrong in (0, -1, "30", None, True):
        with pytest.raises(ConfigurationError):
            parse_timeout(wrong)
    with pytest.warns(UserWarning, match="did you mean 30"):
        parse_timeout(30_000)


def test_odd_keys_and_strategies_are_refused():
    with pytest.raises(ConfigurationError):
        make("k\r\nX: y", "s")
    with pytest.raises(ConfigurationError, match='"url", "base64" or "auto"'):
        make("k", "s", encoding="inline")


@pytest.mark.parametrize("face", [SpeedPix, AsyncSpeedPix, Client])
def test_every_face_needs_credentials(face, monkeypatch):
    with pytest.raises(ConfigurationError):
        face()
    monkeypatch.setenv("SPEEDPIX_APP_KEY", "k")
    monkeypatch.setenv("SPEEDPIX_APP_SECRET", "s")
    assert face().app_key == "k"
    assert face().endpoint == DEFAULT_ENDPOINT
    with pytest.raises(ConfigurationError):
        face(max_uploads=0)


def test_proxies_come_from_the_environment_and_never_for_loopback(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "direct.example")
    proxies = Proxies()
    assert proxies.proxy_for("https", "openai.edu-aliyun.com") == "http://proxy.example:3128"
    assert proxies.proxy_for("https", "direct.example") is None
    assert proxies.proxy_for("http", "openai.edu-aliyun.com") is None
    for host in ("127.0.0.1", "::1", "localhost", "a.localhost"):
        assert proxies.proxy_for("https", host) is None
    assert Proxies(trust_env=False).proxy_for("https", "openai.edu-aliyun.com") is None
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example")
    with pytest.raises(ConfigurationError, match="socks5"):
        Proxies().proxy_for("https", "openai.edu-aliyun.com")


def test_importing_the_sdk_needs_httpx_and_no_other_library():
    code = (
        "import httpx, sys; before = set(sys.modules); import speedpix_pipe.sdk; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['speedpix_pipe']"


def test_the_user_agent_names_the_version():
    from speedpix_pipe import __version__

    assert f"speedpix-pipe/{__version__}" == _config.DEFAULT_USER_AGENT
