"""A browser is called what its owner calls it."""

import pytest

from ui.settings.user_agent import described

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("says", "called"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome · Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge · Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.0 Safari/605.1.15", "Safari · macOS"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {WEBKIT} CriOS/140.0 Safari/604.1",
            "Chrome · iPhone",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} SamsungBrowser/28.0 Chrome/130 Safari",
            "Samsung Internet · Android",
        ),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/130.0.0.0 Whale/4.29 Safari/537.36", "Whale · Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        ("curl/8.5.0", ""),
        ("", ""),
    ],
)
def test_a_browser_is_known_by_what_it_says(says: str, called: str) -> None:
    assert described(says) == called
